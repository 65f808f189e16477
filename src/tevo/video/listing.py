"""Which files a root stands for, and what the file system says of them; nothing is opened."""

import glob
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from tevo.errors import TevoError

SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .f4v .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv".split()
    + ".ts .vob .webm .wmv".split()
)
LIST_SUFFIXES = frozenset((".txt", ".lst", ".list"))


def find_videos(root: str | os.PathLike[str]) -> list[str]:
    """Absolute paths of the videos a root stands for, sorted, each once; hidden files are left out.

    Raises:
        TevoError: when there is nothing there.
    """
    text = os.fspath(root)
    if os.path.isdir(text):
        found = [path for path in _walk(os.path.abspath(text)) if os.path.splitext(path)[1].lower() in SUFFIXES]
        if not found:
            raise TevoError(
                f"the folder {text!r} holds no video; looked in all its folders for files ending in "
                f"{' '.join(sorted(SUFFIXES))}. Give another folder, or a text file that names the videos"
            )
        found.sort()
        return found
    if os.path.exists(text):
        found = _read_list(Path(text)) if Path(text).suffix.lower() in LIST_SUFFIXES else [text]
    else:
        found = [path for path in glob.glob(text, recursive=True) if not os.path.isdir(path)]
        if not found:
            raise TevoError(
                f"no video at {text!r}: there is no such file or folder, and nothing matches it as a pattern. "
                "Give a folder, a pattern like 'clips/**/*.mp4', a .txt file with one path a line, or one video"
            )
    return sorted({os.path.abspath(path) for path in found})


class Stamps:
    """Size and time of last change of each file, -1 where there is none; 16 bytes a file.

    Args:
        paths: of the files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._sizes, self._times = array("q"), array("q")
        for path in paths:
            try:
                status = os.stat(path)
            except OSError:
                size, mtime_ns = -1, -1
            else:
                size, mtime_ns = status.st_size, status.st_mtime_ns
            self._sizes.append(size)
            self._times.append(mtime_ns)

    def __getitem__(self, position: int) -> tuple[int, int]:
        """(bytes, nanoseconds) of the file at a position."""
        return self._sizes[position], self._times[position]


def _walk(folder: str) -> Iterator[str]:
    seen: set[str] = set()  # real folders: links may form a circle
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(here, name) for name in files if not name.startswith("."))


def _read_list(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise TevoError(f"{str(path)!r} should be a text file with one path a line, but it is not UTF-8") from error
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise TevoError(f"the list {str(path)!r} names no video; it wants one path a line")
    return [os.path.join(path.parent, name) for name in names]
