"""Every video of a collection, probed once, with the bad ones named; resumable and incremental."""

import json
import math
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, TypeVar
from zlib import crc32

from tevo.errors import TevoError
from tevo.video.info import VideoInfo
from tevo.video.listing import Stamps, find_videos
from tevo.video.manifest import VERSION, Manifest, Row
from tevo.video.prober import Prober

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BadVideo:
    """A file that cannot be used, and why: short, stable words, fit for counting."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """What a collection holds, both sorted by path."""

    videos: list[VideoInfo]
    bad: list[BadVideo]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a collection holds, in figures."""

    num_videos: int
    duration_s: float  # of all of them together
    bad: list[BadVideo]  # sorted by path
    num_left: int  # files that nobody has probed yet: the other processes' shares


def build_index(
    root: str | os.PathLike[str],
    manifest_path: str | os.PathLike[str] | None = None,
    timeout_s: float = 60.0,
    workers: int = 0,
    progress: bool = True,
    number: int = 0,
) -> Index:
    """Probe every video under a root, each in a process that is killed when it hangs.

    With a manifest, files whose path, size and modification time are known are not opened again, and a scan
    that was killed goes on where it was. ``bad_videos.jsonl`` is written beside the manifest by number 0.

    Args:
        root: a folder (searched through and through), a glob, a text file with one path a line (relative to
            itself, ``#`` comments), or one video.
        manifest_path: JSONL, created or extended; a long one moves into a Parquet table beside it. None keeps nothing.
        timeout_s: seconds for one file; longer ones are bad with the reason "timeout".
        workers: processes; 0 means one a core.
        progress: show a bar on a terminal.
        number: which of the manifest's files this process writes, see :class:`tevo.video.manifest.Manifest`.

    Raises:
        TevoError: a root that does not exist or holds no video.
    """
    scan = _Scan(root, manifest_path, timeout_s, number, VideoInfo.from_row, whole=True)
    scan.probe(range(len(scan.paths)), workers, progress)
    bad = scan.bad
    if manifest_path is not None and number == 0:
        _write_bad(Path(manifest_path).parent / "bad_videos.jsonl", bad)
    return Index([entry for entry in scan.entries if isinstance(entry, VideoInfo)], bad)


def update_index(
    root: str | os.PathLike[str],
    manifest_path: str | os.PathLike[str],
    timeout_s: float = 60.0,
    workers: int = 0,
    progress: bool = True,
    rank: int = 0,
    world_size: int = 1,
) -> Summary:
    """As :func:`build_index`, for a collection of any size: the result is on disk, figures alone come back.

    Args:
        root: as there.
        manifest_path: as there.
        timeout_s: as there.
        workers: as there.
        progress: as there.
        rank: this process's number among ``world_size``. It probes the files whose path falls to it, and writes rows
            of its own number; nothing waits for the others.
        world_size: processes that share the work, on one machine or on several that see the same disk.

    Raises:
        TevoError: a root that does not exist or holds no video; a rank outside 0..world_size-1.
    """
    if not 0 <= rank < world_size:
        raise TevoError(f"the rank counts the processes from 0 and must lie below world_size={world_size}, got {rank}")
    scan = _Scan(root, manifest_path, timeout_s, rank, lambda info: float(info["duration_s"]), whole=False)
    mine = (n for n, path in enumerate(scan.paths) if crc32(os.fsencode(path)) % world_size == rank)
    scan.probe(mine, workers, progress)
    durations = [entry for entry in scan.entries if isinstance(entry, float)]
    if world_size == 1:
        _write_bad(Path(manifest_path).parent / "bad_videos.jsonl", scan.bad)
    return Summary(len(durations), math.fsum(durations), scan.bad, scan.entries.count(None))


