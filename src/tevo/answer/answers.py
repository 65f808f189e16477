"""What comes of asking: one look at a video, an answer made of looks, and replies to many questions."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tevo.structures import Question, Span, TimedText

SINGLE_PASS = "single pass"  # the whole video at the base rate, once


@dataclass(frozen=True, slots=True)
class Look:
    """What the model said after looking at parts of a video, once.

    Attributes:
        name: which look it was: "whole video", "closer", "chunk 3", "chunks together".
        shown: what was looked at, seconds (pts).
        answer: as in :class:`Answer`.
        spans: as in :class:`Answer`.
        span_scores: as in :class:`Answer`.
        confidence: as in :class:`Answer`.
        option_probs: as in :class:`Answer`.
        token_forwards: tokens that the model read for it: of the video, of subtitles, and of prompt and reply where it
            is a language model.
        parsed: as in :class:`Answer`.
        completion: as in :class:`Answer`.
    """

    name: str
    shown: tuple[Span, ...]
    answer: str | None
    spans: tuple[Span, ...]
    span_scores: tuple[float, ...]
    confidence: float
    option_probs: dict[str, float] = field(repr=False)
    token_forwards: int
    parsed: bool = True
    completion: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says.

    Attributes:
        answer: one of the options; of the run's phrase bank where none were given. None for a *when* question without
            options, whose answer is its spans, and where nothing could be read out of a language model's reply.
        spans: the evidence, seconds (pts) inside the video, the first one found first.
        span_scores: probability (0..1) that the evidence is about there (IoU >= 0.5), a span each.
        confidence: probability (0..1) of the answer; of the first span where the spans are the answer.
        option_probs: probability of every option, in the order given.
        path: how the answer was come by.
        parsed: False where the model's words could not be read (never for a model without a language model).
        completion: what the model wrote, raw; None of a model without a language model.
        looks: every look that was taken, in order; the last decided unless ``path`` says otherwise.
        notes: what is to be known beside it: that there were no subtitles, or what of them could not be read.
        subtitles: the video's, where they were asked for.
    """

    answer: str | None
    spans: tuple[Span, ...]
    span_scores: tuple[float, ...]
    confidence: float
    option_probs: dict[str, float] = field(repr=False)
    path: str = SINGLE_PASS
    parsed: bool = True
    completion: str | None = field(default=None, repr=False)
    looks: tuple[Look, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    subtitles: tuple[TimedText, ...] = field(default=(), repr=False)

    @property
    def token_forwards(self) -> int:
        """What the answer cost: tokens that the model read, over all looks, as if nothing had been cached."""
        return sum(look.token_forwards for look in self.looks)

    def __str__(self) -> str:
        if not self.parsed and self.answer is None and not self.spans:
            return f"unreadable: {self.completion}"
        places = ", ".join(f"{span.start_s:.1f}-{span.end_s:.1f} s" for span in self.spans)
        return f"{places if self.answer is None else f'{self.answer} [{places}]'} (confidence {self.confidence:.2f})"


class Reply(NamedTuple):
    """One of many questions and what came of it: an answer, or the reason why its video could not be looked at."""

    question: Question
    answer: Answer | None
    reason: str = ""


class Judged(NamedTuple):
    """One of many predictions and what its evidence is worth, or the reason why its video could not be looked at."""

    qid: str
    terms: dict[str, float]  # by the names in tevo.metrics.evidence_quality.TERMS; empty where there is a reason
    reason: str = ""


def answer_of(look: Look, path: str, looks: tuple[Look, ...]) -> Answer:
    """The answer that one of the looks gave."""
    return Answer(
        look.answer,
        look.spans,
        look.span_scores,
        look.confidence,
        look.option_probs,
        path,
        look.parsed,
        look.completion,
        looks,
    )
