"""Every video of a collection, probed once, with the bad ones named; resumable and incremental."""

import glob
import json
import os
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from tevo.errors import TevoError
from tevo.video.info import VideoInfo
from tevo.video.prober import Prober

SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .f4v .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv".split()
    + ".ts .vob .webm .wmv".split()
)
LIST_SUFFIXES = frozenset((".txt", ".lst", ".list"))
ROW_KEYS = {"version", "path", "size", "mtime_ns", "timeout_s"}
VERSION = 1  # of the manifest's rows; rows of another version are probed again


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


def build_index(
    root: str | os.PathLike[str],
    manifest_path: str | os.PathLike[str] | None = None,
    timeout_s: float = 60.0,
    workers: int = 0,
    progress: bool = True,
) -> Index:
    """Probe every video under a root, each in a process that is killed when it hangs.

    With a manifest, files whose path, size and modification time are known are not opened again, and a scan
    that was killed goes on where it was. ``bad_videos.jsonl`` is written beside the manifest.

    Args:
        root: a folder (searched through and through), a glob, a text file with one path a line (relative to
            itself, ``#`` comments), or one video.
        manifest_path: JSONL, created or extended; None keeps nothing.
        timeout_s: seconds for one file; longer ones are bad with the reason "timeout".
        workers: processes; 0 means one a core.
        progress: show a bar on a terminal.

    Raises:
        TevoError: a root that does not exist or holds no video.
    """
    if not timeout_s > 0:
        raise TevoError(f"timeout_s is the time allowed for one file in seconds and must be above 0, got {timeout_s}")
    paths = find_videos(root)
    known = _read_manifest(manifest_path) if manifest_path is not None else {}
    stamps = {path: _stamp(path) for path in paths}
    rows = {path: known[path] for path in paths if _is_fresh(known.get(path), stamps[path], timeout_s)}
    todo = [path for path in paths if path not in rows]
    manifest = _open_manifest(manifest_path) if manifest_path is not None and todo else None
    try:
        for path, answer in _bar(_probe_all(todo, timeout_s, workers), len(todo), progress):
            rows[path] = {"version": VERSION, "path": path, **stamps[path], "timeout_s": timeout_s, **answer}
            if manifest is not None:
                os.write(manifest, (json.dumps(rows[path]) + "\n").encode())
    finally:
        if manifest is not None:
            os.close(manifest)
    index = Index(
        [VideoInfo.from_row(rows[path]["info"]) for path in paths if "info" in rows[path]],  # type: ignore[arg-type]
        [BadVideo(path, str(rows[path]["reason"])) for path in paths if "info" not in rows[path]],
    )
    if manifest_path is not None:
        _write_bad(Path(manifest_path).parent / "bad_videos.jsonl", index.bad)
    return index


def find_videos(root: str | os.PathLike[str]) -> list[str]:
    """Absolute paths of the videos a root stands for, sorted, each once; hidden files are left out.

    Raises:
        TevoError: when there is nothing there.
    """
    text = os.fspath(root)
    if os.path.isdir(text):
        found = [path for path in _walk(text) if Path(path).suffix.lower() in SUFFIXES]
        if not found:
            raise TevoError(
                f"the folder {text!r} holds no video; looked in all its folders for files ending in "
                f"{' '.join(sorted(SUFFIXES))}. Give another folder, or a text file that names the videos"
            )
    elif os.path.exists(text):
        found = _read_list(Path(text)) if Path(text).suffix.lower() in LIST_SUFFIXES else [text]
    else:
        found = [path for path in glob.glob(text, recursive=True) if not os.path.isdir(path)]
        if not found:
            raise TevoError(
                f"no video at {text!r}: there is no such file or folder, and nothing matches it as a pattern. "
                "Give a folder, a pattern like 'clips/**/*.mp4', a .txt file with one path a line, or one video"
            )
    return sorted({os.path.abspath(path) for path in found})


def _walk(folder: str) -> Iterator[str]:
    seen: set[str] = set()  # real folders: links may form a circle
    for here, folders, files in os.walk(folder, followlinks=True):
        if os.path.realpath(here) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(here))
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


def _stamp(path: str) -> dict[str, int]:
    try:
        status = os.stat(path)
    except OSError:
        return {"size": -1, "mtime_ns": -1}
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _is_fresh(row: dict[str, object] | None, stamp: dict[str, int], timeout_s: float) -> bool:
    """Whether a row of the manifest still tells of the file as it is, so that it need not be opened again."""
    if row is None or row["version"] != VERSION or any(row[key] != value for key, value in stamp.items()):
        return False
    reason = str(row.get("reason", ""))
    if reason == "timeout":
        return float(str(row["timeout_s"])) >= timeout_s
    # Permissions, a full machine or a lost disk may have been mended without a change of the file.
    return not reason.startswith(("not readable", "file not found", "decoder crashed", "probe failed", "read error"))


def _read_manifest(path: str | os.PathLike[str]) -> dict[str, dict[str, object]]:
    """Rows by path, the last one counts; lines that a kill cut short are passed over."""
    rows: dict[str, dict[str, object]] = {}
    if not os.path.exists(path):
        return rows
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
                if {"version", "path", "size", "mtime_ns", "timeout_s"} <= row.keys() and {
                    "info",
                    "reason",
                } & row.keys():
                    rows[row["path"]] = row
            except (ValueError, AttributeError):
                continue
    return rows


def _open_manifest(path: str | os.PathLike[str]) -> int:
    """Open for appending; every row is one write, so that several processes may share the file."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":  # a killed scan left half a row: let it end here
            os.write(descriptor, b"\n")
    return descriptor


def _write_bad(path: Path, bad: Sequence[BadVideo]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text("".join(json.dumps(asdict(row)) + "\n" for row in bad), encoding="utf-8")
    os.replace(temporary, path)


def _probe_all(paths: list[str], timeout_s: float, workers: int) -> Iterator[tuple[str, dict[str, object]]]:
    """(path, answer) as they come; a thread a process, all of them gone at the end, come what may."""
    if not paths:
        return
    count = min(len(paths), workers if workers > 0 else os.cpu_count() or 1)
    probers = [Prober(timeout_s) for _ in range(count)]
    free: queue.SimpleQueue[Prober] = queue.SimpleQueue()
    for prober in probers:
        free.put(prober)

    def probe_one(path: str) -> dict[str, object]:
        prober = free.get()
        try:
            return prober.ask(path)
        finally:
            free.put(prober)

    pool = ThreadPoolExecutor(count, thread_name_prefix="probe")
    try:
        futures: dict[Future[dict[str, object]], str] = {pool.submit(probe_one, path): path for path in paths}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for prober in probers:  # the killed processes let go of the threads that wait for them
            prober.close()
        pool.shutdown(wait=True)


def _bar(
    items: Iterator[tuple[str, dict[str, object]]], total: int, progress: bool
) -> Iterator[tuple[str, dict[str, object]]]:
    if not progress or not total:
        return items
    from tqdm import tqdm

    return iter(tqdm(items, total=total, desc="probing", unit="video", disable=None))
