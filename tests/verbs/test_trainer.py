"""The Trainer verbs around a model of one weight: run folders, loggers, checkpoints, refusals."""

from argparse import ArgumentError
from fractions import Fraction

import pytest
import torch
import yaml
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

import tevo.verbs.trainer as trainer_verbs
from tevo.errors import TevoError
from tevo.metrics.results import RoundResult, RunResults, write_results


class OneWeight(LightningModule):
    def __init__(self, rate: float = 0.1, name: str = "one") -> None:
        super().__init__()
        if name == "nobody":
            raise TevoError("no model is called nobody")
        self.rate = rate
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch):
        return self.layer(batch).square().mean()

    def on_train_epoch_end(self):
        self.trainer.should_stop = self.current_epoch >= 1

    def on_fit_end(self):
        write_results(self.trainer.default_root_dir, RunResults({}, (RoundResult(round=0, metrics={}),), {}, 0))

    def configure_callbacks(self):
        return [ModelCheckpoint(f"{self.trainer.default_root_dir}/checkpoints", save_last=True)]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Numbers(LightningDataModule):
    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.count = count

    def train_dataloader(self):
        return DataLoader(torch.ones(self.count, 1))


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainer_verbs, "summarise", lambda folder: f"summary of {folder}")
    return tmp_path


def fit(*words):
    """``tevo fit`` with a quiet bar."""
    options = ["--trainer.default_root_dir", "run", "--trainer.accelerator", "cpu"]
    trainer_verbs.run(["fit", *options, "--trainer.enable_progress_bar", "false", *words], OneWeight, Numbers)


def test_a_fit_leaves_its_config_and_logs_in_the_run_folder(in_a_folder, capsys):
    fit("--model.rate", "0.2")
    saved = yaml.safe_load((in_a_folder / "run" / "config.yaml").read_text())
    assert saved["model"] == {"rate": 0.2, "name": "one"}
    assert saved["seed_everything"] == 0
    assert (in_a_folder / "run" / "logs" / "csv" / "version_0").is_dir()
    assert (in_a_folder / "run" / "logs" / "tensorboard" / "version_0").is_dir()
    assert capsys.readouterr().out.endswith("summary of run\n")
    assert not (in_a_folder / "lightning_logs").exists()


def test_the_saved_config_runs_again(in_a_folder):
    fit("--model.rate", "0.2")
    fit("--config", "run/config.yaml", "--trainer.default_root_dir", "again")
    first, again = (yaml.safe_load((in_a_folder / run / "config.yaml").read_text()) for run in ("run", "again"))
    assert again["model"] == first["model"]


def test_a_second_run_keeps_the_first(in_a_folder):
    fit("--model.rate", "0.2")
    fit("--model.rate", "0.3")
    rates = [
        yaml.safe_load((in_a_folder / run / "config.yaml").read_text())["model"]["rate"]
        for run in ("run.earlier-1", "run")
    ]
    assert rates == [0.2, 0.3]


def test_resuming_stays_in_the_folder(in_a_folder):
    fit()
    fit("--ckpt_path", "last")
    assert not (in_a_folder / "run.earlier-1").exists()
    last = torch.load(in_a_folder / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 2  # two epochs of the first run, one more here


def test_resuming_before_the_first_checkpoint_begins_at_the_beginning(in_a_folder, capsys):
    fit("--ckpt_path", "last")
    assert "run has no checkpoint yet" in capsys.readouterr().err
    assert (in_a_folder / "run" / "checkpoints" / "last.ckpt").exists()


def test_other_verbs_need_their_checkpoint(in_a_folder):
    with pytest.raises(TevoError, match=r"no best checkpoint in run/checkpoints"):
        words = ["validate", "--trainer.default_root_dir", "run", "--ckpt_path", "best"]
        trainer_verbs.run(words, OneWeight, Numbers)


def test_a_strange_last_checkpoint_is_not_unpickled(in_a_folder):
    fit()
    path = in_a_folder / "run" / "checkpoints" / "last.ckpt"
    torch.save({**torch.load(path, weights_only=True), "surprise": Fraction(1, 3)}, path)
    with pytest.raises(TevoError, match=r"last\.ckpt holds more .* tevo did not write it"):
        fit("--ckpt_path", "last")


def test_weights_only_cannot_be_switched_off():
    with pytest.raises(ArgumentError, match="weights_only"):
        fit("--weights_only", "false")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.rat", "0.1"], "model.rat"),
        (["--model.rate", "fast"], 'Parser key "model.rate"'),
        (["--config", "{model: {speed: 1}}"], "model.speed"),
        (["--config", "{model: {rate: 0.1, names: [one]}}"], "model.names"),
    ],
)
def test_a_bad_option_is_named(words, said):
    with pytest.raises(ArgumentError) as error:
        fit(*words)
    assert said in str(error.value)


def test_a_refusal_of_the_model_arrives_as_it_was_said():
    with pytest.raises(TevoError, match="no model is called nobody"):
        fit("--model.name", "nobody")


def test_lightning_refusals_are_messages_too():
    with pytest.raises(TevoError, match="devices"):
        fit("--trainer.devices", "0")


def test_a_refused_checkpoint_leaves_the_earlier_run_where_it_is(in_a_folder):
    fit()
    with pytest.raises(TevoError, match="no checkpoint"):
        fit("--ckpt_path", "absent.ckpt")
    assert (in_a_folder / "run" / "config.yaml").exists()


@pytest.mark.parametrize(
    ("devices", "num_nodes", "shared"),
    [
        *((alone, 1, False) for alone in (1, "1", [3], "3,")),
        *((several, 1, True) for several in (2, "2", "0,1", [0, 1])),
        *((each, 2, True) for each in (1, [0])),
    ],
    ids=repr,
)
def test_several_processes_are_seen_in_what_was_asked_for(devices, num_nodes, shared):
    assert trainer_verbs.is_shared(devices, num_nodes) is shared


@pytest.mark.parametrize(("asked", "num_gpus", "shared"), [("auto", 1, False), (-1, 4, True), ("auto", 4, True)])
def test_all_devices_are_several_where_there_are(asked, num_gpus, shared, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)
    assert trainer_verbs.is_shared(asked, 1) is shared
