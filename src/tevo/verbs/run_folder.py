"""The folder of a run, before the run: earlier results are kept, strange checkpoints are refused."""

import sys
from pathlib import Path
from pickle import UnpicklingError

from tevo.errors import TevoError

CHECKPOINT_WORDS = ("last", "best")


def move_aside(folder: Path) -> Path | None:
    """Rename a folder that holds a run to the first free ``NAME.earlier-N``.

    Returns:
        The new name, or None when there was no run in it.

    Raises:
        TevoError: when the run would have to move the folder that the user is in.
    """
    folder = folder.absolute()
    if not ((folder / "config.yaml").is_file() and (folder / "logs").is_dir()):
        return None
    if Path.cwd().is_relative_to(folder):
        raise TevoError(
            f"{folder} holds an earlier run, and it is the current folder, so it cannot be moved aside. "
            "Resume that run with --ckpt_path last, or name another folder with --trainer.default_root_dir."
        )
    number = 1
    while (target := folder.with_name(f"{folder.name}.earlier-{number}")).exists():
        number += 1
    folder.rename(target)
    print(f"tevo: {folder} held an earlier run; it is now {target}", file=sys.stderr)
    return target


def find_checkpoint(word: str, folder: Path) -> Path | None:
    """The newest checkpoint of a run by its word, ``last`` or ``best``; None when there is none yet.

    Lightning itself would look through the Trainer's callbacks before it knows those of the model.
    """
    found = (folder / "checkpoints").glob(f"{word}*.ckpt")
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def foreign_checkpoint(name: str) -> TevoError:
    """The refusal of a checkpoint that only a full unpickling could open."""
    return TevoError(
        f"{name} holds more than tensors and plain values, so tevo did not write it, and opening it could run "
        "code. Give a file from the checkpoints/ folder of a tevo run, or start without --ckpt_path."
    )


def check_checkpoint(path: str | None) -> None:
    """Refuse a checkpoint file before anything is built on it.

    Raises:
        TevoError: when it is missing, damaged, not a training checkpoint, or needs unpickling.
    """
    if path is None or path in CHECKPOINT_WORDS:
        return
    wanted = "Give a file from the checkpoints/ folder of a tevo run, or `last`, or `best`"
    if not Path(path).exists():
        raise TevoError(f"there is no checkpoint at {Path(path).absolute()}. {wanted}.")
    if Path(path).is_dir():  # a sharded checkpoint: its own strategy reads it
        return
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UnpicklingError as error:
        raise foreign_checkpoint(path) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise TevoError(f"{path} cannot be read as a checkpoint: it is damaged or something else. {wanted}.") from error
    if not isinstance(content, dict) or "state_dict" not in content or "loops" not in content:
        raise TevoError(f"{path} holds no state of a training run (weights alone?). {wanted}.")
