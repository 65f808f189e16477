"""A benchmark as a declaration: which columns hold the question, the options, the answer, the spans."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tevo.data.readers.rows import Row, read_table

NUMBER = "<number>"  # the row's number in its file, from 0: a column that every row has
FILE = "<file>"  # the file's name without its ending: likewise
FOLDER = "<folder>"  # the name of the folder that the file lies in: likewise


@dataclass(frozen=True, slots=True)
class Column:
    """Where one part of a question stands, when that is not simply one column.

    Attributes:
        names: the columns.
        make: makes the part from their values, one argument a column.
        choice: whether the first of them that is there will do; otherwise all must be.
        optional: whether a row may do without; ``make`` is then not called and the part is None.
        also: further columns whose values follow, None where a row has not got them.
    """

    names: tuple[str, ...]
    make: Callable[..., Any]
    choice: bool = False
    optional: bool = False
    also: tuple[str, ...] = ()

    def is_in(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has what is needed."""
        test = any if self.choice else all
        return test(name in row for name in self.names)

    def read(self, row: Mapping[str, Any]) -> object:
        """The part, made from the row; None when it is not there."""
        if not self.is_in(row):
            return None
        present = [row[name] for name in self.names if name in row]
        return self.make(*(present[:1] if self.choice else present), *(row.get(name) for name in self.also))


Part = str | Column


def as_column(part: Part) -> Column:
    """A column's name is short for that column as it is."""
    return part if isinstance(part, Column) else Column((part,), _same)


def maybe(name: str, *others: str) -> Column:
    """A column that need not be there; the first of several names that is."""
    return Column((name, *others), _same, choice=True, optional=True)


def joined(*names: str) -> Column:
    """Several columns as one text: ``video_id`` and ``qid`` as ``2574374895_8``."""

    def join(*values: object) -> str:
        if None in values:
            raise ValueError("an id with a part that is missing")
        return "_".join(str(value) for value in values)

    return Column(names, join)


def gathered(*names: str) -> Column:
    """Several columns as a list: ``a0`` to ``a4``."""
    return Column(names, lambda *values: list(values))


@dataclass(frozen=True)
class Layout:
    """One way in which a benchmark's rows are written. It is known by its columns.

    Attributes:
        video: the video's name; a value may be a list of names, which are looked for in turn.
        text: the question, or the sentence that is to be found.
        id: unique in the benchmark, as its own scorer has it; the row's number when None.
        options: a list of texts, or letters and texts; labels ("A. ", "(A) ") are taken off. None: open questions.
        answer: the right answer; None: there is none, spans are asked for.
        answer_as: how the answer names an option: by its letter, its number from 0, its text, or any of these
            (the text first). Where options read alike, ``text`` is the first of them and ``last_text`` the last:
            official scorers differ.
        spans: the evidence: [start, end] or a list of such, in seconds.
        window: the part that the question was made from, [start, end] in seconds.
        shown: the part of the file that is shown, [start, end] in seconds; the spans are the file's all the same.
        cut_in: folders whose files are cut to ``shown`` already.
        duration_s: length of the video in seconds.
        frame_rate: pictures a second, where the video may be a folder of pictures.
        frames: files of pictures and their seconds, ``([name, ...], [second, ...])``.
        groups: what results are broken down by; a value may be a list. ``task`` is also ``Question.family``.
        extra: columns that go into ``Question.extra``.
        ignored: columns that are known and not needed.
    """

    video: Part
    text: Part
    id: Part | None = None
    options: Part | None = None
    answer: Part | None = None
    answer_as: Literal["letter", "number", "text", "last_text", "any"] = "any"
    spans: Part | None = None
    window: Part | None = None
    shown: Part | None = None
    cut_in: tuple[str, ...] = ()
    duration_s: Part | None = None
    frame_rate: Part | None = None
    frames: Part | None = None
    groups: Mapping[str, Part] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, Column]:
        """Every part that the layout has, by name; groups by theirs."""
        named = {name: getattr(self, name) for name in _PARTS} | {f"group {k}": p for k, p in self.groups.items()}
        return {name: as_column(part) for name, part in named.items() if part is not None}

    @property
    def required(self) -> list[Column]:
        """What a row must have."""
        return [part for part in self.parts.values() if not part.optional]

    @property
    def known(self) -> set[str]:
        """Every column that the layout knows."""
        used = {name for part in self.parts.values() for name in (*part.names, *part.also)}
        return {*used, *self.extra, *self.ignored, NUMBER, FILE, FOLDER}


_PARTS = (
    "id", "video", "text", "options", "answer", "spans", "window", "shown", "duration_s", "frame_rate", "frames",
)  # fmt: skip


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: where its rows are, how they are written, where its videos lie.

    Attributes:
        name: what it is called on the command line.
        title: what its authors call it.
        source: where the annotations are published, or the layout is described.
        layouts: ways its rows are written, the original first; a file is read by the first that fits its columns.
        files: patterns that find the annotation files in a folder.
        rows: takes one file apart.
        keeps: which rows belong to the benchmark, where its files hold other splits too; None: all.
        folders: where videos lie inside the videos' folder, besides the folder itself.
        sizes: rows that were published, by split.
    """

    name: str
    title: str
    source: str
    layouts: tuple[Layout, ...]
    files: tuple[str, ...] = ("*.json", "*.jsonl", "*.csv", "*.parquet")
    rows: Callable[[Path], Iterable[Row]] = read_table
    keeps: Callable[[Mapping[str, Any]], bool] | None = None
    folders: tuple[str, ...] = ("videos", "video", "data")
    sizes: Mapping[str, int] = field(default_factory=dict)


def _same(value: object) -> object:
    return value
