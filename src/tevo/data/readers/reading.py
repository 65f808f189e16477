"""From annotation files to questions: every row becomes a question or a note that says why it did not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tevo.data.readers.benchmark import FILE, FOLDER, NUMBER, Benchmark, Layout
from tevo.data.readers.made import Made, make_question
from tevo.data.readers.registry import get_benchmark
from tevo.data.readers.report import Note, ReadReport, Reason, RowProblem
from tevo.data.readers.rows import Row
from tevo.data.readers.values import repeat
from tevo.data.readers.videos import VideoFolder
from tevo.errors import TevoError
from tevo.structures import Question

SHOWN_COLUMNS = 40  # of a file that has other columns than were wanted


@dataclass(frozen=True, slots=True)
class BenchmarkQuestions:
    """The questions of a benchmark, in the order of its files, and what became of every row."""

    benchmark: Benchmark
    questions: tuple[Question, ...]
    report: ReadReport


def read_benchmark(
    benchmark: str | Benchmark, path: str | Path, videos: str | Path | None = None
) -> BenchmarkQuestions:
    """Read a benchmark's annotations; for evaluation, never for training.

    A row that cannot become a question is left out and named in the report; so is one whose video is not there.
    Rows that are odd and usable (a span past the end of the video, an answer that is no option) are kept, so
    that numbers stay comparable, and named as well.

    Args:
        benchmark: a name (:func:`~tevo.data.readers.registry.list_benchmarks`) or a declaration.
        path: the annotation file as it was published, or the folder that holds it.
        videos: the folder that the videos lie in; None reads the questions alone (to score predictions), and
            ``Question.video`` is then the annotated name.

    Raises:
        TevoError: for a path that holds no annotation file, a file that is cut off or of another layout, or when
            not one question can be used; the message then holds the report.
    """
    known = get_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    if videos is not None and not Path(videos).is_dir():
        raise TevoError(f"no folder of videos at {videos}: give the folder that the videos lie in")
    files = _files(known, Path(path))
    rows = [(file, row) for file in files for row in _rows_of(known, file)]
    own = [(file, row) for file, row in rows if row.problem or known.keeps is None or known.keeps(row.values)]
    layout = _layout(known, [row for _, row in own if not row.problem], files)
    reading = _Reading(layout, VideoFolder(None if videos is None else Path(videos), known.folders))
    for file, row in own:
        reading.add(f"{_name(file, Path(path))}, {row.where}", row)
    unread = _unread(layout, own)
    report = ReadReport(
        benchmark=known.name,
        files=tuple(_name(file, Path(path)) for file in files),
        rows=len(rows),
        elsewhere=len(rows) - len(own),
        questions=len(reading.questions),
        notes=tuple(reading.notes),
        unchecked=sum(bool(question.evidence) and not question.duration_s for question in reading.questions),
        unread_columns=unread,
        hints=_hints(layout, unread),
        sizes=known.sizes,
    )
    if not reading.questions:
        raise TevoError(f"not one question of {known.title} can be used.\n{report}")
    return BenchmarkQuestions(known, tuple(reading.questions), report)


class _Reading:
    """Questions and notes, row by row."""

    def __init__(self, layout: Layout, folder: VideoFolder) -> None:
        self.layout, self.folder = layout, folder
        self.questions: list[Question] = []
        self.notes: list[Note] = []
        self._first: dict[str, tuple[str, Question]] = {}  # id -> where it stands first

    def add(self, where: str, row: Row) -> None:
        """Make a row a question, or note why it is none."""
        made: Made | None = None
        try:
            if row.problem:
                raise RowProblem(Reason.UNREADABLE, row.problem)
            made = make_question(self.layout, row.values, self.folder)
            self._check_new(where, made.question)
            if made.missing:
                raise RowProblem(Reason.MISSING_VIDEO, f"{made.missing} is not there")
        except RowProblem as problem:
            name = made.question.id if made is not None else ""
            self.notes.append(Note(where, name, problem.reason, problem.detail, kept=False))
            return
        self.notes += [Note(where, made.question.id, reason, detail, kept=True) for reason, detail in made.oddities]
        self.questions.append(made.question)

    def _check_new(self, where: str, question: Question) -> None:
        if question.id in self._first:
            first, other = self._first[question.id]
            same = "the same question" if replace(other, video=question.video) == question else "another question"
            raise RowProblem(Reason.DUPLICATE_ID, f"{repeat(question.id)} stands at {first} already, with {same}")
        self._first[question.id] = (where, question)


def _files(benchmark: Benchmark, path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise TevoError(
            f"no file and no folder at {path}: give the annotations of {benchmark.title}; see {benchmark.source}"
        )
    for pattern in benchmark.files:
        if found := sorted(path.glob(pattern)):
            return found
    raise TevoError(
        f"{path} holds no annotation file of {benchmark.title} ({', '.join(benchmark.files)}): give the file itself; "
        f"see {benchmark.source}"
    )


def _name(file: Path, path: Path) -> str:
    return file.name if file == path else file.relative_to(path).as_posix()


def _rows_of(benchmark: Benchmark, file: Path) -> list[Row]:
    places = {FILE: file.stem, FOLDER: file.parent.name}
    try:
        rows = list(benchmark.rows(file))
    except TevoError:
        raise
    except Exception as error:  # a declaration's own code, on a file of another layout
        raise TevoError(
            f"{file} is not laid out as {benchmark.title} is ({type(error).__name__}: {error}): give the file as it "
            f"was published; see {benchmark.source}"
        ) from error
    return [replace(row, values={**row.values, **places, NUMBER: number}) for number, row in enumerate(rows)]


def _layout(benchmark: Benchmark, rows: Sequence[Row], files: Sequence[Path]) -> Layout:
    """The first layout that some row has all the columns of."""
    for layout in benchmark.layouts:
        required = layout.required
        if any(all(column.is_in(row.values) for column in required) for row in rows):
            return layout
    seen = [name if name.isprintable() else repeat(name) for name in _columns(rows)[:SHOWN_COLUMNS]]
    wanted = "\n".join(f"  {_wanted(layout)}" for layout in benchmark.layouts)
    raise TevoError(
        f"{', '.join(str(file) for file in files[:3])} has not the columns of {benchmark.title}: they are "
        f"{', '.join(seen) or 'none'}, wanted are\n{wanted}\nGive the file as it was published; see {benchmark.source}"
    )


def _wanted(layout: Layout) -> str:
    named = [(" or ".join(column.names),) if column.choice else column.names for column in layout.required]
    return ", ".join(dict.fromkeys(n for names in named for n in names if n not in (NUMBER, FILE, FOLDER)))


def _columns(rows: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(str(name) for row in rows for name in row.values)
    return [name for name in names if name not in (NUMBER, FILE, FOLDER)]


def _unread(layout: Layout, rows: Sequence[tuple[Path, Row]]) -> Mapping[str, int]:
    known = layout.known
    return dict(Counter(str(name) for _, row in rows for name in row.values if name not in known))


def _hints(layout: Layout, unread: Mapping[str, Any]) -> dict[str, str]:
    optional = sorted({name for part in layout.parts.values() if part.optional for name in part.names})
    close = {name: get_close_matches(name, optional, n=1, cutoff=0.8) for name in unread}
    return {name: found[0] for name, found in close.items() if found}
