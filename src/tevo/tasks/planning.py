"""How long a run will take: the pace of a short rehearsal on some of its videos, times what there is to do."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import lightning.pytorch as pl

from tevo.data.curriculum import Curriculum, CurriculumConfig
from tevo.data.datasets import PooledBatch, VideoBatch
from tevo.data.loader import generator_of
from tevo.structures import Verdict
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.schedule import Schedule

PARTS = ("look", "align", "questioner", "pool", "pseudo_label", "grpo", "signals", "answers", "rest")


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do in a run.

    Attributes:
        frames: still to be decoded and encoded.
        teacher_frames: the same for the teacher of phase 0; 0 where there is none.
        aligned: videos that phase 0 sees; 0 where there is none.
        videos: served in an epoch of the Questioner.
        pooled: videos that questions are written for.
        heldout: videos that the signals of a round are measured on.
        annotated: questions that a round is measured on; None where there are none, and the pool's held-out ones are.
        heldout_questions: of the pool, about held-out videos.
        questions: drawn from the pool in each Solver epoch, over the whole run in order.
    """

    frames: int
    teacher_frames: int
    aligned: int
    videos: int
    pooled: int
    heldout: int
    annotated: int | None
    heldout_questions: int
    questions: Sequence[int]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a rehearsal took, for one of each thing."""

    frame_s: float  # decoded and encoded
    teacher_frame_s: float  # the same by the teacher
    aligned_s: float  # a video in phase 0, beside its teacher's frames
    questioner_s: float  # a video in a step of the Questioner
    pooled_s: float  # a video in building the pool
    pseudo_label_s: float  # a question in a step of the likelihood objective
    grpo_s: float  # a question in a step of GRPO
    signals_s: float  # a held-out video when a round is measured
    answer_s: float  # a question when a round is measured
    round_s: float  # what else a round leaves: models, records
    epoch_s: float  # an epoch, beside its steps: checkpoints, loaders


def estimate(work: Work, pace: Pace, schedule: Schedule) -> dict[str, float]:
    """Seconds of each of :data:`PARTS` over a whole run."""
    rounds = schedule.rounds
    by_objective = {"pseudo_label": 0, "grpo": 0}
    solver_epochs = [phase for phase in map(schedule.phase, range(schedule.num_epochs)) if phase.name == "solver"]
    for phase, number in zip(solver_epochs, work.questions, strict=True):
        by_objective[phase.objective] += number
    answers = rounds * work.heldout_questions if work.annotated is None else (rounds + 1) * work.annotated
    seconds = {
        "look": work.frames * pace.frame_s,
        "align": work.teacher_frames * pace.teacher_frame_s + work.aligned * pace.aligned_s,
        "questioner": rounds * schedule.questioner_epochs * work.videos * pace.questioner_s,
        "pool": rounds * work.pooled * pace.pooled_s,
        "pseudo_label": by_objective["pseudo_label"] * pace.pseudo_label_s,
        "grpo": by_objective["grpo"] * pace.grpo_s,
        "signals": (rounds + 1) * work.heldout * pace.signals_s,
        "answers": answers * pace.answer_s,
        "rest": (rounds + 1) * pace.round_s + schedule.num_epochs * pace.epoch_s,
    }
    return {part: seconds[part] for part in PARTS}


def solver_epoch_sizes(
    schedule: Schedule,
    config: CurriculumConfig,
    sample: Sequence[Verdict],
    durations_s: Mapping[str, float],
    pool_size: float,
    most: int | None,
) -> list[int]:
    """Questions that each Solver epoch of a run will draw, if the whole pool is like a sample of it.

    Levels open by their rounds here, since competence is not known before the run.

    Args:
        schedule: of the run.
        config: of the curriculum.
        sample: pooled questions.
        durations_s: length in seconds of each video of the sample, by name.
        pool_size: questions that the Solver will be trained on.
        most: questions drawn an epoch, at most; None for all that are admitted.
    """
    curriculum, sizes = Curriculum(config), []
    for epoch in range(schedule.num_epochs):
        phase = schedule.phase(epoch)
        curriculum.start_round(phase.round)
        if phase.name != "solver":
            continue
        within = phase.epoch, phase.num_epochs, list(durations_s.values())
        ceilings = curriculum.ceilings(phase.round, *within)
        drawn = curriculum.draw(sample, None, ceilings, generator_of("plan", epoch), durations_s)
        admitted = round(pool_size * len(drawn) / max(1, len(sample)))
        sizes.append(admitted if most is None else min(admitted, most))
    return sizes


@dataclass
class PaceKeeper(pl.Callback):
    """Notes how long each step of a fit takes and what it worked on; a step lasts until the next one begins."""

    steps: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0  # from the start of the fit to its end
    _running: tuple[str, int, int, float] | None = None  # what, epoch, size, when it began
    _ended: float = 0.0

    def on_fit_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """The clock starts."""
        self.seconds = -time.perf_counter()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, *_: Any) -> None:  # noqa: ANN401
        """A step begins, and the one before has ended."""
        now = time.perf_counter()
        self._close(now, trainer.current_epoch)
        pooled = isinstance(batch, PooledBatch)
        size = len(batch.verdicts) if pooled else len(batch.names) if isinstance(batch, VideoBatch) else 0
        phase = cast(CoEvolution, pl_module).phase
        self._running = (phase.objective if pooled else phase.name, trainer.current_epoch, size, now)

    def on_train_batch_end(self, *_: Any) -> None:
        """When it ended, in case nothing follows in its epoch."""
        self._ended = time.perf_counter()

    def on_fit_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """The clock stops."""
        self._close(self._ended, -1)
        self.seconds += time.perf_counter()

    def _close(self, now: float, epoch: int) -> None:
        if self._running is not None:
            what, its_epoch, size, began = self._running
            self.steps[what].append(((now if epoch == its_epoch else self._ended) - began, size))
            self._running = None

    def per_item(self, what: str) -> float:
        """Seconds for one video (``questioner``) or question (``pseudo_label``, ``grpo``) of a step.

        The first step of a kind warms up, and does not count where there are others.
        """
        counted = self.steps[what][1:] or self.steps[what]
        return sum(seconds for seconds, _ in counted) / max(1, sum(size for _, size in counted))

    @property
    def in_steps(self) -> float:
        """Seconds of all steps."""
        return sum(seconds for steps in self.steps.values() for seconds, _ in steps)
