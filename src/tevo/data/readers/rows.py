"""The rows of annotation files: JSON, JSON lines, CSV, TSV, Parquet. What is damaged is named, never dropped."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tevo.errors import TevoError
from tevo.strict_json import parse_json

SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True)
class Row:
    """One annotated question as its file has it.

    Attributes:
        where: place in the file: "line 7", "row 3", "video v_1, moment 2".
        values: what stands in each column.
        problem: why it cannot be read; empty when it can.
    """

    where: str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def row_of(where: str, item: object, shared: Mapping[str, Any] | None = None) -> Row:
    """A row out of what should be an object; anything else is a row that cannot be read.

    Args:
        where: its place.
        item: the object.
        shared: further columns, of what the row is part of.
    """
    if isinstance(item, dict):
        return Row(where, {**(shared or {}), **item})
    return Row(where, problem=f"a JSON {type(item).__name__}, wanted an object {{...}}")


Unfold = Callable[[Mapping[str, Any]], Iterable[Row]]


def read_table(file: Path) -> Iterator[Row]:
    """The rows of a file that is a table: a list of objects, one object a line, or columns under a header.

    Raises:
        TevoError: for a file that is no table, or damaged in a way that leaves no single row to blame.
    """
    suffix = file.suffix.lower()
    if suffix == ".jsonl":
        yield from _json_lines(file)
    elif suffix == ".json":
        yield from _objects(file, read_document(file))
    elif suffix in (".csv", ".tsv"):
        yield from _columns(file, "," if suffix == ".csv" else "\t")
    elif suffix == ".parquet":
        yield from _parquet(file)
    else:
        raise TevoError(f"{file} is none of {', '.join(SUFFIXES)}: give the annotation file as it was published")


def read_nested(file: Path, unfold: Unfold) -> Iterator[Row]:
    """The rows of a JSON object that holds them nested; any other file is read as a table.

    Args:
        file: the file.
        unfold: takes the object apart.

    Raises:
        TevoError: as :func:`read_table`.
    """
    content = read_document(file) if file.suffix.lower() == ".json" else None
    if isinstance(content, dict):
        yield from unfold(content)
    elif content is not None:
        yield from _objects(file, content)
    else:
        yield from read_table(file)


def read_document(file: Path) -> object:
    """A whole JSON file.

    Raises:
        TevoError: when it cannot be read, is cut off or not JSON, or has one key twice (one of the two would be lost).
    """
    try:
        return parse_json(read_text(file))
    except ValueError as error:
        raise TevoError(f"{file} is not complete JSON ({error}): fetch it again, or mend it there") from error


def read_text(file: Path) -> str:
    """The text of a file, with or without a byte order mark.

    Raises:
        TevoError: when it cannot be opened or is not UTF-8.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TevoError(f"{file} cannot be read as text ({error}): give a file in UTF-8") from error


def _objects(file: Path, content: object) -> Iterator[Row]:
    if not isinstance(content, list):
        raise TevoError(f"{file} holds a JSON {type(content).__name__}, wanted a list of rows: [{{...}}, {{...}}]")
    for number, item in enumerate(content, start=1):
        yield row_of(f"row {number}", item)


def _json_lines(file: Path) -> Iterator[Row]:
    text = read_text(file).replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), start=1):  # a JSON text may hold other line ends
        if not line.strip():
            continue
        try:
            item = parse_json(line)
        except ValueError as error:
            yield Row(f"line {number}", problem=f"not JSON ({error}), it begins {line.strip()[:60]!r}")
        else:
            yield row_of(f"line {number}", item)


def _columns(file: Path, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(read_text(file), newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise TevoError(f"{file}: two columns have one name in its header {header}; rename one of them")
        for cells in reader:
            if len(cells) == len(header):
                yield Row(f"line {reader.line_num}", dict(zip(header, cells, strict=True)))
            elif cells:
                yield Row(f"line {reader.line_num}", problem=f"{len(cells)} cells under {len(header)} columns")
    except csv.Error as error:
        raise TevoError(f"{file}, line {reader.line_num}: not CSV ({error}); mend it or fetch it again") from error


def _parquet(file: Path) -> Iterator[Row]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise TevoError(
            f"{file} is Parquet, which needs pyarrow: `pip install pyarrow`, or give the same rows as JSON lines"
        ) from error
    try:
        items = parquet.read_table(file).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise TevoError(f"{file} cannot be read as Parquet ({error}): fetch it again") from error
    for number, item in enumerate(items, start=1):
        yield row_of(f"row {number}", item)
