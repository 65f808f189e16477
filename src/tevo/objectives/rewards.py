"""Rewards of both roles, one pure function a term (ALGORITHM 3 and 5; what sampling them needs is the tasks').

VZ Video-Zero 2605.14733, ZZ Zoom-Zero 2512.14273, EV EvoVid 2605.21931, EG EvoGround 2605.13803, RZ R-Zero
2508.05004. Spans and durations in seconds. "Score" = share of the M Solver answers equal to the with-video
majority (an encoder's score = mean over views of ``p(y_hat)``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from tevo.ops import coverage, set_iou, span_iou

_ROUNDING = 1e-6  # shares are ratios of floats
_ROUNDING_S = 1e-3  # seconds: the resolution of the usual containers' time base


@dataclass(frozen=True)
class SolverWeights:
    """Weights of the Solver's reward; the answer's own is 1."""

    alpha: float = 0.3  # alignment (EV)
    zeta: float = 0.3  # zoom; assumed
    fmt: float = 0.1  # format (EV)
    extra: dict[str, float] = field(default_factory=dict)  # rewards of one's own: name (tevo list) or module:function


@dataclass(frozen=True)
class QuestionerWeights:
    """Weight of every term of the Questioner's reward; 0.0 switches a term off."""

    learnability: float = 1.0
    repetition: float = 1.0
    dependency: float = 1.0
    order: float = 1.0  # on top of the 0.1 inside the term
    evidence: float = 1.0
    band: bool = True  # assumed: pay the bonuses only inside the agreement band; False = k is always 1
    extra: dict[str, float] = field(default_factory=dict)  # rewards of one's own: name (tevo list) or module:function


# --- Solver -----------------------------------------------------------------------------------------------


def answer_reward(answers: Int[Tensor, "prompt group"], y_hat: Int[Tensor, "prompt"]) -> Float[Tensor, "prompt group"]:
    """``r_ans = 1[a = y_hat]`` (all papers). No answer (-1) is wrong, also where y_hat is missing."""
    return ((answers == y_hat[:, None]) & (answers >= 0)).float()


def when_reward(
    pred: Float[Tensor, "prompt group k 2"],
    pred_mask: Bool[Tensor, "prompt group k"],
    true: Float[Tensor, "prompt m 2"],
    true_mask: Bool[Tensor, "prompt m"],
    min_iou: float = 0.5,
) -> Float[Tensor, "prompt group"]:
    """``r_ans`` of a *when* question, whose answer is the span: ``1[IoU(pred, tau) >= min_iou]`` (assumed)."""
    iou = set_iou(pred, pred_mask, true[:, None], true_mask[:, None])
    return ((iou > 0) & (iou >= min_iou - _ROUNDING)).float()


def alignment_reward(
    pred: Float[Tensor, "prompt group k 2"],
    pred_mask: Bool[Tensor, "prompt group k"],
    true: Float[Tensor, "prompt m 2"],
    true_mask: Bool[Tensor, "prompt m"],
    duration_s: Float[Tensor, "prompt"],
    boundary_penalty: bool = False,
    max_coverage: float = 0.8,
) -> Float[Tensor, "prompt group"]:
    """``r_iou = |U(pred) ∩ U(tau)| / |U(pred) ∪ U(tau)| [(1 - |ds|/T)(1 - |de|/T)]`` (ZZ; penalty EG).

    U = merged union, ds and de = distances of first start and last end, T = the video's length. EG's penalty
    is for one span: for sets we take the hull. 0 for no span and for a set holding one that ends before it
    starts. Changed: 0 when the prediction covers more than ``max_coverage`` of the video (assumed), since
    "the whole video" overlaps every truth.
    """
    iou = set_iou(pred, pred_mask, true[:, None], true_mask[:, None])
    broken = (pred_mask & ~((pred[..., 1] >= pred[..., 0]) & pred.isfinite().all(-1))).any(-1)
    wide = coverage(pred, pred_mask, duration_s[:, None]) > max_coverage + _ROUNDING
    reward = torch.where(broken | wide, 0.0, iou)
    if boundary_penalty:
        length_s = duration_s[:, None].clamp(min=_ROUNDING_S)
        off = (_hull(pred, pred_mask) - _hull(true, true_mask)[:, None]).abs() / length_s[..., None]
        reward = torch.where(reward > 0, reward * (1 - off).clamp(min=0).prod(-1), 0.0)
    return reward


