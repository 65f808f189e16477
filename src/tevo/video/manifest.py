"""What is kept of a scan: a journal that grows row by row and, once it is long, a Parquet table beside it.

A row is one file: ``version``, ``path``, ``size``, ``mtime_ns``, ``timeout_s``, and ``info`` (a readable video) or
``reason`` (any other). A small collection has the journal alone. Every process writes files of its own number and reads
those of all: ``manifest.jsonl`` and ``manifest.parquet`` are number 0's, ``manifest-3.jsonl`` is number 3's.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from tevo.errors import TevoError
from tevo.video.info import VideoInfo

Row = dict[str, Any]
VERSION = 1  # of the rows; rows of another version are probed again
FOLD_BYTES = 16_000_000  # assumed: some 20,000 rows; a journal of this size is read in about half a second
BATCH_ROWS = 2048  # assumed: with a hundred keyframes a row, some 10 MB at a time
STAMP = ("version", "path", "size", "mtime_ns", "timeout_s")


class Manifest:
    """The rows of a collection on disk.

    Args:
        path: the journal of number 0 (JSONL); the others' and the tables lie beside it.
        number: which files this process writes. Processes on several machines each need another: a network file
            system does not keep rows apart that two machines append at the same time.
    """

    def __init__(self, path: str | os.PathLike[str], number: int = 0) -> None:
        first = Path(path)
        self._family = re.compile(rf"{re.escape(first.stem)}(-\d+)?(\.parquet|{re.escape(first.suffix)})")
        self.journal = first if number == 0 else first.with_name(f"{first.stem}-{number}{first.suffix}")
        self.table = self.journal.with_suffix(".parquet")
        self._descriptor: int | None = None

    def rows(self, whole: bool = True) -> Iterator[Row]:
        """The rows of all processes, older ones of each process first; a path may be there again.

        Args:
            whole: with all that is known of a video; otherwise ``info`` may hold its ``duration_s`` alone.

        Raises:
            TevoError: a table that cannot be read.
        """
        folder = self.journal.parent
        found = [path for path in folder.iterdir() if self._family.fullmatch(path.name)] if folder.is_dir() else []
        for path in sorted(found, key=lambda path: (path.suffix != ".parquet", path.name)):
            yield from _read_table(path, whole) if path.suffix == ".parquet" else _read_journal(path)

    def append(self, row: Row) -> None:
        """Note a row. It is one write, so that processes of one machine may share a journal."""
        if self._descriptor is None:
            self._descriptor = _open_journal(self.journal)
        os.write(self._descriptor, (json.dumps(row) + "\n").encode())

    def close(self) -> None:
        """Close the journal; the next row opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def fold(self) -> bool:
        """Move the rows of a long journal into the table, a batch at a time; returns whether it did.

        A kill leaves rows in both or in the journal, never in neither. Without pyarrow nothing is moved.
        """
        if not self.journal.exists() or self.journal.stat().st_size < FOLD_BYTES or find_spec("pyarrow") is None:
            return False
        last = {row["path"]: number for number, row in enumerate(_read_journal(self.journal))}
        left = [row for row in _read_journal(self.journal) if not _is_utf8(row["path"])]  # Parquet's texts are UTF-8
        _write_table(self.table, lambda: self._merged(last))
        unfinished = self.journal.with_name(f".{self.journal.name}.{os.getpid()}")
        unfinished.write_text("".join(json.dumps(row) + "\n" for row in left))
        unfinished.replace(self.journal)
        return True

    def _merged(self, last: dict[str, int]) -> Iterator[Row]:
        """The table's rows that the journal does not replace, and the last of the journal's."""
        if self.table.exists():
            yield from (row for row in _read_table(self.table, whole=True) if row["path"] not in last)
        for number, row in enumerate(_read_journal(self.journal)):
            if last.get(row["path"]) == number and _is_utf8(row["path"]):
                yield row


def _read_journal(path: Path) -> Iterator[Row]:
    """Rows in order; lines that a kill cut short, and what is no row, are passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
                if row.keys() >= {*STAMP} and row.keys() & {"info", "reason"} and isinstance(row["path"], str):
                    yield row
            except (ValueError, AttributeError):
                continue


def _open_journal(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":  # a killed scan left half a row: let it end here
            os.write(descriptor, b"\n")
    return descriptor


def _read_table(path: Path, whole: bool) -> Iterator[Row]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise TevoError(
            f"what is known of these videos lies in {path}, which needs pyarrow: pip install 'tevo[parquet]' (or "
            "delete the file, and all of them are probed again)"
        ) from error
    known = _info_fields() if whole else ["duration_s"]
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=[*STAMP, "reason", *known]):
                columns = [column.to_pylist() for column in batch.columns]
                for version, name, size, mtime_ns, timeout_s, reason, *info in zip(*columns, strict=True):
                    row = dict(zip(STAMP, (version, name, size, mtime_ns, timeout_s), strict=True))
                    if reason is None:
                        yield row | {"info": {"path": name, **dict(zip(known, info, strict=True))}}
                    else:
                        yield row | {"reason": reason}
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are of these kinds
        raise TevoError(f"{path} cannot be read ({error}); delete it, and its videos are probed again") from error


def _write_table(path: Path, rows: Callable[[], Iterator[Row]]) -> None:
    """Whole or not at all."""
    import pyarrow
    from pyarrow import parquet

    kinds: dict[Any, Any] = {float: pyarrow.float64(), int: pyarrow.int64(), str: pyarrow.string()}
    known = {f.name: kinds.get(f.type, pyarrow.list_(pyarrow.float64())) for f in fields(VideoInfo) if f.name != "path"}
    stamp = dict(zip(STAMP, (kinds[int], kinds[str], kinds[int], kinds[int], kinds[float]), strict=True))
    schema = pyarrow.schema([*stamp.items(), ("reason", kinds[str]), *known.items()])
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            source = rows()
            while batch := list(islice(source, BATCH_ROWS)):
                flat = [{**row, **row.get("info", {})} for row in batch]
                writer.write_table(pyarrow.Table.from_pylist(flat, schema=schema))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _info_fields() -> list[str]:
    return [field.name for field in fields(VideoInfo) if field.name != "path"]


def _is_utf8(path: str) -> bool:
    """False for names with bytes that no text stands for."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
