"""From completions to what the objectives know: answers, spans, roles of tokens, faults by name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tevo.backbones.language import Completions
from tevo.prompts.solver import SolverReading, read_reply
from tevo.prompts.tags import token_roles
from tevo.structures import Question, Role, Rollouts, Span
from tevo.tasks.language.viewed import Viewed

CUT_OFF = "cut off at the length bound"


@dataclass(frozen=True, slots=True)
class Read:
    """G replies to each of N questions."""

    rollouts: Rollouts
    parsed: Float[Tensor, "prompt group"]  # r_fmt: 1 where the whole reply parses
    said: list[tuple[str, ...]]  # a question's answers by their index: its options, or the texts that were given
    faults: Counter[str]  # replies by kind of fault; one reply may have several
    readings: list[list[SolverReading]]

    @property
    def num_options(self) -> Int[Tensor, "prompt"]:
        """Answers that an index of ``rollouts.answers`` can mean."""
        return torch.tensor([len(answers) for answers in self.said])


def read_completions(
    completions: Completions, questions: Sequence[Question], videos: Sequence[Viewed], known: Sequence[str] = ()
) -> Read:
    """Read the replies to some questions.

    Args:
        completions: of the questions' prompts, in their order.
        questions: that were put.
        videos: that each was put about.
        known: texts of open answers that have an index already, one a question (the pseudo-answer); may be empty.
    """
    readings: list[list[SolverReading]] = []
    faults: Counter[str] = Counter()
    said: list[tuple[str, ...]] = []
    width = completions.mask.shape[1]
    answers = torch.full((len(questions), width), -1)
    for index, (question, video) in enumerate(zip(questions, videos, strict=True)):
        origin_s = video.watched.origin_s
        row = [read_reply(text, question, video.limits, origin_s) for text in completions.texts[index]]
        open_answers = [known[index]] if known and known[index] and not question.options else []
        for member, reading in enumerate(row):
            closed = bool(completions.closed[index, member])
            row[member] = reading if closed else replace(reading, faults=(*reading.faults, CUT_OFF))
            faults.update(row[member].faults)
            answers[index, member] = _answer_index(reading, question, open_answers)
        readings.append(row)
        said.append(question.options or tuple(open_answers))
    spans, span_mask = _pad([[reading.reply.spans for reading in row] for row in readings])
    roles = torch.stack(
        [
            torch.stack([token_roles(reading.marked, ends) for reading, ends in zip(row, every, strict=True)])
            for row, every in zip(readings, completions.ends.cpu(), strict=True)
        ]
    )
    device = completions.tokens.device
    rollouts = Rollouts(
        log_probs=completions.log_probs,
        roles=roles.masked_fill(~completions.mask.cpu(), int(Role.OTHER)).to(device),
        mask=completions.mask,
        answers=answers.to(device),
        spans=spans.to(device),
        span_mask=span_mask.to(device),
    )
    parsed = torch.tensor([[float(not reading.faults) for reading in row] for row in readings], device=device)
    return Read(rollouts, parsed, said, faults, readings)


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
