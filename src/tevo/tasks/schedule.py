"""Which phase an epoch belongs to: the whole of a run, spelled out."""

import math
from dataclasses import dataclass

from tevo.errors import TevoError


@dataclass(frozen=True, slots=True)
class Phase:
    """One epoch's place in the run."""

    name: str  # questioner | solver
    round: int  # from 1
    epoch: int  # within the phase
    num_epochs: int  # of the phase
    objective: str  # grpo | pseudo_label

    @property
    def is_last(self) -> bool:
        """Whether the phase ends with this epoch."""
        return self.epoch + 1 == self.num_epochs


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rounds of one Questioner phase and one Solver phase (VZ: the other role frozen).

    A Solver phase begins with the pseudo-label objective and goes on with GRPO (ALGORITHM 5).
    """

    rounds: int = 3
    questioner_epochs: int = 1  # passes over the videos a round
    pseudo_label_epochs: int = 3  # passes over the pool a round, cross-entropy on pseudo-labels
    grpo_epochs: int = 1  # passes over the pool a round, GRPO

    def __post_init__(self) -> None:
        if self.rounds < 1 or min(self.questioner_epochs, self.pseudo_label_epochs, self.grpo_epochs) < 0:
            raise TevoError(f"a schedule needs at least one round and no negative number of epochs, got {self}")
        if self.pseudo_label_epochs + self.grpo_epochs < 1:
            raise TevoError("the Solver needs an epoch: set pseudo_label_epochs or grpo_epochs to 1 or more")

    @property
    def solver_epochs(self) -> int:
        """Length of the Solver's phase."""
        return self.pseudo_label_epochs + self.grpo_epochs

    @property
    def epochs_per_round(self) -> int:
        """Epochs of both phases; a Questioner that is not trained (0 epochs) takes none."""
        return self.questioner_epochs + self.solver_epochs

    @property
    def num_epochs(self) -> int:
        """Epochs of the whole run."""
        return self.rounds * self.epochs_per_round

    def phase(self, epoch: int) -> Phase:
        """The phase of an epoch (from 0)."""
        round, within = epoch // self.epochs_per_round + 1, epoch % self.epochs_per_round
        if within < self.questioner_epochs:
            return Phase("questioner", round, within, self.questioner_epochs, "grpo")
        within -= self.questioner_epochs
        objective = "pseudo_label" if within < self.pseudo_label_epochs else "grpo"
        return Phase("solver", round, within, self.solver_epochs, objective)


def decayed(base: float, progress: float, floor: float = 0.05, warmup: float = 0.05) -> float:
    """Learning rate at a share ``progress`` (0..1) of an objective's steps: short warm-up, then cosine to ``floor``."""
    if progress < warmup:
        return base * (0.1 + 0.9 * progress / warmup)
    return base * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))
