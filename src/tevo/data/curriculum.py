"""What is asked and trained on when: task difficulty rises with the rounds, and inside a round with the epochs.

Source: ALGORITHM 6 ("raises task difficulty per epoch", Video-Zero); the numbers are not published, so every
default here is assumed. Levels: 1 localise (when, what), 2 order (before, after, first, last), 3 count and
duration, 4 cause (why).
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from tevo.errors import TevoError
from tevo.prompts.grammar import LEVELS
from tevo.structures import Verdict

NUM_LEVELS = max(LEVELS.values())


@dataclass(frozen=True)
class CurriculumConfig:
    """How difficulty rises. A pair is the easiest and the hardest value of a ceiling.

    Args:
        enabled: off = every kind of question from the first round on, drawn uniformly (for ablations).
        opens: what opens a level: the level below passing its bar ("competence"), its round ("epoch"), or
            whichever comes first ("either").
        bar: competence (0..1) at which a level counts as passed.
        opens_at_round: the round (from 1) at which levels 1, 2, 3 and 4 open by schedule.
        full_at_round: the round (from 1) from which on the other ceilings stand at their hardest.
        momentum: share of the past (0..1) in the running means of competence.
        min_weight: sampling weight of a level that teaches nothing, as a share (0..1] of the best one's.
        evidence_unit: whether evidence is measured as a share of the video or in seconds.
        min_evidence: least total length of a question's evidence, in ``evidence_unit``; it falls.
        max_spans: most evidence spans of a question; it rises.
        max_options: most options of a multiple-choice question; it rises.
        max_duration_share: share (0..1) of the videos that are open, shortest first; it rises.
        min_admitted: least share (0..1] of the pool that is open; the ceilings give way to it.
    """

    enabled: bool = True
    opens: Literal["competence", "epoch", "either"] = "either"
    bar: float = 0.6  # assumed
    opens_at_round: tuple[int, int, int, int] = (1, 1, 1, 2)  # assumed
    full_at_round: int = 3  # assumed
    momentum: float = 0.9  # assumed
    min_weight: float = 0.25  # assumed
    evidence_unit: Literal["share", "seconds"] = "share"
    min_evidence: tuple[float, float] = (0.02, 0.0)  # assumed
    max_spans: tuple[int, int] = (2, 8)  # assumed
    max_options: tuple[int, int] = (4, 8)  # assumed
    max_duration_share: tuple[float, float] = (1.0, 1.0)  # assumed
    min_admitted: float = 0.3  # assumed

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("bar", "momentum", "min_weight", "min_admitted")}
        for name, value in shares.items():
            if not 0.0 <= value <= 1.0:
                raise TevoError(f"curriculum.{name} is a share and must lie in 0..1, got {value}")
        if self.min_weight == 0.0 or self.momentum == 1.0:
            raise TevoError("curriculum.min_weight must be above 0, and curriculum.momentum below 1")
        if list(self.opens_at_round) != sorted(self.opens_at_round):
            raise TevoError(f"a level cannot open before the one below it, got opens_at_round={self.opens_at_round}")


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The hardest question that is open now. The defaults leave everything open."""

    level: int = NUM_LEVELS
    min_evidence: float = 0.0  # total length; share of the video or seconds, see ``evidence_unit``
    evidence_unit: Literal["share", "seconds"] = "share"
    max_spans: int = sys.maxsize
    max_options: int = sys.maxsize
    max_duration_s: float = math.inf


def solver_level(ceiling: int, epoch: int, num_epochs: int) -> int:
    """The Solver's level in epoch 0..num_epochs-1 of its phase: rises in even steps and ends at the ceiling."""
    return math.floor(1 + (ceiling - 1) * (epoch + 1) / num_epochs + 0.5)


