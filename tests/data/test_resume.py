"""A real Trainer, stopped at any step and taken up again, is served what it would have been served."""

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from tevo.data.curriculum import CurriculumConfig
from tevo.data.datamodule import VideoQuestions
from tevo.data.datasets import VideoBatch
from tevo.structures import Question, Span, Verdict

SCHEDULE = [("questioner", 1, 0, 1), ("solver", 1, 0, 2), ("solver", 1, 1, 2), ("questioner", 2, 0, 1)]


class Killed(Exception):
    """Stands for a SIGKILL: nothing is saved on the way out."""


class EveryStep(ModelCheckpoint):
    """Not after an epoch's last batch: a run taken up there would skip the end of the epoch (lightning 2.6)."""

    def on_train_batch_end(self, trainer, *rest):
        if not trainer.is_last_batch:
            super().on_train_batch_end(trainer, *rest)


class Served(pl.LightningModule):
    """Notes what it is served; the phases change as in a real run."""

    def __init__(self, backbone, kill_at=None):
        super().__init__()
        self.backbone = backbone
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.kill_at = kill_at
        self.served = []

    @property
    def data(self):
        return self.trainer.datamodule

    def setup(self, stage):
        self.data.attach(self.backbone)
        self.data.set_phase(*SCHEDULE[0])

    def configure_optimizers(self):
        return torch.optim.SGD([self.weight], lr=0.1)

    def training_step(self, batch, batch_idx):
        if self.global_step == self.kill_at:
            raise Killed
        asked = batch.names if isinstance(batch, VideoBatch) else [v.question.id for v in batch.verdicts]
        self.served.append((self.global_step, self.current_epoch, batch_idx, tuple(asked)))
        for number, level in enumerate((1, 2, 3, 4)):  # moves what a new draw would give
            self.data.curriculum.observe(level, *[((self.global_step + number) % 5) / 4] * 2)
        return self.weight.sum()

    def on_train_epoch_end(self):
        phase, round, *_ = SCHEDULE[self.current_epoch]
        if phase == "questioner":
            self.data.pool.replace(round, asked_of(self.data.videos, round))
        if self.current_epoch + 1 < len(SCHEDULE):
            self.data.set_phase(*SCHEDULE[self.current_epoch + 1])


def asked_of(videos, round):
    questions = [
        Question(f"{round}-{name}-{number}", name, "?", "when", level=1 + number)
        for name in videos
        for number in range(4)
    ]
    return [Verdict(q, True, "", 0.5, pseudo_evidence=(Span(2.0, 9.0),), round=round) for q in questions]


@pytest.fixture
def fit(world, tmp_path, colours):
    def run(kill_at=None, resume=None, folder="whole"):
        data = VideoQuestions(
            str(world / "train"),
            cache_dir=str(tmp_path / "cache"),
            videos_per_batch=3,
            questions_per_batch=4,
            questions_per_epoch=12,
            curriculum=CurriculumConfig(momentum=0.0, min_weight=0.01, opens_at_round=(1, 1, 1, 1)),
            workers=1,
            progress=False,
        )
        model = Served(colours(), kill_at)
        every_step = EveryStep(tmp_path / folder, "{step}", save_top_k=-1, every_n_train_steps=1)
        every_epoch = ModelCheckpoint(tmp_path / folder, "{step}", save_top_k=-1, save_on_train_epoch_end=True)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=len(SCHEDULE),
            reload_dataloaders_every_n_epochs=1,
            logger=False,
            callbacks=[every_step, every_epoch],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            trainer.fit(model, data, ckpt_path=resume, weights_only=True)
        except Killed:
            pass
        return model.served

    return run


@pytest.mark.filterwarnings("ignore")  # Lightning's advice on tiny runs
def test_what_is_served_does_not_depend_on_being_killed(fit, tmp_path):
    whole = fit()
    epochs = [epoch for _, epoch, _, _ in whole]
    lengths = [epochs.count(epoch) for epoch in range(len(SCHEDULE))]
    assert len(whole) == sum(lengths) and min(lengths) >= 2
    assert whole[3:5] != whole[5:7]
    for stop in range(1, len(whole)):
        before = fit(kill_at=stop, folder=f"{stop}")
        after = fit(resume=str(tmp_path / f"{stop}" / f"step={stop}.ckpt"), folder=f"{stop}-again")
        assert before + after == whole, f"stopped at step {stop}, which is after {lengths} batches an epoch"
