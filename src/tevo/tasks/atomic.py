"""Folders and files that are there whole or not at all, whenever their writer is killed."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files in the place of an earlier one of that name; one writer at a time.

    Args:
        folder: where; folders above it are made.
        files: content by name.
    """
    with in_place_of(folder) as unfinished:
        for name, content in files.items():
            (unfinished / name).write_bytes(content)


def settle(finished: Path, target: Path, keep: bool = False) -> None:
    """Put a finished file in the place of an earlier one, in one step, so that it outlasts a power cut.

    Args:
        finished: a file that is written to its end, on the same disk.
        target: its place from now on.
        keep: leave ``finished`` where it is too (the two are one file on disk where the system allows it).
    """
    with finished.open("rb") as file:
        os.fsync(file.fileno())
    if keep:
        other = target.with_name(f".{target.name}.unfinished")
        other.unlink(missing_ok=True)
        try:
            os.link(finished, other)
        except OSError:  # no hard links there
            shutil.copyfile(finished, other)
        finished = other
    finished.replace(target)
    finished.unlink(missing_ok=True)  # where both were one file already, replacing does nothing
    _sync(target.parent)


@contextmanager
def in_place_of(folder: Path) -> Iterator[Path]:
    """A hidden folder beside ``folder`` that takes its place once all in it is on disk; folders above it are made.

    A kill leaves the earlier folder, or the new one, or (between two renames) none; never a part of one.
    """
    unfinished, earlier = folder.with_name(f".{folder.name}.unfinished"), folder.with_name(f".{folder.name}.earlier")
    for left in (unfinished, earlier):  # by a writer that was killed
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        for path in sorted(unfinished.iterdir()):
            with path.open("r+b") as file:
                os.fsync(file.fileno())
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _sync(unfinished)
    if folder.exists():
        folder.rename(earlier)
    unfinished.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(earlier, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, where the system lets folders be opened (Windows does not)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
