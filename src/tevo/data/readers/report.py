"""What was found in an annotation file, row by row: what was left out, what was kept and is odd, and why."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

EXAMPLES = 3  # notes of one kind that are printed; all of them are in `notes`
COLUMNS = 10  # unknown columns that are printed; all of them are in `unread_columns`


class Reason(StrEnum):
    """What can be odd about a row. The values are stable, fit for counting."""

    UNREADABLE = "unreadable row"
    MISSING_COLUMN = "missing column"
    BAD_VALUE = "value of the wrong kind"
    BAD_TIME = "time that is no number"
    REVERSED = "reversed span"
    ESCAPES = "video outside its folder"
    DUPLICATE_ID = "duplicate id"
    MISSING_VIDEO = "missing video"
    NO_TEXT = "empty question"
    NO_OPTIONS = "missing options"
    EMPTY_OPTION = "empty option"
    SAME_OPTIONS = "options that read alike"
    NO_ANSWER = "no answer"
    ODD_ANSWER = "answer not among the options"
    NO_SPAN = "no span"
    POINT_SPAN = "span of no length"
    OUTSIDE = "span outside the video"
    MARKUP = "markup in the text"


class RowProblem(Exception):
    """A row that cannot become a question; a reader's own code raises it, the report shows it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that is odd about one row.

    Attributes:
        where: file and place in it.
        id: the question's; empty when the row was given up before it had one.
        reason: what it is.
        detail: what came; never executed, control characters are escaped.
        kept: whether the question is among those read.
    """

    where: str
    id: str
    reason: Reason
    detail: str
    kept: bool


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What became of every row of a benchmark's files.

    Attributes:
        benchmark: its name.
        files: the files that were read.
        rows: rows in them.
        elsewhere: rows of another part (another split or length), which were not asked for.
        questions: questions read.
        notes: everything odd, in the order of the rows.
        unchecked: questions with spans whose video has no annotated length, so that their ends were not checked.
        unread_columns: columns that the reader does not know, and in how many rows each stands.
        hints: for such a column, the known one that may have been meant.
        sizes: rows that were published, by split.
    """

    benchmark: str
    files: tuple[str, ...]
    rows: int
    elsewhere: int
    questions: int
    notes: tuple[Note, ...] = ()
    unchecked: int = 0
    unread_columns: Mapping[str, int] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """How many rows are no question now; each has a note that says why."""
        return sum(not note.kept for note in self.notes)

    @property
    def counts(self) -> dict[str, int]:
        """How many notes there are of each kind."""
        return {str(reason): count for reason, count in Counter(note.reason for note in self.notes).items()}

    def about(self, reason: Reason) -> tuple[Note, ...]:
        """The notes of one kind."""
        return tuple(note for note in self.notes if note.reason == reason)

    @property
    def is_partial(self) -> bool:
        """Whether questions are missing: rows left out, or no published split has this many rows."""
        return self.left_out > 0 or (bool(self.sizes) and self.rows - self.elsewhere not in self.sizes.values())

    def __str__(self) -> str:
        lines = [f"{self.benchmark}: {self.questions} questions from {self.rows} rows of {', '.join(self.files)}"]
        if self.elsewhere:
            lines.append(f"  {self.elsewhere} rows belong to another part and were not asked for")
        if self.is_partial:
            published = ", ".join(f"{split} {size}" for split, size in self.sizes.items())
            lines.append(
                f"  partial: {self.left_out} rows left out" + (f"; published: {published}" if published else "")
            )
        if self.unchecked:
            lines.append(f"  {self.unchecked} questions have spans and no length of their video: ends were not checked")
        for reason in Reason:
            lines += _paragraph(reason, self.about(reason))
        for name, count in islice(self.unread_columns.items(), COLUMNS):
            hint = f"; did you mean {self.hints[name]!r}?" if name in self.hints else ""
            lines.append(f"  column {name!r} is not known and was not read ({count} rows){hint}")
        if len(self.unread_columns) > COLUMNS:
            lines.append(f"  and {len(self.unread_columns) - COLUMNS} more such columns")
        return "\n".join(lines)

    def to_row(self) -> dict[str, Any]:
        """The report as plain values, fit for JSON and for the result of an evaluation."""
        return {
            "benchmark": self.benchmark,
            "files": list(self.files),
            "rows": self.rows,
            "elsewhere": self.elsewhere,
            "questions": self.questions,
            "left_out": self.left_out,
            "partial": self.is_partial,
            "unchecked": self.unchecked,
            "counts": self.counts,
            "unread_columns": dict(self.unread_columns),
            "sizes": dict(self.sizes),
            "notes": [
                {"where": n.where, "id": n.id, "reason": str(n.reason), "detail": n.detail, "kept": n.kept}
                for n in self.notes
            ],
        }


def _paragraph(reason: Reason, notes: tuple[Note, ...]) -> list[str]:
    if not notes:
        return []
    kept = sum(note.kept for note in notes)
    fate = "kept" if kept == len(notes) else "left out" if not kept else f"{kept} kept, {len(notes) - kept} left out"
    lines = [f"  {reason}: {len(notes)} ({fate})"]
    lines += [f"    {note.where}: {note.detail}" for note in notes[:EXAMPLES]]
    if len(notes) > EXAMPLES:
        lines.append(f"    and {len(notes) - EXAMPLES} more")
    return lines
