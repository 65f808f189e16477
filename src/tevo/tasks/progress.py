"""The bar of a fit: round, phase, and what is left of the phase, the round and the run."""

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
from lightning.pytorch.utilities.types import STEP_OUTPUT

from tevo.tasks.schedule import Phase, Schedule

DEFAULT_BARS = (TQDMProgressBar, RichProgressBar)  # what a Trainer shows when nobody asks for another


class EpochTimes:
    """What epochs have taken so far in this process, and what those to come will take.

    An epoch's time includes what follows it: building the pool, measuring the round. Nothing of it is saved.

    Args:
        schedule: of the run.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._seconds: dict[tuple[str, str, bool], float] = {}  # the last such epoch's
        self._running: tuple[int, float] | None = None  # epoch, when it began

    def begin(self, epoch: int, now_s: float) -> None:
        """Note that an epoch begins, and with it that the one before has ended."""
        if self._running is not None:
            self._seconds[self._sort(self._running[0])] = now_s - self._running[1]
        self._running = (epoch, now_s)

    def left_s(self, first: int, end: int, now_s: float) -> float | None:
        """Seconds from now to the end of epoch ``end - 1``, where ``first`` is under way; None while unknown."""
        sorts = [self._sort(epoch) for epoch in range(first, end)]
        if self._running is None or any(sort not in self._seconds for sort in sorts):
            return None
        return max(0.0, sum(self._seconds[sort] for sort in sorts) - (now_s - self._running[1]))

    def _sort(self, epoch: int) -> tuple[str, str, bool]:
        phase = self.schedule.phase(epoch)
        return phase.name, phase.objective, phase.is_last


class RunBar(TQDMProgressBar):
    """One bar a phase: its steps over all its epochs, its ETA; beside the loss, what is left of the round and the run.

    Args:
        schedule: of the run.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule, self.times = schedule, EpochTimes(schedule)
        self._done = 0  # steps of the phase before this epoch
        self._going = False  # whether the bar has counted a step

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """A run that goes on inside an epoch is told of it here alone."""
        super().on_train_start()
        self._going = False
        self._enter(trainer, trainer.fit_loop.batch_idx + 1)

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """A phase's first epoch begins the bar anew; a later one goes on with it."""
        self._enter(trainer, 0)

    def _enter(self, trainer: pl.Trainer, served: int) -> None:
        """Set the bar for the epoch under way, of which ``served`` batches are done."""
        self.times.begin(trainer.current_epoch, time.monotonic())
        phase, steps = self.schedule.phase(trainer.current_epoch), int(self.total_train_batches)
        bar = self.train_progress_bar
        bar.set_description(describe(phase, self.schedule.rounds), refresh=False)
        if phase.epoch == 0 or not self._going:
            self._done = phase.epoch * steps
            bar.set_postfix_str("", refresh=False)
            bar.reset()
            bar.initial = bar.n = self._done + served
        else:
            self._done = int(bar.n)
        bar.total = self._done + steps * (phase.num_epochs - phase.epoch)
        bar.refresh()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """One step further."""
        if not self._should_update(batch_idx + 1, int(self.total_train_batches)):
            return
        bar, self._going = self.train_progress_bar, True
        bar.n = self._done + batch_idx + 1
        bar.set_postfix_str(self._beside(trainer, pl_module))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The loss at the end of the epoch."""
        if not self.train_progress_bar.disable:
            self.train_progress_bar.set_postfix_str(self._beside(trainer, pl_module))

    def _beside(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> str:
        metrics = self.get_metrics(trainer, pl_module)
        parts = [f"{name} {value:.3f}" for name, value in metrics.items() if isinstance(value, float)]
        epoch, now = trainer.current_epoch, time.monotonic()
        round_end = self.schedule.phase(epoch).round * self.schedule.epochs_per_round
        for name, end in (("round", round_end), ("run", self.schedule.num_epochs)):
            left = self.times.left_s(epoch, end, now)
            if left is not None:
                parts.append(f"{name} {self.train_progress_bar.format_interval(left)} left")
        return ", ".join(parts)


def describe(phase: Phase, rounds: int) -> str:
    """Round and phase in words."""
    objective = phase.objective.replace("_", "-")
    return f"round {phase.round}/{rounds}: {phase.name} {phase.epoch + 1}/{phase.num_epochs} ({objective})"


def is_default_bar(callback: pl.Callback) -> bool:
    """Whether this is a bar that a Trainer shows when nobody asks for another."""
    return type(callback) in DEFAULT_BARS