def zoom_reward(
    answers_zoom: Int[Tensor, "prompt group"], y_hat: Int[Tensor, "prompt"], has_span: Bool[Tensor, "prompt group"]
) -> Float[Tensor, "prompt group"]:
    """``r_zoom = 1[a_zoom = y_hat]``, a_zoom = the frozen reference's answer from the predicted spans alone (ZZ).

    Changed: equality instead of the published substring test (by which an empty answer is right), and no span
    is wrong instead of falling back to the whole video.
    """
    return answer_reward(answers_zoom, y_hat) * has_span.float()


def solver_reward(
    r_ans: Float[Tensor, "prompt group"],
    r_iou: Float[Tensor, "prompt group"],
    r_zoom: Float[Tensor, "prompt group"],
    r_fmt: Float[Tensor, "prompt group"],
    weights: SolverWeights,
    is_when: Bool[Tensor, "prompt"] | None = None,
    extra: Mapping[str, Tensor] | None = None,
) -> Float[Tensor, "prompt group"]:
    """``r_S = r_ans (1 + alpha r_iou + zeta r_zoom [+ sum_k w_k r_k]) + w_fmt r_fmt`` (VZ: gated by the answer).

    A *when* question's r_ans already is its span's reward, so there r_iou and r_zoom count 0. ``extra`` are rewards
    ``r_k`` of one's own, by the names they have in the weights.
    """
    bonus = weights.alpha * r_iou + weights.zeta * r_zoom
    if is_when is not None:
        bonus = torch.where(is_when[:, None], 0.0, bonus)
    return r_ans * (1 + bonus + extra_bonus(extra, weights.extra, r_ans)) + weights.fmt * r_fmt


