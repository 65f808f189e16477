"""Pseudo-labels from votes: the majority answer, the consensus spans, and the named reason for every drop.

Nothing here depends on the order of the votes. M = votes a question; -1 = a vote that gave no answer.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.errors import TevoError
from tevo.ops import set_iou, union_length

DROP_REASONS = (
    "tie",
    "no answer",
    "too easy",
    "too hard",
    "spans disagree",
    "whole video",
    "outside the window",
    "evidence mismatch",
    "kept",
)
"""Names of the codes of :func:`drop_reasons`; the first that applies is the one reported."""

KEPT = DROP_REASONS.index("kept")

_ROUNDING = 1e-6  # shares are ratios of floats: 3 votes of 10 must pass a bar of 0.3


class Majority(NamedTuple):
    """Outcome of a vote over options."""

    answer: Int[Tensor, "prompt"]  # option index; -1 where ``none``; the lowest of the tied where ``tied``
    agreement: Float[Tensor, "prompt"]  # share of ALL M votes equal to the answer; 0 where ``none``
    tied: Bool[Tensor, "prompt"]  # two or more answers ("none" is one of them) share the first place
    none: Bool[Tensor, "prompt"]  # most votes gave no answer


class Medoid(NamedTuple):
    """The voter's span set that agrees best with the other voters'."""

    vote: Int[Tensor, "prompt"]  # whose spans these are; 0 where not ``found``
    spans: Float[Tensor, "prompt k 2"]  # seconds, sorted, valid ones first, padding zero
    span_mask: Bool[Tensor, "prompt k"]
    mean_iou: Float[Tensor, "prompt"]  # mean set IoU over pairs of different voters; 0 with fewer than two
    found: Bool[Tensor, "prompt"]  # whether any voter gave a span


class Consensus(NamedTuple):
    """Pseudo-label of each question with all that :func:`drop_reasons` asks of the vote."""

    answer: Int[Tensor, "prompt"]  # -1 for a *when* question: its answer is ``spans``
    agreement: Float[Tensor, "prompt"]
    tied: Bool[Tensor, "prompt"]
    none: Bool[Tensor, "prompt"]
    agrees: Bool[Tensor, "prompt vote"]  # the votes that gave the consensus answer
    spans: Float[Tensor, "prompt k 2"]  # medoid of the agreeing votes, seconds
    span_mask: Bool[Tensor, "prompt k"]
    mean_iou: Float[Tensor, "prompt"]  # among the agreeing votes


@dataclass(frozen=True)
class PoolRule:
    """Which questions enter the pool. The band is EvoVid's, R-Zero's code's and V-Zero's.

    Raises:
        TevoError: when a bar lies outside 0..1 or the band is empty.
    """

    agreement_low: float = 0.3  # share of votes; below: too hard
    agreement_high: float = 0.8  # share of votes; above: too easy
    min_consensus_iou: float = 0.3  # assumed; mean pairwise set IoU of the agreeing votes
    max_coverage: float = 0.8  # assumed; share of the video (guards against whole-video collapse)
    min_overlap_evidence: float = 0.3  # assumed; full view: set IoU with the Questioner's evidence
    max_answer_ratio: float = 2.0  # assumed; how much commoner an answer may be than its kind's second, fixed options

    def __post_init__(self) -> None:
        if self.max_answer_ratio < 1:
            raise TevoError(f"PoolRule.max_answer_ratio must be at least 1, got {self.max_answer_ratio}")
        for name, value in vars(self).items():
            if name != "max_answer_ratio" and not 0.0 <= value <= 1.0:
                raise TevoError(f"PoolRule.{name} is a share and must lie in 0..1, got {value}")
        if self.agreement_low > self.agreement_high:
            raise TevoError(
                f"the agreement band [{self.agreement_low}, {self.agreement_high}] is empty: "
                "agreement_low must not exceed agreement_high"
            )


def majority(answers: Int[Tensor, "prompt vote"], num_options: Int[Tensor, "prompt"]) -> Majority:
    """Majority vote (VZ, EV, RZ): ``y_hat = argmax_a #{votes = a}``, agreement ``c = #{votes = y_hat} / M``.

    "None" is a candidate like any other: where it wins, or nobody voted, there is no answer. A vote for an
    option that was not offered is "none" too.
    """
    prompts, votes = answers.shape
    width = int(num_options.max()) if prompts else 0
    offered = (answers >= 0) & (answers < num_options[:, None])
    slot = torch.where(offered, answers, width).long()
    counts = torch.zeros(prompts, width + 1, device=answers.device)
    counts.scatter_add_(1, slot, torch.ones_like(slot, dtype=counts.dtype))
    best = counts.amax(1)
    first = counts == best[:, None]
    winner = first.int().argmax(1)  # the lowest index on a tie: "none" comes last
    none = winner == width
    tied = (first.sum(1) > 1) & (best > 0)
    agreement = torch.where(none, 0.0, best / max(votes, 1))
    return Majority(torch.where(none | (best == 0), -1, winner), agreement, tied, none | (best == 0))


def medoid(
    spans: Float[Tensor, "prompt vote k 2"],
    span_mask: Bool[Tensor, "prompt vote k"],
    voters: Bool[Tensor, "prompt vote"],
) -> Medoid:
    """Consensus spans: ``tau_hat = argmax_j sum_k IoU(tau_j, tau_k)`` over the voters (assumed; VZ: voters agree).

    IoU is the set IoU of merged unions. Ties go to the earliest start, then the shortest union, then the
    smallest endpoints, so the order of the votes cannot matter. A voter without spans is never the medoid and
    agrees with nobody.
    """
    iou = _pairwise_iou(spans, span_mask, voters)
    values, valid = _sorted_spans(spans, span_mask)
    candidates = voters & valid.any(-1)
    found = candidates.any(1)
    # Sorted before summing: float addition in another order would give another sum, and another winner.
    score = iou.double().sort(-1).values.sum(-1)
    endpoints = torch.where(valid[..., None], values, torch.inf).flatten(2)
    keys = torch.cat(
        [-score[..., None], endpoints[..., :1].double(), union_length(values, valid)[..., None].double(), endpoints], -1
    )
    for key in keys.unbind(-1):  # narrows by one key at a time, all prompts at once
        best = key.masked_fill(~candidates, torch.inf).amin(1, keepdim=True)
        candidates = candidates & (key == best)
    index = candidates.int().argmax(1)
    rows = torch.arange(len(index), device=index.device)
    mask = valid[rows, index] & found[:, None]
    chosen = torch.where(mask[..., None], values[rows, index], 0.0)
    return Medoid(index, chosen, mask, _mean_of_pairs(iou, voters), found)


def span_vote(
    spans: Float[Tensor, "prompt vote k 2"], span_mask: Bool[Tensor, "prompt vote k"], min_iou: float = 0.5
) -> Consensus:
    """The vote of a *when* question, whose answer is the span itself (ALGORITHM 4).

    ``y_hat`` is the medoid of all votes, a vote agrees at set IoU >= ``min_iou``, agreement is the share of
    ALL M votes. Tied where a vote that does not agree with the medoid has as many followers as it has.
    """
    gave_span = _sorted_spans(spans, span_mask)[1].any(-1)
    centre = medoid(spans, span_mask, gave_span)
    near = gave_span[:, :, None] & (_pairwise_iou(spans, span_mask, gave_span) >= min_iou - _ROUNDING)
    followers = near.sum(-1)
    rows = torch.arange(len(spans), device=spans.device)
    agrees = near[rows, centre.vote] & centre.found[:, None]
    tied = (~agrees & (followers > 0) & (followers >= followers[rows, centre.vote][:, None])).any(1)
    iou = _mean_of_pairs(_pairwise_iou(spans, span_mask, agrees), agrees)
    return Consensus(
        answer=torch.full_like(centre.vote, -1),
        agreement=agrees.sum(1).to(spans.dtype) / max(agrees.shape[1], 1),
        tied=tied & centre.found,
        none=~centre.found,
        agrees=agrees,
        spans=centre.spans,
        span_mask=centre.span_mask,
        mean_iou=iou,
    )


def pseudo_labels(
    answers: Int[Tensor, "prompt vote"],
    num_options: Int[Tensor, "prompt"],
    spans: Float[Tensor, "prompt vote k 2"],
    span_mask: Bool[Tensor, "prompt vote k"],
    is_when: Bool[Tensor, "prompt"],
) -> Consensus:
    """Pseudo-labels of a mixed batch: :func:`span_vote` for *when* questions, else majority, then medoid.

    The medoid is taken over the votes that gave the majority answer only (VZ).
    """
    options = majority(answers, num_options)
    agrees = (answers == options.answer[:, None]) & ~options.none[:, None]
    centre = medoid(spans, span_mask, agrees)
    chosen = Consensus(*options, agrees, centre.spans, centre.span_mask, centre.mean_iou)
    timed = span_vote(spans, span_mask)
    rows = (is_when.view(-1, *[1] * (field.ndim - 1)) for field in chosen)
    return Consensus(*(torch.where(row, when, other) for row, when, other in zip(rows, timed, chosen, strict=True)))


def drop_reasons(
    vote: Consensus,
    coverage: Float[Tensor, "prompt"],
    windowed: Bool[Tensor, "prompt"],
    in_window: Bool[Tensor, "prompt"],
    evidence_iou: Float[Tensor, "prompt"],
    rule: PoolRule,
) -> Int[Tensor, "prompt"]:
    """Why each question is dropped, as an index into :data:`DROP_REASONS` (:data:`KEPT` = it stays).

    Args:
        vote: the consensus on each question.
        coverage: share of the video that the consensus spans cover.
        windowed: True where the Questioner saw a window (its own span is the label), False in the full view.
        in_window: whether the consensus overlaps that window; read where ``windowed``.
        evidence_iou: set IoU of the consensus and the Questioner's evidence; read where not ``windowed``.
        rule: the bars.
    """
    checks = {
        "tie": vote.tied,
        "no answer": vote.none,
        "too easy": vote.agreement > rule.agreement_high + _ROUNDING,
        "too hard": vote.agreement < rule.agreement_low - _ROUNDING,
        "spans disagree": vote.mean_iou < rule.min_consensus_iou - _ROUNDING,
        "whole video": coverage > rule.max_coverage + _ROUNDING,
        "outside the window": windowed & ~in_window,
        "evidence mismatch": ~windowed & (evidence_iou < rule.min_overlap_evidence - _ROUNDING),
        "kept": torch.ones_like(vote.tied),
    }
    return torch.stack([checks[name] for name in DROP_REASONS]).int().argmax(0)


def _pairwise_iou(spans: Tensor, span_mask: Tensor, voters: Tensor) -> Tensor:
    """Set IoU of every two voters, ``[prompt vote vote]``; 0 where either is no voter."""
    iou = set_iou(spans[:, :, None], span_mask[:, :, None], spans[:, None], span_mask[:, None])
    return torch.where(voters[:, :, None] & voters[:, None], iou, 0.0)


def _mean_of_pairs(iou: Tensor, voters: Tensor) -> Tensor:
    """Mean over ordered pairs of different voters; 0 with fewer than two, for one voice is no consensus."""
    other = ~torch.eye(iou.shape[-1], dtype=torch.bool, device=iou.device)
    total = torch.where(other, iou, 0.0).flatten(1).double().sort(-1).values.sum(-1)
    count = voters.sum(1)
    return (total / (count * (count - 1)).clamp(min=1)).to(iou.dtype)


def _sorted_spans(spans: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Each set's non-empty spans first, by start and then end; the padding is zero."""
    solid = mask & spans.isfinite().all(-1) & (spans[..., 1] > spans[..., 0])
    keyed = torch.where(solid[..., None], spans, math.inf)
    for column in (1, 0):
        order = keyed[..., column].argsort(dim=-1, stable=True)
        keyed = keyed.gather(-2, order[..., None].expand_as(keyed))
    valid = keyed[..., 0].isfinite()
    return torch.where(valid[..., None], keyed, 0.0), valid