class _Scan(Generic[T]):
    """The files of a root, and what is known of each.

    Args:
        root: what to look through.
        manifest_path: what an earlier scan found; None for nothing.
        timeout_s: seconds for one file.
        number: of the manifest's files that are written.
        keep: what is held of a readable video in memory.
        whole: whether ``keep`` needs more of it than its duration.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        manifest_path: str | os.PathLike[str] | None,
        timeout_s: float,
        number: int,
        keep: Callable[[Row], T],
        whole: bool,
    ) -> None:
        if not timeout_s > 0:
            raise TevoError(
                f"timeout_s is the time allowed for one file in seconds and must be above 0, got {timeout_s}"
            )
        self.paths = find_videos(root)
        self.entries: list[T | BadVideo | None] = [None] * len(self.paths)  # None: not known
        self._stamps, self._timeout_s, self._keep = Stamps(self.paths), timeout_s, keep
        self._manifest = None if manifest_path is None else Manifest(manifest_path, number)
        if self._manifest is not None:
            self._recall(self._manifest.rows(whole))

    @property
    def bad(self) -> list[BadVideo]:
        """The unusable ones."""
        return [entry for entry in self.entries if isinstance(entry, BadVideo)]

    def probe(self, positions: Iterable[int], workers: int, progress: bool) -> None:
        """Probe those of some files that are not known, and note what comes of it."""
        todo = [position for position in positions if self.entries[position] is None]
        answers = _probe_all([self.paths[position] for position in todo], self._timeout_s, workers)
        try:
            for number, answer in _bar(answers, len(todo), progress):
                path, (size, mtime_ns) = self.paths[todo[number]], self._stamps[todo[number]]
                stamp = {"version": VERSION, "path": path, "size": size, "mtime_ns": mtime_ns}
                row = {**stamp, "timeout_s": self._timeout_s, **answer}
                self.entries[todo[number]] = self._entry(row)
                if self._manifest is not None:
                    self._manifest.append(row)
        finally:
            if self._manifest is not None:
                self._manifest.close()
        if self._manifest is not None:
            self._manifest.fold()

    def _recall(self, rows: Iterable[Row]) -> None:
        """Take what is known of the files as they are; rows of other states of a file, or of no file, do not count."""
        for row in rows:
            position = bisect_left(self.paths, row["path"])
            if position < len(self.paths) and self.paths[position] == row["path"]:
                if _is_fresh(row, self._stamps[position], self._timeout_s):
                    self.entries[position] = self._entry(row)

    def _entry(self, row: Row) -> T | BadVideo:
        return self._keep(row["info"]) if "info" in row else BadVideo(row["path"], str(row["reason"]))


def _is_fresh(row: Row, stamp: tuple[int, int], timeout_s: float) -> bool:
    """Whether a row of the manifest still tells of the file as it is, so that it need not be opened again."""
    if row["version"] != VERSION or (row["size"], row["mtime_ns"]) != stamp:
        return False
    reason = str(row.get("reason", ""))
    if reason == "timeout":
        return float(row["timeout_s"]) >= timeout_s
    # Permissions, a full machine or a lost disk may have been mended without a change of the file.
    return not reason.startswith(("not readable", "file not found", "decoder crashed", "probe failed", "read error"))


def _write_bad(path: Path, bad: Sequence[BadVideo]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text("".join(json.dumps(asdict(row)) + "\n" for row in bad), encoding="utf-8")
    os.replace(temporary, path)


def _probe_all(paths: Sequence[str], timeout_s: float, workers: int) -> Iterator[tuple[int, Row]]:
    """(number of the path, answer) as they come; a thread a process, all of them gone at the end, come what may."""
    if not paths:
        return
    count = min(len(paths), workers if workers > 0 else os.cpu_count() or 1)
    probers = [Prober(timeout_s) for _ in range(count)]
    free: SimpleQueue[Prober] = SimpleQueue()
    for prober in probers:
        free.put(prober)

    def probe_one(path: str) -> Row:
        prober = free.get()
        try:
            return prober.ask(path)
        finally:
            free.put(prober)

    pool = ThreadPoolExecutor(count, thread_name_prefix="probe")
    waiting: dict[Future[Row], int] = {}
    try:
        left = iter(enumerate(paths))
        while True:
            for number, path in islice(left, 4 * count - len(waiting)):  # not all at once: a task takes a kilobyte
                waiting[pool.submit(probe_one, path)] = number
            if not waiting:
                break
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for prober in probers:  # the killed processes let go of the threads that wait for them
            prober.close()
        pool.shutdown(wait=True)


def _bar(items: Iterator[tuple[int, Row]], total: int, progress: bool) -> Iterator[tuple[int, Row]]:
    if not progress or not total:
        return items
    from tqdm import tqdm

    return iter(tqdm(items, total=total, desc="probing", unit="video", disable=None))