def violations(verdict: Verdict, ceilings: Ceilings, duration_s: float) -> int:
    """How many ceilings other than the level's a question breaks.

    Its evidence is what it will be trained on, the pseudo-evidence; the asker's own where there is none.
    """
    question = verdict.question
    spans = verdict.pseudo_evidence or question.evidence
    length = sum(span.length_s for span in spans)
    if ceilings.evidence_unit == "share":
        length = length / duration_s if duration_s > 0 else 0.0
    return (
        (bool(spans) and length < ceilings.min_evidence)
        + (len(spans) > ceilings.max_spans)
        + (len(question.options) > ceilings.max_options)
        + (duration_s > ceilings.max_duration_s)
    )


def admits(verdict: Verdict, ceilings: Ceilings, duration_s: float) -> bool:
    """Whether a question lies below every ceiling.

    Args:
        verdict: a pooled question.
        ceilings: of this epoch.
        duration_s: length of its video in seconds.
    """
    return verdict.question.level <= ceilings.level and not violations(verdict, ceilings, duration_s)


def level_weight(competence: float | None, min_weight: float) -> float:
    """Sampling weight of a level: greatest where it is half mastered, as learnability is; unknown counts as half.

    ``w = min_weight + (1 - min_weight) * 2 min(c, 1 - c)`` (assumed).
    """
    known = 0.5 if competence is None else competence
    return min_weight + (1.0 - min_weight) * 2.0 * min(known, 1.0 - known)


