"""What is asked of a benchmark, and what is not, by name: nothing leaves the denominator in silence."""

import hashlib
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tevo.data.readers.reading import read_benchmark
from tevo.data.readers.report import EXAMPLES, ReadReport
from tevo.data.truths import nextgqa_spans, span_files, with_split
from tevo.errors import TevoError
from tevo.evaluation.spec import BenchmarkChoice
from tevo.prompts.wording import put_in_words
from tevo.structures import Question
from tevo.tasks.asking import check_usable


@dataclass(frozen=True)
class Asked:
    """A benchmark's questions.

    Attributes:
        choice: which benchmark, and where it lies.
        scored: questions of the denominator, with the truth, in the file's order; ``video`` as annotated.
        put: those of them that models are asked, in the words of :mod:`tevo.prompts.wording`; ``video`` is a whole
            path.
        not_put: why the others are not, by their ids.
        outside: questions that ``limit`` leaves out: they are not in the denominator, and so this is no result of
            the benchmark.
        reading: what became of every row of the annotations, as plain values.
        notes: what a reader of the numbers should know.
    """

    choice: BenchmarkChoice
    scored: tuple[Question, ...]
    put: tuple[Question, ...]
    not_put: Mapping[str, str]
    outside: int
    reading: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A name for what is asked: the same annotations and limit, the same name, wherever they lie."""
        rows = [(q.id, q.video, q.text, q.options, q.shown, q.frames and q.frames.times_s) for q in self.scored]
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def ask_benchmark(choice: BenchmarkChoice, limit: int | None = None, seed: int = 0) -> Asked:
    """Read a benchmark and find its videos.

    Args:
        choice: which, and where.
        limit: ask about so many questions, of whole videos (so it may be a few more); None for all.
        seed: of the draw of videos.

    Raises:
        TevoError: when not one question can be put: an annotation file that cannot be read, no video in its place.
    """
    whole = read_benchmark(choice.name, choice.annotations)
    here = read_benchmark(choice.name, choice.annotations, choice.videos)
    scored: Sequence[Question] = whole.questions
    if choice.name == "nextgqa":
        spans = nextgqa_spans(span_files(choice.annotations))
        scored = [with_split(question, spans) for question in scored]
    not_put = {note.id: f"{note.reason}: {note.detail}" for note in here.report.notes if not note.kept}
    put = []
    for question in here.questions:
        worded = put_in_words(replace(question, video=os.path.abspath(question.video)))
        trouble = _trouble(worded)
        if trouble:
            not_put[question.id] = trouble
        else:
            put.append(worded)
    if not put:
        raise TevoError(f"not one question of {choice.name} can be put.\n{here.report}")
    total = len(scored)
    lost = {question.id for question in scored} - {question.id for question in put}
    missing = {qid: reason for qid, reason in not_put.items() if qid in lost}
    if limit is not None and limit < len(put):
        put = whole_videos(put, limit, seed)
        kept = {question.id for question in put}
        scored = [question for question in scored if question.id in kept]
    ids = {question.id for question in scored}
    notes = _notes(whole.report, missing, total, total - len(scored))
    missing = {qid: reason for qid, reason in missing.items() if qid in ids}
    outside = total - len(scored)
    return Asked(choice, tuple(scored), tuple(put), missing, outside, here.report.to_row(), tuple(notes))


def _notes(report: ReadReport, missing: Mapping[str, str], total: int, outside: int) -> list[str]:
    """What a reader of the numbers should know: of the rows, of what cannot be put, of the limit."""
    notes = [str(report)] if report.notes or report.unread_columns or report.is_partial else []
    if missing:
        some = "; ".join(f"{qid}: {reason}" for qid, reason in list(missing.items())[:EXAMPLES])
        more = f"; and {len(missing) - EXAMPLES} more" if len(missing) > EXAMPLES else ""
        notes.append(f"{report.benchmark}: {len(missing)} of {total} questions cannot be put ({some}{more})")
    if outside:
        notes.append(f"{report.benchmark}: --limit leaves {outside} of {total} questions out, so this is a trial")
    return notes


def whole_videos(questions: Sequence[Question], number: int, seed: int) -> list[Question]:
    """At least so many of the questions (if there are), all of those about the videos that a seed draws, in order."""
    by_video: dict[str, int] = {}
    for question in questions:
        by_video[question.video] = by_video.get(question.video, 0) + 1
    videos = sorted(by_video)
    random.Random(seed).shuffle(videos)
    drawn: set[str] = set()
    for video in videos:
        if sum(by_video[name] for name in drawn) >= number:
            break
        drawn.add(video)
    return [question for question in questions if question.video in drawn]


def relative_name(path: str, folder: Path) -> str:
    """A video's name inside the videos' folder."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _trouble(question: Question) -> str:
    try:
        check_usable(question)
    except TevoError as error:
        return str(error)
    return ""
