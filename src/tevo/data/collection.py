"""Which videos there are: found, probed, named; the unusable ones listed with their reasons."""

import hashlib
import json
import os
from collections.abc import Collection as AnyCollection
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tevo.errors import TevoError
from tevo.video.index import BadVideo, Index, build_index
from tevo.video.info import VideoInfo


@dataclass(frozen=True, slots=True)
class Collection:
    """Usable videos by name, and the others."""

    videos: dict[str, VideoInfo]
    bad: list[BadVideo]


@dataclass(frozen=True, slots=True)
class Probing:
    """How files are probed, and where the result is kept.

    Args:
        cache_dir: folder; the manifests lie in its ``index`` folder.
        timeout_s: seconds for one file.
        workers: processes; 0 for one a core.
        progress: show a bar on a terminal.
        number: which of a manifest's files this process writes; its rank, where several run.
    """

    cache_dir: Path
    timeout_s: float
    workers: int
    progress: bool
    number: int = 0

    def root(self, root: str) -> Collection:
        """The videos of a folder, pattern, list or file, by their path inside it.

        Raises:
            TevoError: when there is nothing.
        """
        folder = videos_folder(root)
        found = self._probe(root, manifest_of(root, self.cache_dir))
        return Collection({video_name(info.path, folder): info for info in found.videos}, found.bad)

    def paths(self, paths: Sequence[str]) -> Collection:
        """These videos and no others, by the path they were given with."""
        names = {os.path.abspath(path): path for path in paths}
        manifest = _manifest("\n".join(sorted(names)), self.cache_dir)
        listing = manifest.with_name("paths.txt")
        if not listing.exists():  # its folder is named after what is in it
            manifest.parent.mkdir(parents=True, exist_ok=True)
            _replace(listing, "".join(f"{path}\n" for path in sorted(names)))
        found = self._probe(listing, manifest)
        return Collection({names[info.path]: info for info in found.videos}, found.bad)

    def _probe(self, root: str | Path, manifest: Path) -> Index:
        return build_index(root, manifest, self.timeout_s, self.workers, self.progress, self.number)


def manifest_of(root: str | os.PathLike[str], cache_dir: Path) -> Path:
    """Where the index of a folder, pattern, list or file is kept."""
    return _manifest(os.path.abspath(root), cache_dir)


def _manifest(what: str, cache_dir: Path) -> Path:
    return cache_dir / "index" / hashlib.sha256(what.encode()).hexdigest()[:16] / "manifest.jsonl"


def keep_usable(found: Collection, min_duration_s: float, never: AnyCollection[str]) -> Collection:
    """Without the videos that are too short to hold an event and something besides, and those held back.

    Args:
        found: what the index says.
        min_duration_s: seconds; shorter videos are listed as bad.
        never: absolute paths of videos that are not to be trained on; they are left out, and not bad.
    """
    short = {name for name, info in found.videos.items() if info.duration_s < min_duration_s}
    bad = [BadVideo(found.videos[name].path, f"shorter than {min_duration_s:g} s") for name in sorted(short)]
    kept = {name: info for name, info in found.videos.items() if name not in short and info.path not in never}
    return Collection(kept, [*found.bad, *bad])


def check_enough(found: Collection, minimum: int, root: str, num_held_back: int = 0) -> None:
    """Refuse a collection that is too small, naming the minimum and what is wrong with the rest.

    Args:
        found: what is usable and what is not.
        minimum: number of usable videos.
        root: where they were looked for.
        num_held_back: usable ones that belong to the evaluation.

    Raises:
        TevoError: fewer usable videos than ``minimum``.
    """
    if len(found.videos) >= minimum:
        return
    listed = "; ".join(f"{Path(bad.path).name}: {bad.reason}" for bad in found.bad[:10])
    more = f"; and {len(found.bad) - 10} more" if len(found.bad) > 10 else ""
    unusable = f" Not usable: {listed}{more}." if found.bad else ""
    held_back = f" {num_held_back} more belong to the evaluation and are never trained on." if num_held_back else ""
    raise TevoError(
        f"{root} holds {len(found.videos)} usable videos, at least {minimum} are needed (--data.min_videos)."
        f"{held_back}{unusable} Give a folder with more videos that can be read"
    )


def write_bad_videos(path: Path, bad: Sequence[BadVideo]) -> None:
    """Write ``bad_videos.jsonl``: path and reason, a line each; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in bad))


def default_cache_dir() -> Path:
    """``$XDG_CACHE_HOME/tevo``, which is ``~/.cache/tevo`` on most machines."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tevo"


def videos_folder(root: str | os.PathLike[str]) -> Path:
    """The folder that names of videos are relative to: the root itself, or where a list, pattern or file lies."""
    path = Path(os.path.abspath(root))
    if path.is_dir():
        return path
    parts = path.parts
    wild = next((number for number, part in enumerate(parts) if set(part) & set("*?[")), len(parts) - 1)
    return Path(*parts[: len(parts) - 1 if path.exists() else wild])


def video_name(path: str, folder: Path) -> str:
    """What a video is called in every file that tevo writes: its path inside the folder, else its whole path."""
    try:
        return Path(path).relative_to(folder).as_posix()
    except ValueError:
        return Path(path).as_posix()


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
