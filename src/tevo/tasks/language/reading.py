"""From completions to what the objectives know: answers, spans, roles of tokens, faults by name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.backbones.language import Completions
from tevo.prompts.solver import SolverReading, read_reply
from tevo.prompts.tags import token_roles
from tevo.structures import Question, Role, Rollouts, Span
from tevo.tasks.language.viewed import Viewed

CUT_OFF = "cut off at the length bound"


@dataclass(frozen=True, slots=True)
class Replies:
    """G replies to each of N questions, read as far as they can be read."""

    readings: tuple[tuple[SolverReading, ...], ...]
    texts: tuple[tuple[str, ...], ...]  # as written

    @property
    def faults(self) -> Counter[str]:
        """Replies by kind of fault; one reply may have several."""
        return Counter(fault for row in self.readings for reading in row for fault in reading.faults)

    def index(
        self, questions: Sequence[Question], known: Sequence[str]
    ) -> tuple[Int[Tensor, "prompt group"], list[tuple[str, ...]]]:
        """Every answer as a number, and what the numbers mean: a question's options, or the texts that were given.

        Args:
            questions: that were put.
            known: texts of open answers that come first, one a question; may be empty.
        """
        said, rows = [], []
        for question, readings, first in zip(questions, self.readings, known, strict=True):
            given = [first] if first and not question.options and question.kind != "when" else []
            rows.append([_answer_index(reading, question, given) for reading in readings])
            said.append(question.options or tuple(given))
        return torch.tensor(rows, dtype=torch.long), said

    def spans(self) -> tuple[Float[Tensor, "prompt group span 2"], Bool[Tensor, "prompt group span"]]:
        """Spans of every reply, padded, and their mask."""
        return _pad([[reading.reply.spans for reading in row] for row in self.readings])

    def take(self, index: int) -> "Replies":
        """The replies to one of the questions."""
        return Replies((self.readings[index],), (self.texts[index],))

    def longer(self, by: int, more: Mapping[int, "Replies"]) -> "Replies":
        """With ``by`` more replies each: those of ``more``, by the question's number, else its own again in turn."""
        readings, texts = [], []
        for index, (row, written) in enumerate(zip(self.readings, self.texts, strict=True)):
            if index in more:
                readings.append(row + more[index].readings[0])
                texts.append(written + more[index].texts[0])
            else:
                readings.append(row + tuple(row[number % len(row)] for number in range(by)))
                texts.append(written)
        return Replies(tuple(readings), tuple(texts))


@dataclass(frozen=True, slots=True)
class Read:
    """Replies as rollouts."""

    rollouts: Rollouts
    parsed: Float[Tensor, "prompt group"]  # r_fmt: 1 where the whole reply parses
    said: list[tuple[str, ...]]  # a question's answers by their index: its options, or the texts that were given
    replies: Replies


def read_replies(completions: Completions, questions: Sequence[Question], videos: Sequence[Viewed]) -> Replies:
    """Read the replies to some questions.

    Args:
        completions: of the questions' prompts, in their order.
        questions: that were put.
        videos: that each was put about.
    """
    readings = []
    for index, (question, video) in enumerate(zip(questions, videos, strict=True)):
        row = []
        for text, closed in zip(completions.texts[index], completions.closed[index].tolist(), strict=True):
            reading = read_reply(text, question, video.limits, video.watched.origin_s)
            row.append(reading if closed else replace(reading, faults=(*reading.faults, CUT_OFF)))
        readings.append(tuple(row))
    return Replies(tuple(readings), completions.texts)


def read_completions(
    completions: Completions, questions: Sequence[Question], videos: Sequence[Viewed], known: Sequence[str] = ()
) -> Read:
    """Read the replies to some questions as rollouts.

    Args:
        completions: of the questions' prompts, in their order.
        questions: that were put.
        videos: that each was put about.
        known: texts of open answers that have an index already, one a question (the pseudo-answer); may be empty.
    """
    replies, device = read_replies(completions, questions, videos), completions.tokens.device
    answers, said = replies.index(questions, known or [""] * len(questions))
    spans, span_mask = replies.spans()
    roles = torch.stack(
        [
            torch.stack([token_roles(reading.marked, ends) for reading, ends in zip(row, every, strict=True)])
            for row, every in zip(replies.readings, completions.ends.cpu(), strict=True)
        ]
    )
    rollouts = Rollouts(
        log_probs=completions.log_probs,
        roles=roles.masked_fill(~completions.mask.cpu(), int(Role.OTHER)).to(device),
        mask=completions.mask,
        answers=answers.to(device),
        spans=spans.to(device),
        span_mask=span_mask.to(device),
    )
    parsed = torch.tensor([[float(not reading.faults) for reading in row] for row in replies.readings], device=device)
    return Read(rollouts, parsed, said, replies)


def _answer_index(reading: SolverReading, question: Question, open_answers: list[str]) -> int:
    """Index of an answer among the options, or among the texts that were given to an open question."""
    if question.options or question.kind == "when":
        return reading.choice
    text = " ".join(reading.reply.answer.lower().split()).rstrip(".")
    if not text:
        return -1
    plain = [" ".join(other.lower().split()).rstrip(".") for other in open_answers]
    if text not in plain:
        open_answers.append(reading.reply.answer)
        return len(plain)
    return plain.index(text)


def _pad(spans: Sequence[Sequence[Sequence[Span]]]) -> tuple[Tensor, Tensor]:
    """Spans of every reply as [prompt group span 2] and their mask."""
    widest = max((len(reply) for row in spans for reply in row), default=0) or 1
    padded = torch.zeros(len(spans), len(spans[0]), widest, 2)
    mask = torch.zeros(padded.shape[:-1], dtype=torch.bool)
    for i, row in enumerate(spans):
        for j, reply in enumerate(row):
            for k, span in enumerate(reply):
                padded[i, j, k] = torch.tensor([span.start_s, span.end_s])
                mask[i, j, k] = True
    return padded, mask
