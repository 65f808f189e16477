"""Questions on their way into the pool and out of it: each once, and with the label to learn from."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from tevo.structures import Question, Span


def labelled(question: Question, answer: str, evidence: Sequence[Span]) -> Question:
    """The question with its pseudo-label in the place of the Questioner's own answer and evidence."""
    return replace(question, answer=answer, evidence=tuple(evidence))


def distinct(questions: Sequence[Question], rows: Tensor) -> tuple[list[Question], Tensor]:
    """The questions without those that say the same of the same video."""
    first: dict[tuple[str, str], int] = {}
    for index, question in enumerate(questions):
        first.setdefault((question.video, question.text), index)
    kept = sorted(first.values())
    return [questions[index] for index in kept], rows[kept]
