"""What ``tevo plan`` and ``tevo check-reward`` look at: a fit that is built, and does not run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tevo.data.datamodule import VideoQuestions
from tevo.tasks.coevolution import CoEvolution
from tevo.verbs.table import REHEARSAL_VERBS
from tevo.verbs.trainer import TevoCLI, build, parser_settings
from tevo.video.info import VideoInfo


class Rehearsal(TevoCLI):
    """Builds what a fit would be, and does not run it."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing: the model, the videos and the Trainer are there to be looked at."""

    @property
    def evolution(self) -> CoEvolution:
        """The model."""
        model: Any = self.model
        assert isinstance(model, CoEvolution)
        return model

    @property
    def videos(self) -> VideoQuestions:
        """The DataModule."""
        data: Any = self.datamodule
        assert isinstance(data, VideoQuestions)
        return data


def rehearse(words: list[str], folder: Path) -> Rehearsal:
    """What ``tevo fit`` with these options would be, on one device and with its run's folder elsewhere."""
    quiet = {"default_root_dir": folder / "run", "enable_progress_bar": "false", "devices": 1}
    added = [part for name, value in quiet.items() for part in (f"--trainer.{name}", str(value))]
    settings = parser_settings({"fit": (words[0], REHEARSAL_VERBS[words[0]])})
    cli = build(["fit", *words[1:], *added], Rehearsal, settings)
    assert isinstance(cli, Rehearsal)
    return cli


def write_list(folder: Path, videos: Mapping[str, VideoInfo]) -> Path:
    """A text file that names some videos, as ``--data.root`` takes it."""
    path = folder / "sample.txt"
    path.write_text("".join(f"{info.path}\n" for info in videos.values()), encoding="utf-8")
    return path
