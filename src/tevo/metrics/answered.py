"""One question as a scorer sees it: what is right, and what was predicted, structured or as a reply."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from tevo.errors import TevoError
from tevo.metrics.overlap import Pair
from tevo.prompts.replies import LetterParser, SpanParser
from tevo.structures import Question

Window = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its prediction.

    Attributes:
        qid: the question's id.
        video: its video; questions of one video are drawn together in a bootstrap.
        task: type or task, as the benchmark names it.
        options: texts in the order of their letters; empty for open questions.
        truth: letter of the right option; the right text or number of an open question; "" when none is known.
        true_spans: annotated evidence in seconds, as annotated.
        duration_s: length of the video in seconds; 0 when unknown.
        groups: what results are broken down by, each name with one or more labels.
        extra: further columns that the benchmark's own scorer needs.
        row: the prediction row; None when nothing was predicted.
    """

    qid: str
    video: str = ""
    task: str = ""
    options: tuple[str, ...] = ()
    truth: str = ""
    true_spans: tuple[Pair, ...] = ()
    duration_s: float = 0.0
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] | None = None

    @property
    def reply(self) -> str:
        """The reply as text; "" when there is none."""
        return str((self.row or {}).get("response") or "")

    def letters(self, parse: LetterParser) -> str:
        """Letters that are credited: of ``pred_answer`` where the row has one, else read from the reply."""
        answer = (self.row or {}).get("pred_answer")
        if answer is None:
            return parse(self.reply, self.options) if "response" in (self.row or {}) else ""
        return as_letter(answer, self.options)

    def right(self, parse: LetterParser) -> bool:
        """Whether the true letter is credited."""
        return bool(self.truth) and self.truth in self.letters(parse)

    @property
    def claim(self) -> str:
        """Letter of the ``true_answer`` that the prediction row itself names; "" when it names none."""
        return as_letter((self.row or {}).get("true_answer"), self.options)

    def claimed_right(self, parse: LetterParser) -> bool:
        """Whether the answer is right by what the prediction row calls the truth, if it does, else as annotated."""
        truth = self.claim or self.truth
        return bool(truth) and truth in self.letters(parse)

    def spans(self, parse: SpanParser) -> list[Window]:
        """Predicted windows: ``pred_relevant_windows`` where the row has them, else read from the reply."""
        windows = (self.row or {}).get("pred_relevant_windows")
        if windows is None:
            return list(parse(self.reply, self.duration_s)) if self.reply else []
        return [as_window(window, self.qid) for window in windows]

    def pairs(self, parse: SpanParser) -> list[Pair]:
        """The same without scores."""
        return [(window[0], window[1]) for window in self.spans(parse)]


def as_letter(answer: object, options: Sequence[str]) -> str:
    """The letter of an answer given as a letter, as an index from 0, or as an option's text; "" for anything else.

    A text that is an option's counts before a text that looks like a letter.
    """
    if isinstance(answer, bool) or answer is None:
        return ""
    if isinstance(answer, int):
        return ascii_uppercase[answer] if 0 <= answer < min(len(options) or 26, 26) else ""
    text = str(answer)
    named = [index for index, option in enumerate(options[:26]) if normal(option) == normal(text)]
    if named:
        return ascii_uppercase[named[0]]
    bare = text.strip().strip("().").upper()
    return bare if len(bare) == 1 and bare in ascii_uppercase[: len(options) or 26] else ""


def as_window(window: object, qid: str) -> Window:
    """A predicted window as numbers, ``(start, end)`` or ``(start, end, score)``.

    Raises:
        TevoError: when it is anything else, or not finite.
    """
    if isinstance(window, Sequence) and not isinstance(window, str) and len(window) in (2, 3):
        try:
            numbers = tuple(float(value) for value in window)
        except (TypeError, ValueError, OverflowError):
            numbers = (math.nan,)
        if all(map(math.isfinite, numbers)):
            return numbers
    raise TevoError(f"prediction {qid!r} has the window {window!r}: give [start, end, score?], finite, in seconds")


def normal(text: str) -> str:
    """An answer without what says nothing: case and runs of white space."""
    return " ".join(text.casefold().split())


def answered(question: Question, row: Mapping[str, Any] | None) -> Answered:
    """A question of a benchmark and its prediction row."""
    index = question.answer_index
    letter = (
        ascii_uppercase[index] if 0 <= index < len(ascii_uppercase) else as_letter(question.answer, question.options)
    )
    tasks = question.groups.get("task", ())
    return Answered(
        qid=question.id,
        video=question.video,
        task=tasks[0] if tasks else question.family or question.kind,
        options=question.options,
        truth=letter if question.options else question.answer,
        true_spans=tuple((span.start_s, span.end_s) for span in question.evidence),
        duration_s=question.duration_s,
        groups=question.groups,
        extra=question.extra,
        row=row,
    )
