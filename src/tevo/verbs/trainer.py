"""The verbs of the Trainer: one LightningCLI over the co-evolution and its DataModule."""

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from tevo.data.datamodule import VideoQuestions
from tevo.data.ranks import part
from tevo.errors import TevoError
from tevo.tasks.atomic import settle
from tevo.tasks.coevolution import CoEvolution
from tevo.verbs.run_folder import CHECKPOINT_WORDS, check_checkpoint, find_checkpoint, move_aside
from tevo.verbs.summary import summarise
from tevo.verbs.table import TRAINER_VERBS

TRAINER_DEFAULTS: dict[str, Any] = {
    "accelerator": "auto",
    "devices": 1,
    "default_root_dir": "runs/latest",
    "reload_dataloaders_every_n_epochs": 1,  # videos in one phase, pooled questions in the next
    "max_epochs": -1,  # the schedule of rounds ends the run
    "num_sanity_val_steps": 0,  # round 0 is measured in full before the first step
    "log_every_n_steps": 10,
    "enable_model_summary": False,
}


SINGLE_ROLE_DDP = {  # one role learns at a time: the other's parameters are unused, and DDP wants to know it
    "auto": "ddp_find_unused_parameters_true",
    **{name: f"{name}_find_unused_parameters_true" for name in ("ddp", "ddp_fork", "ddp_spawn")},
}


class RunConfig(SaveConfigCallback):
    """Writes ``config.yaml`` at the top of the run folder, beside the results it explains."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Nothing yet: a fit may still be refused, and must not leave its options beside another one's results."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The videos are found, the checkpoint is loaded: from here on it is this run's folder."""
        if trainer.is_global_zero:
            self.save_config(trainer, pl_module, "fit")

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Whole or not at all."""
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / ".config.yaml.unfinished"
        self.parser.save(self.config, unfinished, skip_none=False, overwrite=True)
        settle(unfinished, folder / "config.yaml")


class TevoCLI(LightningCLI):
    """LightningCLI with tevo's model, data and defaults; checkpoints are loaded weights-only, always."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's verbs, without the switch that would unpickle a stranger's file."""
        return {verb: skipped | {"weights_only"} for verb, skipped in LightningCLI.subcommands().items()}

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Lightning warns when both ``args`` and sys.argv are there; here they are the same words."""
        self.config = parser.parse_args(cast(list[str], args))
        check_checkpoint(self.config[self.config.subcommand].ckpt_path)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Default loggers are CSV and TensorBoard, in the run folder's ``logs``; DDP is told that roles take turns."""
        settings = self.config_init[str(self.subcommand)].trainer
        if settings.strategy in SINGLE_ROLE_DDP and is_shared(settings.devices, settings.num_nodes):
            kwargs["strategy"] = SINGLE_ROLE_DDP[settings.strategy]
        folder = Path(settings.default_root_dir)
        if settings.logger in (None, True):
            logs = folder / "logs"
            kwargs["logger"] = [CSVLogger(logs, name="csv"), TensorBoardLogger(logs, name="tensorboard")]
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        """An earlier run in the same folder is moved aside, never overwritten or mixed with."""
        if self.config.fit.ckpt_path is None and self.trainer.is_global_zero:
            move_aside(Path(self.trainer.default_root_dir))

    def after_fit(self) -> None:
        """The table of rounds, and where to look."""
        if self.trainer.is_global_zero and not self.trainer.interrupted:
            print(summarise(Path(self.trainer.default_root_dir)))

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        """What the Trainer's method is called with: the checkpoint as a path, and never unpickled."""
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        if kwargs["ckpt_path"] in CHECKPOINT_WORDS:
            kwargs["ckpt_path"] = self._named_checkpoint(kwargs["ckpt_path"])
        return {**kwargs, "weights_only": True}

    def _named_checkpoint(self, word: str) -> str | None:
        folder = Path(self.trainer.default_root_dir)
        found = find_checkpoint(word, folder)
        if found is not None:
            check_checkpoint(str(found))
            return str(found)
        if self.subcommand == "fit":
            print(f"tevo: {folder} has no checkpoint yet; the run begins at the beginning", file=sys.stderr)
            return None
        raise TevoError(
            f"there is no {word} checkpoint in {folder / 'checkpoints'}. Name the run's folder with "
            "--trainer.default_root_dir, or give the path of a checkpoint."
        )