def extra_bonus(
    extra: Mapping[str, Tensor] | None, weights: Mapping[str, float], like: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """``sum_k w_k r_k`` over the rewards of one's own; zeros of the shape of ``like`` where there are none."""
    total = torch.zeros_like(like)
    for name, values in (extra or {}).items():
        total = total + weights[name] * values
    return total


# --- Questioner -------------------------------------------------------------------------------------------


def learnability(agreement: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``min(c, 1 - c)``, c = share of the M answers equal to the majority (VZ, RZ)."""
    return torch.minimum(agreement, 1 - agreement)


def video_dependency(
    score_with: Float[Tensor, "*batch"], score_without: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """``max(0, score_with - score_without)``, without = the question's text only (VZ; the clamp is EV's)."""
    return (score_with - score_without).clamp(min=0)


def order_dependency(
    score_with: Float[Tensor, "*batch"], score_shuffled: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """``0.1 max(0, score_with - score_shuffled)``, shuffled = the same frames in another order (EV)."""
    return 0.1 * (score_with - score_shuffled).clamp(min=0)


def necessity(score_full: Float[Tensor, "*batch"], score_masked: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``max(0, score_full - score_masked)``, masked = the evidence removed (assumed form of VZ's informativeness)."""
    return (score_full - score_masked).clamp(min=0)


def sufficiency(score_key: Float[Tensor, "*batch"], score_random: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``max(0, score_key - score_random)``: the evidence alone against a random span as long (VZ's relevance)."""
    return (score_key - score_random).clamp(min=0)


def localisation(
    spans: Float[Tensor, "*batch k 2"],
    mask: Bool[Tensor, "*batch k"],
    duration_s: Float[Tensor, "*batch"],
    min_length_s: float = 3.0,
    token_s: float | None = None,
    start_s: Float[Tensor, "*batch"] | None = None,
    max_coverage: float = 0.5,
) -> Float[Tensor, "*batch"]:
    """1 for well-formed evidence, else 0 (VZ names the term; the form is assumed).

    Well-formed: at least one span; all inside ``[start_s, start_s + duration_s]``, in order, not overlapping,
    each at least ``min_length_s`` seconds OR two sampled frames (``token_s`` seconds apart) long; together no
    more than ``max_coverage`` of the video. ``start_s`` is the first pts (default 0).
    """
    begin = torch.zeros_like(duration_s) if start_s is None else start_s
    shortest_s = min_length_s if token_s is None else min(min_length_s, 2 * token_s)
    starts, ends = spans[..., 0], spans[..., 1]
    latest = torch.where(mask, ends, -torch.inf).cummax(-1).values
    previous = torch.cat([torch.full_like(latest[..., :1], -torch.inf), latest[..., :-1]], dim=-1)
    good = (
        (starts >= begin[..., None] - _ROUNDING_S)
        & (ends <= (begin + duration_s)[..., None] + _ROUNDING_S)
        & (starts >= previous - _ROUNDING_S)
        & (ends - starts >= shortest_s - _ROUNDING_S)
    )
    narrow = coverage(spans, mask, duration_s) <= max_coverage + _ROUNDING
    return (mask.any(-1) & (good | ~mask).all(-1) & narrow).float()


def evidence_quality(
    necessity: Float[Tensor, "*batch"], sufficiency: Float[Tensor, "*batch"], localisation: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Mean of the three evidence terms, 0..1 (VZ names them, the mean is assumed)."""
    return (necessity + sufficiency + localisation) / 3


def same_question(
    kind: Int[Tensor, "prompt group"],
    concept: Int[Tensor, "prompt group"],
    spans: Float[Tensor, "prompt group 2"],
    min_iou: float = 0.5,
) -> Bool[Tensor, "prompt group group"]:
    """Which questions of a text-free group repeat each other: same kind, same concept, tIoU > ``min_iou``.

    Stands in for the BLEU distance < 0.5 of RZ and EV. ``spans`` = each question's asked span (its hull).
    """
    alike = (kind[:, :, None] == kind[:, None]) & (concept[:, :, None] == concept[:, None])
    near = span_iou(spans[:, :, None], spans[:, None]) > min_iou
    return alike & near | torch.eye(kind.shape[1], dtype=torch.bool, device=kind.device)


def repetition(same: Bool[Tensor, "prompt group group"]) -> Float[Tensor, "prompt group"]:
    """``|cluster of the question| / G`` (RZ, EV), the question itself included, so 1/G is the floor.

    ``same`` says which pairs repeat each other. Changed: clusters are the connected components of that
    relation (single linkage; the papers link by the average), which needs no distances and no order. A
    clustering made elsewhere is passed as ``ids[:, :, None] == ids[:, None]``.
    """
    size = same.shape[-1]
    reach = (same | same.transpose(-1, -2) | torch.eye(size, dtype=torch.bool, device=same.device)).float()
    for _ in range(max(size - 1, 1).bit_length()):  # paths double in length each time
        reach = ((reach @ reach) > 0).float()
    return reach.sum(-1) / max(size, 1)


def in_band(agreement: Float[Tensor, "*batch"], low: float = 0.3, high: float = 0.8) -> Bool[Tensor, "*batch"]:
    """``k = 1[lo <= c <= hi]``, the band that the pool keeps (EV, RZ code, V0)."""
    return (agreement >= low - _ROUNDING) & (agreement <= high + _ROUNDING)


def questioner_reward(
    gate: Bool[Tensor, "*batch"],
    learnability: Float[Tensor, "*batch"],
    repetition: Float[Tensor, "*batch"],
    dependency: Float[Tensor, "*batch"],
    order: Float[Tensor, "*batch"],
    evidence: Float[Tensor, "*batch"],
    in_band: Bool[Tensor, "*batch"],
    weights: QuestionerWeights,
    extra: Mapping[str, Tensor] | None = None,
) -> Float[Tensor, "*batch"]:
    """``r_Q = gate (max(0, learnability - repetition) + k (dependency + order + evidence))``, each term weighted.

    ``gate`` = the question parsed. ``k`` = ``in_band`` (assumed): dependency and evidence grow with c, so
    without it the sum is greatest at c = 1, a question that the pool then drops. ``extra`` are rewards of one's own,
    added beside the evidence, by the names they have in the weights.
    """
    shown = in_band if weights.band else torch.ones_like(in_band)
    base = (weights.learnability * learnability - weights.repetition * repetition).clamp(min=0)
    bonus = weights.dependency * dependency + weights.order * order + weights.evidence * evidence
    bonus = bonus + extra_bonus(extra, weights.extra, base)
    return torch.where(gate, base + torch.where(shown, bonus, 0.0), 0.0)


def _hull(spans: Tensor, mask: Tensor) -> Tensor:
    """First start and last end of each set, ``[..., 2]``; ``[inf, -inf]`` for an empty one."""
    starts = torch.where(mask, spans[..., 0], torch.inf)
    ends = torch.where(mask, spans[..., 1], -torch.inf)
    first, last = pad(starts, (0, 1), value=torch.inf).amin(-1), pad(ends, (0, 1), value=-torch.inf).amax(-1)
    return torch.stack([first, last], dim=-1)
