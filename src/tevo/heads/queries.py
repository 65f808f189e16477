"""Questions as tensors: what the heads are told of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.backbones.base import TextEncoder
from tevo.prompts.grammar import KINDS, parse
from tevo.structures import Question, Span

MAX_SPANS = {"count": 4, "open": 4}  # evidence spans a question of this kind may have; 1 otherwise
LONGEST_COMPLETION = 3 * max(MAX_SPANS.values()) + 1  # actions: start, end and "go on?" of every span, and the answer


@dataclass(frozen=True, slots=True)
class Queries:
    """N questions about the videos of a batch. Text is embedded in the joint space of the backbone."""

    rows: Int[Tensor, "question"]  # which video of the batch
    kind: Int[Tensor, "question"]  # index into grammar.KINDS
    phrase: Float[Tensor, "question joint"]  # zero where the question names no event
    within: Float[Tensor, "question 2"]  # seconds the question names; infinite where it names none
    options: Float[Tensor, "question option joint"]
    option_mask: Bool[Tensor, "question option"]
    max_spans: Int[Tensor, "question"]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Int[Tensor, "new"]) -> "Queries":
        """Questions by index."""
        return Queries(**{part.name: getattr(self, part.name)[index] for part in fields(self)})

    @property
    def is_when(self) -> Bool[Tensor, "question"]:
        """Questions whose answer is the span itself."""
        return self.kind == KINDS.index("when")


def encode_queries(questions: Sequence[Question], rows: Int[Tensor, "question"], encoder: TextEncoder) -> Queries:
    """Take the questions' texts apart and embed their clauses and options (each distinct text once)."""
    asks = [parse(question.text) for question in questions]
    width = max((len(question.options) for question in questions), default=0)
    texts = sorted({ask.phrase for ask in asks if ask.phrase} | {option for q in questions for option in q.options})
    embedded = encoder.encode_text(texts or ["nothing"])
    device, joint = embedded.device, embedded.shape[-1]
    table = torch.cat([embedded, embedded.new_zeros(1, joint)])
    place = {text: index for index, text in enumerate(texts)}
    blank = len(table) - 1
    option_ids = [[place[o] for o in q.options] + [blank] * (max(width, 1) - len(q.options)) for q in questions]
    ids = torch.tensor(option_ids, device=device, dtype=torch.long).view(len(questions), max(width, 1))
    infinite = (-torch.inf, torch.inf)
    within = [(ask.within.start_s, ask.within.end_s) if ask.within else infinite for ask in asks]
    return Queries(
        rows=rows.to(device),
        kind=torch.tensor([KINDS.index(ask.kind) for ask in asks], device=device, dtype=torch.long),
        phrase=table[torch.tensor([place.get(ask.phrase, blank) for ask in asks], device=device, dtype=torch.long)],
        within=torch.tensor(within, device=device, dtype=table.dtype).view(-1, 2),
        options=table[ids],
        option_mask=ids != blank,
        max_spans=torch.tensor([MAX_SPANS.get(ask.kind, 1) for ask in asks], device=device, dtype=torch.long),
    )


def pad_spans(
    spans: Sequence[Sequence[Span]],
) -> tuple[Float[Tensor, "question span 2"], Bool[Tensor, "question span"]]:
    """Spans of many questions as one tensor, and which of its entries are real."""
    width = max(1, max((len(row) for row in spans), default=1))
    rows = [[(span.start_s, span.end_s) for span in row] + [(0.0, 0.0)] * (width - len(row)) for row in spans]
    number = torch.tensor([len(row) for row in spans], dtype=torch.long)
    padded = torch.tensor(rows, dtype=torch.float32).view(len(spans), width, 2)
    return padded, torch.arange(width) < number[:, None]