def is_shared(devices: int | str | list[int], num_nodes: int) -> bool:
    """Whether a run takes several processes.

    Args:
        devices: the Trainer's: a number, the devices themselves, or -1 and "auto" for all there are.
        num_nodes: machines.
    """
    if num_nodes > 1 or isinstance(devices, list):
        return num_nodes > 1 or len(cast(list[int], devices)) > 1
    if devices in ("auto", "-1", -1):
        import torch

        return torch.cuda.device_count() > 1
    return "," in str(devices).rstrip(",") or (str(devices).isdigit() and int(devices) > 1)


def hush() -> None:
    """Silence what a user of tevo can do nothing about; everything else is still said."""
    rank_zero = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    rank_zero.addFilter(lambda record: "Tip: For seamless cloud" not in record.getMessage())  # advertisements
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")  # between lightning 2.6 and torch
    warnings.filterwarnings("ignore", message=".*does not have many workers")  # features come from the cache
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval")  # short phases are normal
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")  # a resumed run


def run(
    words: list[str],
    model: type[LightningModule] = CoEvolution,
    data: type[LightningDataModule] = VideoQuestions,
) -> None:
    """Run a Trainer verb; what the user can mend comes out as one message.

    Args:
        words: the verb and its options.
        model: what is trained.
        data: what it is trained on.

    Raises:
        TevoError: for a bad combination of options, or a checkpoint from elsewhere.
        argparse.ArgumentError: for an unknown option or a value of the wrong type.
    """
    build(words, TevoCLI, _parser_settings(), model, data)
    part()


def build(
    words: list[str],
    kind: type[TevoCLI],
    parser_settings: dict[str, Any],
    model: type[LightningModule] = CoEvolution,
    data: type[LightningDataModule] = VideoQuestions,
) -> TevoCLI:
    """Build what the words describe, and do with it what this kind of command line does.

    Args:
        words: a Trainer's verb and its options.
        kind: of command line.
        parser_settings: how its parsers are made.
        model: what is trained.
        data: what it is trained on.

    Raises:
        TevoError: as :func:`run`.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # `class_path: my_backbone.MyBackbone` finds a file in the current folder
    hush()
    try:
        return kind(
            model,
            data,
            args=words,
            save_config_callback=RunConfig,
            save_config_kwargs={"save_to_log_dir": False},
            seed_everything_default=0,
            trainer_defaults=TRAINER_DEFAULTS,
            parser_kwargs=parser_settings,
            auto_configure_optimizers=False,
        )
    except MisconfigurationException as error:
        raise TevoError(str(error)) from error
    except ValueError as error:
        raise own_cause(error) from error.__cause__


def own_cause(error: ValueError) -> ValueError:
    """The message of ours that an error began with; the error itself where there is none.

    A class that refuses its arguments does so inside the parser, which buries the message in one about types.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, TevoError):
        cause = cause.__cause__
    return error if cause is None else cause


def _parser_settings() -> dict[str, Any]:
    """How the main parser and that of each verb are built."""
    return parser_settings({verb: (verb, line) for verb, line in TRAINER_VERBS.items()})


def parser_settings(verbs: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """How the parsers of some verbs of the Trainer are built.

    Args:
        verbs: what the user calls each of them, and its line of help.
    """
    options = "[--config FILE ...] [--trainer.KEY VALUE] [--model.KEY VALUE] [--data.KEY VALUE] ..."
    each = {
        verb: {"usage": f"tevo {name} {options}", "description": f"{line}."} for verb, (name, line) in verbs.items()
    }
    # Without abbreviations, or `--model.round` would be taken for `--model.rounds`.
    return {"prog": "tevo", "exit_on_error": False, "allow_abbrev": False, **each}
