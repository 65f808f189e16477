"""What a killed run goes on from: ``last.ckpt``, ``best.ckpt`` and one a round, each whole or not there."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.utilities.types import STEP_OUTPUT

from tevo.tasks.atomic import settle
from tevo.tasks.records import RunRecords

LAST, BEST = "last.ckpt", "best.ckpt"


class RunCheckpoint(Checkpoint):
    """Writes ``last.ckpt`` when round 0 is measured, after every epoch, and inside epochs as often as asked.

    A round's end is kept as ``round-N.ckpt``; ``best.ckpt`` is that of the round that the records call best. None is
    written after an epoch's last batch, before its end: Lightning (2.6) would skip that end on resuming.

    Args:
        folder: the run's ``checkpoints`` folder.
        every_steps: optimizer steps between two checkpoints inside an epoch; 0 for none.
        records: of the run; what round it is in.
    """

    def __init__(self, folder: Path, every_steps: int, records: RunRecords) -> None:
        super().__init__()
        self.folder, self.every_steps, self.records = folder, every_steps, records
        self._kept = -1  # the last round that has its file

    @property
    def best_model_path(self) -> str:
        """The best round's checkpoint, for ``trainer.test(ckpt_path="best")``; empty before there is one."""
        path = self.folder / BEST
        return str(path) if path.exists() else ""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Round 0 is measured by now; a resumed run has its files already."""
        if trainer.global_step == 0:
            self._save(trainer)
        self._kept = self.records.rounds[-1].round

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Inside an epoch, where no gradient is being accumulated."""
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if self.every_steps and stepped and not trainer.is_last_batch and trainer.global_step % self.every_steps == 0:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """After the module's own: the pool is built, or the round measured."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint; the one to resume from changes last, when all else that belongs to it is there."""
        unfinished = self.folder / ".unfinished.ckpt"
        if trainer.is_global_zero:  # left by a killed run, it may be one file on disk with a round's
            unfinished.unlink(missing_ok=True)
        trainer.save_checkpoint(unfinished, weights_only=False)
        if trainer.is_global_zero:
            rounds = self.records.rounds
            if rounds and rounds[-1].round > self._kept:
                self._kept = rounds[-1].round
                settle(unfinished, self.folder / f"round-{self._kept}.ckpt", keep=True)
                best = self.folder / f"round-{self.records.best_round}.ckpt"
                if best.exists():
                    settle(best, self.folder / BEST, keep=True)
            settle(unfinished, self.folder / LAST)
        trainer.strategy.barrier("tevo checkpoint")


def is_default(callback: pl.Callback) -> bool:
    """Whether this is the checkpoint callback that a Trainer makes when nobody asks for one."""
    if type(callback) is not ModelCheckpoint:
        return False
    return callback.dirpath is None and callback.monitor is None and callback.filename is None
