"""Where a benchmark's videos lie: a name from a file becomes a path inside one folder, or is refused."""

import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tevo.data.readers.annotations import SUFFIXES
from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.values import as_text, repeat

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")  # https://..., file:..., C:\...
_ENDINGS = (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))


def safe_name(value: object) -> str:
    """A video's name as a path inside a folder, with ``/`` and without ``./``.

    Raises:
        RowProblem: for a name that is no text, leads out of the folder, is absolute, or an address.
    """
    name = as_text(value, "the video's name").strip()
    parts = re.split(r"[/\\]", name)
    if parts[0] == "" or ".." in parts or "\0" in name or _ADDRESS.match(name):
        raise RowProblem(Reason.ESCAPES, f"{repeat(name)}, wanted a path inside the videos' folder; nothing is opened")
    return posixpath.normpath(name)


@dataclass
class VideoFolder:
    """Finds videos by name. Without a root nothing is looked for.

    Args:
        root: the videos' folder, or None.
        folders: where they lie inside it, besides the folder itself.
    """

    root: Path | None
    folders: tuple[str, ...]
    _found: dict[tuple[str, bool], str | None] = field(default_factory=dict)

    def find(self, names: Sequence[str], may_be_folder: bool = False) -> str | None:
        """The path of the first name that is there; the first name itself without a root.

        Args:
            names: safe names, best first; one without an ending is also tried with those of videos.
            may_be_folder: whether a folder of pictures will do.
        """
        if self.root is None:
            return names[0]
        for name in names:
            key = (name, may_be_folder)
            if key not in self._found:
                self._found[key] = self._look(self.root, name, may_be_folder)
            if (path := self._found[key]) is not None:
                return path
        return None

    def _look(self, root: Path, name: str, may_be_folder: bool) -> str | None:
        endings = ("",) if name.endswith(_ENDINGS) else ("", *_ENDINGS)
        for folder in ("", *self.folders):
            for ending in endings:
                path = os.path.join(root, folder, name + ending)
                if os.path.isfile(path) or (may_be_folder and os.path.isdir(path)):
                    return path
        return None
