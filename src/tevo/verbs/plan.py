"""``tevo plan``: what a fit will read, hold and take, measured on a few of its videos before it starts."""

import io
import logging
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tevo.data.pool import heldout_videos
from tevo.data.seen import TEACHER_VIDEOS
from tevo.tasks.planning import Pace, PaceKeeper, Work, estimate, solver_epoch_sizes
from tevo.tasks.schedule import Schedule
from tevo.verbs.rehearsal import Rehearsal, rehearse, write_list
from tevo.verbs.rehearsed import left_bytes, peak_bytes, seconds_an_answer, writes
from tevo.verbs.survey import Survey, choose, look, look_as_teacher, survey_of
from tevo.video.info import VideoInfo

MORE_MEMORY = 1.2  # measured on three runs: they held 1.2 to 1.4 times what their rehearsals held
BATCHES = 2  # of videos in the rehearsal: the first step of each kind warms up
PART_NAMES = {
    "look": "decoding and encoding, once", "align": "phase 0", "questioner": "Questioner", "pool": "pools",
    "pseudo_label": "Solver, pseudo-labels", "grpo": "Solver, GRPO", "signals": "signals",
    "answers": "answers to measure with", "rest": "models, checkpoints and the rest",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a fit before it starts. Sizes in bytes, times in seconds."""

    survey: Survey
    sample: int  # videos of the rehearsal
    tokens: list[int]  # of each of them, at the base rate
    feature_bytes: int  # of all videos
    bound_bytes: int  # of the cache
    left_bytes: int  # of models and checkpoints when the run has ended
    memory_bytes: int
    card_bytes: int  # of the GPU's memory; 0 without one
    questions: float  # pooled a round
    rounds: int
    writes: str  # of a language model: how long its prompts and replies are; empty of others
    seconds: dict[str, float]  # by tevo.tasks.planning.PARTS

    @property
    def total_s(self) -> float:
        """From the start of the fit to its end."""
        return sum(self.seconds.values())

    def render(self) -> str:
        """Lines to print."""
        survey, hours = self.survey, sum(video.duration_s for video in self.survey.videos.values()) / 3600
        measured = f", {len(survey.asked)} to measure with ({survey.annotated} questions)" if survey.asked else ""
        little = "" if self.feature_bytes <= self.bound_bytes else "; too little: raise --data.max_cache_gb"
        card = f", {self.card_bytes / 1e9:.1f} GB of the card's" if self.card_bytes else ""
        lines = [
            f"videos  {len(survey.videos)} to train on, {hours:.2f} hours{measured}; {survey.bad} cannot be used",
            f"read    {sum(survey.frames.values())} frames; {len(survey.missing)} videos have not been looked at yet",
            f"tokens  {sum(self.tokens) / len(self.tokens):.0f} a video, {max(self.tokens)} in the longest of "
            f"{self.sample} tried{self.writes}",
            f"disk    {sized(self.feature_bytes)} of features of {sized(self.bound_bytes)} allowed{little}; "
            f"{sized(self.left_bytes)} of models and checkpoints",
            f"memory  {self.memory_bytes / 1e9:.1f} GB{card}",
            f"pool    about {self.questions:.0f} questions in each of {self.rounds} rounds",
            f"time    about {spoken(self.total_s)}",
        ]
        lines += [f"{spoken(took):>15}  {PART_NAMES[part]}" for part, took in self.seconds.items() if took >= 0.5]
        return "\n".join(lines)


def run(words: list[str]) -> None:
    """Print the plan of the fit that these options describe."""
    with tempfile.TemporaryDirectory(prefix="tevo-") as folder:
        print(make_plan(rehearse(words, Path(folder)), Path(folder)).render())


def spoken(seconds: float) -> str:
    """Seconds in the unit that a person would take."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def sized(number: int) -> str:
    """Bytes in the unit that a person would take."""
    return f"{number / 1e6:.0f} MB" if number < 1e8 else f"{number / 1e9:.1f} GB"


def make_plan(cli: Rehearsal, folder: Path) -> Plan:
    """Take a step or two of every kind on a few videos, and multiply.

    Args:
        cli: what the fit would be; its model is used up.
        folder: for what the rehearsal leaves.

    Raises:
        TevoError: where the fit itself would be refused.
    """
    model, data, schedule = cli.evolution, cli.videos, cli.evolution.schedule
    data.prepare_data()
    data.setup("fit")
    tuned = model.solver.needs_frames
    store = data.looking.store(model.backbone.to(cli.trainer.strategy.root_device), with_frames=tuned)
    survey = survey_of(cli, store)
    own = [info for info in survey.videos.values() if info.path in survey.missing]
    frame_s, looked_at = look(store, own or [info for info in survey.asked.values() if info.path in survey.missing])
    survey = replace(survey, missing=survey.missing - looked_at)
    chosen = choose(survey, BATCHES * data.videos_per_batch, data.seed)
    teacher_s, teacher_frames = look_as_teacher(cli, store, survey, chosen)
    keeper = rehearse_fit(cli, chosen, folder)
    sample = list(data.videos.values())  # those that proved readable
    features = [store.get(info) for info in sample]
    num_bytes = sum(sum(t.nbytes for t in store.stored(info).values()) for info in sample)
    num_bytes += sum(item.frames.frames.nbytes for item in features if item.frames is not None)
    pooled = len(data.pool.verdicts) / len(sample)
    frames = sum(survey.frames[info.path] for info in sample)
    work = replace(work_of(cli, survey, schedule, pooled), teacher_frames=teacher_frames)
    pace = replace(pace_of(cli, keeper, len(sample)), frame_s=frame_s, teacher_frame_s=teacher_s)
    return Plan(
        survey=survey,
        sample=len(sample),
        tokens=[item.num_tokens for item in features],
        feature_bytes=round(num_bytes / frames * sum(survey.frames.values())),
        bound_bytes=data.looking.max_cache_bytes,
        memory_bytes=round(MORE_MEMORY * peak_bytes()),
        card_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
        questions=pooled * len(survey.videos),
        rounds=schedule.rounds,
        left_bytes=left_bytes(model.folder, schedule.rounds),
        writes=writes(cli),
        seconds=estimate(work, pace, schedule),
    )


def rehearse_fit(cli: Rehearsal, sample: Mapping[str, VideoInfo], folder: Path) -> PaceKeeper:
    """One round on a few videos, an epoch of each kind, through the Trainer; what it prints is dropped."""
    model, data, whole = cli.evolution, cli.videos, cli.evolution.schedule
    model.schedule = Schedule(
        1, min(1, whole.questioner_epochs), min(1, whole.pseudo_label_epochs), min(1, whole.grpo_epochs)
    )
    data.sources = replace(data.sources, root=str(write_list(folder, sample)), val_annotations=None, min_videos=2)
    keeper = PaceKeeper()
    cli.trainer.callbacks.append(keeper)  # type: ignore[attr-defined]
    print(f"tevo: trying a round on {len(sample)} videos", file=sys.stderr)
    logger = logging.getLogger("lightning.pytorch")  # why a fit stopped is news of a fit
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            cli.trainer.fit(model, datamodule=data)
    finally:
        logger.setLevel(level)
    return keeper


def work_of(cli: Rehearsal, survey: Survey, schedule: Schedule, pooled: float) -> Work:
    """What there is to do, if every video gives as many pooled questions as those of the rehearsal."""
    data, number = cli.videos, len(survey.videos)
    heldout = len(heldout_videos(survey.videos, data.heldout_share))
    sizes = solver_epoch_sizes(
        schedule, data.curriculum.config, data.pool.verdicts, data.durations_s, pooled * (number - heldout),
        data.questions_per_epoch,
    )  # fmt: skip
    return Work(
        frames=sum(survey.frames[path] for path in survey.missing),
        teacher_frames=0,
        aligned=min(TEACHER_VIDEOS, number) if cli.evolution.teacher is not None else 0,
        videos=min(number, data.videos_per_epoch or number),
        pooled=number,
        heldout=heldout or number,
        annotated=survey.annotated,
        heldout_questions=round(pooled * heldout),
        questions=sizes,
    )


def pace_of(cli: Rehearsal, keeper: PaceKeeper, sample: int) -> Pace:
    """Seconds for one of each thing but looking, from the rehearsal's own clocks."""
    model, data, parts = cli.evolution, cli.videos, cli.evolution.parts.seconds
    rest = keeper.seconds - keeper.in_steps - sum(parts.values())
    return Pace(
        frame_s=0.0,
        teacher_frame_s=0.0,
        aligned_s=parts["align"] / min(TEACHER_VIDEOS, sample),
        questioner_s=keeper.per_item("questioner"),
        pooled_s=parts["pool"] / sample,
        pseudo_label_s=keeper.per_item("pseudo_label"),
        grpo_s=keeper.per_item("grpo"),
        signals_s=parts["signals"] / 2 / (len(data.heldout) or sample),  # of round 0 and of the round after it
        answer_s=seconds_an_answer(cli),
        round_s=parts["round"] / 2,
        epoch_s=max(0.0, rest) / model.schedule.num_epochs,
    )
