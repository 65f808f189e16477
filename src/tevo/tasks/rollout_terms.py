"""What rollouts are paid, term by term, whatever they are made of (ALGORITHM 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.heads.queries import pad_spans
from tevo.objectives.credit import outcome_gate
from tevo.objectives.registry import Reward, SolverFacts, extra_terms
from tevo.objectives.rewards import (
    SolverWeights,
    alignment_reward,
    answer_reward,
    solver_reward,
    when_reward,
    zoom_reward,
)
from tevo.structures import Question, Rollouts
from tevo.tasks.role import Paid

Terms = dict[str, Float[Tensor, "question group"]]


@dataclass(frozen=True, slots=True)
class Targets:
    """Pseudo-labels as tensors."""

    answer: Int[Tensor, "question"]  # option index; -1 for *when* questions
    spans: Float[Tensor, "question span 2"]  # seconds
    span_mask: Bool[Tensor, "question span"]

    @staticmethod
    def of(questions: Sequence[Question], device: torch.device | str) -> "Targets":
        """From questions whose ``answer`` and ``evidence`` are the labels to learn from."""
        spans, mask = pad_spans([question.evidence for question in questions])
        answer = [q.options.index(q.answer) if q.answer in q.options else -1 for q in questions]
        return Targets(torch.tensor(answer, device=device), spans.to(device), mask.to(device))


def rollout_terms(
    rollouts: Rollouts,
    targets: Targets,
    is_when: Bool[Tensor, "question"],
    limits: tuple[Float[Tensor, "question"], Float[Tensor, "question"]],
    zoomed: Int[Tensor, "question group"] | None,
    parsed: Float[Tensor, "question group"],
    boundary_penalty: bool,
    weights: SolverWeights,
    extra: Mapping[str, Reward],
) -> Terms:
    """Every reward term of every rollout, each by itself; those of one's own by their names in the config.

    Args:
        rollouts: answers and spans.
        targets: the pseudo-labels.
        is_when: questions whose answer is the span.
        limits: where each question's video begins and ends, seconds (pts).
        zoomed: the option that the round-0 model chooses from the rollout's spans alone; None where zoom is not paid.
        parsed: r_fmt.
        boundary_penalty: multiply the alignment reward by EvoGround's boundary term.
        weights: whose ``extra`` names terms of one's own.
        extra: their functions.
    """
    start, end = limits
    pair = (rollouts.spans, rollouts.span_mask, targets.spans, targets.span_mask)
    right = torch.where(is_when[:, None], when_reward(*pair), answer_reward(rollouts.answers, targets.answer))
    iou = alignment_reward(*pair, end - start, boundary_penalty)
    zoom = torch.zeros_like(iou)
    if zoomed is not None:
        zoom = zoom_reward(zoomed, targets.answer, rollouts.span_mask.any(-1))
    facts = SolverFacts(
        rollouts.answers, rollouts.spans, rollouts.span_mask, targets.answer, targets.spans, targets.span_mask,
        is_when, start, end,
    )  # fmt: skip
    own = extra_terms(weights.extra, extra, facts, tuple(iou.shape))
    return {"answer": right, "iou": iou, "zoom": zoom, "format": parsed, **own}


def paid(terms: Terms, weights: SolverWeights, is_when: Bool[Tensor, "question"], said: list[list[str]]) -> Paid:
    """What terms come to, and how many groups the outcome gate would close.

    Args:
        terms: of :func:`rollout_terms`.
        weights: of the sum.
        is_when: questions whose answer is the span.
        said: the rollouts in words.
    """
    extra = {name: terms[name] for name in weights.extra}
    total = solver_reward(terms["answer"], terms["iou"], terms["zoom"], terms["format"], weights, is_when, extra)
    dead = int((~outcome_gate(terms["answer"], terms["iou"], is_when, extra)).sum())
    return Paid(terms, total, dead, said)


def in_words(rollouts: Rollouts, questions: Sequence[Question]) -> list[list[str]]:
    """What each rollout of a policy over options says: its answer and its spans."""
    said = []
    for index, question in enumerate(questions):
        row = []
        for g, chosen in enumerate(rollouts.answers[index].tolist()):
            answer = question.options[chosen] if chosen >= 0 else "its spans"
            row.append(f"{answer} {written_spans(rollouts.spans[index, g][rollouts.span_mask[index, g]].tolist())}")
        said.append(row)
    return said


def written_spans(spans: list[list[float]]) -> str:
    """Spans in seconds."""
    return ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in spans) or "no span"