class Curriculum:
    """Competence per level, and what follows from it. Everything that changes is in :meth:`state_dict`.

    All ranks must observe the same figures: what is drawn follows from them.
    """

    def __init__(self, config: CurriculumConfig | None = None) -> None:
        self.config = config or CurriculumConfig()
        self._agreement: dict[int, float] = {}  # level -> running mean
        self._reward: dict[int, float] = {}
        self._fixed: dict[int, int] = {}  # round -> level ceiling

    @property
    def enabled(self) -> bool:
        """Off in the ablation: everything is open, nothing is preferred."""
        return self.config.enabled

    def observe(self, level: int, agreement: float, reward: float) -> None:
        """Note how the Solver did on questions of one level.

        Args:
            level: 1..4.
            agreement: share (0..1) of rollouts that gave the most frequent answer.
            reward: mean reward as a share (0..1) of the greatest possible; figures outside are clipped.
        """
        if level not in range(1, NUM_LEVELS + 1):
            raise ValueError(f"levels are 1..{NUM_LEVELS}, got {level}")
        for means, value in ((self._agreement, agreement), (self._reward, reward)):
            if math.isfinite(value):
                clipped = min(max(value, 0.0), 1.0)
                past = means.get(level, clipped)
                means[level] = self.config.momentum * past + (1.0 - self.config.momentum) * clipped

    def competence(self, level: int) -> float | None:
        """Mean of the running means of agreement and reward (0..1); None before anything was observed."""
        known = [means[level] for means in (self._agreement, self._reward) if level in means]
        return sum(known) / len(known) if known else None

    def start_round(self, round: int) -> None:
        """Fix the level ceiling of a round (from 1); a second call for the same round changes nothing."""
        self._fixed.setdefault(round, self._open_levels(round))

    def level_ceiling(self, round: int) -> int:
        """The highest level the Questioner may ask in a round."""
        return self._fixed.get(round, self._open_levels(round))

    def _open_levels(self, round: int) -> int:
        if not self.enabled:
            return NUM_LEVELS
        passed = NUM_LEVELS if self.config.opens != "epoch" else 1
        for level in range(1, NUM_LEVELS):
            competence = self.competence(level)
            if competence is None or competence < self.config.bar:
                passed = min(passed, level)
        due = sum(opens <= round for opens in self.config.opens_at_round) if self.config.opens != "competence" else 1
        return max(1, passed, due)

    def allowed_kinds(self, round: int) -> tuple[str, ...]:
        """Kinds of question the Questioner may ask in a round (from 1)."""
        ceiling = self.level_ceiling(round)
        return tuple(kind for kind, level in LEVELS.items() if level <= ceiling)

    def ceilings(
        self, round: int, epoch: int | None = None, num_epochs: int = 1, durations_s: Sequence[float] = ()
    ) -> Ceilings:
        """The Questioner's ceilings of a round, or the Solver's of one epoch, which rise towards those.

        Args:
            round: from 1.
            epoch: 0..num_epochs-1 of the Solver's phase; None for the Questioner, whose ceilings stand still.
            num_epochs: length of the Solver's phase.
            durations_s: lengths of all videos in seconds, for the video-length ceiling.
        """
        if not self.enabled:
            return Ceilings()
        config, top = self.config, self.level_ceiling(round)
        hardness = min(1.0, (round - 1) / (config.full_at_round - 1)) if config.full_at_round > 1 else 1.0
        if epoch is not None:
            hardness *= min(1.0, (epoch + 1) / num_epochs)
        share = _between(config.max_duration_share, hardness)
        lengths = sorted(durations_s)
        return Ceilings(
            level=top if epoch is None else solver_level(top, min(epoch, num_epochs - 1), num_epochs),
            min_evidence=_between(config.min_evidence, hardness),
            evidence_unit=config.evidence_unit,
            max_spans=math.floor(_between(config.max_spans, hardness) + 0.5),
            max_options=math.floor(_between(config.max_options, hardness) + 0.5),
            max_duration_s=lengths[max(0, math.ceil(share * len(lengths)) - 1)] if lengths else math.inf,
        )

    def draw(
        self,
        verdicts: Sequence[Verdict],
        num: int | None,
        ceilings: Ceilings,
        generator: torch.Generator,
        durations_s: Mapping[str, float],
    ) -> list[int]:
        """Draw questions below the ceilings, without replacement, weighted by what their level still teaches.

        The ceilings never leave less than ``min_admitted`` of the pool: then the least hard of the others come
        in too.

        Args:
            verdicts: the pool.
            num: how many to draw; None for all that are open.
            ceilings: of this epoch.
            generator: of the draw; the same state gives the same questions.
            durations_s: length of each video in seconds, by name.

        Returns:
            Indices into ``verdicts``, in the order drawn; fewer than ``num`` when there are not as many.
        """
        hardness = [
            (max(0, v.question.level - ceilings.level), violations(v, ceilings, durations_s[v.question.video]))
            for v in verdicts
        ]
        by_hardness = sorted(range(len(verdicts)), key=lambda index: hardness[index])
        least = math.ceil(self.config.min_admitted * len(verdicts)) if self.enabled else 0
        admitted = sorted(by_hardness[: max(least, sum(h == (0, 0) for h in hardness))])
        weights = torch.tensor([self.weight(verdicts[i].question.level) for i in admitted], dtype=torch.float64)
        # Efraimidis and Spirakis (2006): the smallest of exponential waiting times are a weighted draw
        waits = torch.empty(len(admitted), dtype=torch.float64).exponential_(generator=generator) / weights
        return [admitted[i] for i in waits.argsort(stable=True)[:num].tolist()]

    def weight(self, level: int) -> float:
        """Sampling weight of a question of this level, in (0, 1]."""
        return level_weight(self.competence(level), self.config.min_weight) if self.enabled else 1.0

    def state_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`load_state_dict` takes them back."""
        return {
            "agreement": {str(level): mean for level, mean in self._agreement.items()},
            "reward": {str(level): mean for level, mean in self._reward.items()},
            "fixed": {str(number): level for number, level in self._fixed.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._agreement = {int(key): float(value) for key, value in state["agreement"].items()}
        self._reward = {int(key): float(value) for key, value in state["reward"].items()}
        self._fixed = {int(key): int(value) for key, value in state["fixed"].items()}


def _between(pair: tuple[float, float] | tuple[int, int], hardness: float) -> float:
    return pair[0] + (pair[1] - pair[0]) * hardness
