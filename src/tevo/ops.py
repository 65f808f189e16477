"""Pure tensor arithmetic that several rooms use: overlap of span sets, masked means, group normalisation.

Spans are ``[start_s, end_s]`` in seconds; masks are True where VALID. A span whose mask is False, whose end
does not lie after its start, or whose bounds are not finite is empty: it measures nothing anywhere here.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def span_iou(a: Float[Tensor, "*#batch 2"], b: Float[Tensor, "*#batch 2"]) -> Float[Tensor, "..."]:
    """Temporal IoU of single spans, ``|a ∩ b| / |a ∪ b|``; leading axes broadcast.

    Two spans of length zero (or inverted ones) have IoU 0, never NaN.
    """
    shared = (torch.minimum(a[..., 1], b[..., 1]) - torch.maximum(a[..., 0], b[..., 0])).clamp(min=0)
    joint = (a[..., 1] - a[..., 0]).clamp(min=0) + (b[..., 1] - b[..., 0]).clamp(min=0) - shared
    return _ratio(shared, joint)


def set_iou(
    pred: Float[Tensor, "*#batch k 2"],
    pred_mask: Bool[Tensor, "*#batch k"],
    true: Float[Tensor, "*#batch m 2"],
    true_mask: Bool[Tensor, "*#batch m"],
) -> Float[Tensor, "..."]:
    """IoU of two span SETS on their merged unions, ``|U(A) ∩ U(B)| / |U(A) ∪ U(B)|``; leading axes broadcast.

    Overlapping spans inside one set count once. Disjoint sets give exactly 0, equal sets exactly 1, and the
    value does not depend on the order of the sets or of the spans. Two empty sets have IoU 0: no evidence
    is not agreement.
    """
    measure = _sweep(pred, pred_mask, true, true_mask)
    return _ratio(measure.shared, measure.joint)


def set_iop(
    pred: Float[Tensor, "*#batch k 2"],
    pred_mask: Bool[Tensor, "*#batch k"],
    true: Float[Tensor, "*#batch m 2"],
    true_mask: Bool[Tensor, "*#batch m"],
) -> Float[Tensor, "..."]:
    """Intersection over prediction, ``|U(A) ∩ U(B)| / |U(A)|``; 0 when nothing is predicted."""
    measure = _sweep(pred, pred_mask, true, true_mask)
    return _ratio(measure.shared, measure.first)


def union_length(spans: Float[Tensor, "*batch k 2"], mask: Bool[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
    """Seconds covered by the merged union of a set of spans."""
    return _sweep(spans, mask, spans[..., :0, :], mask[..., :0]).first


def coverage(
    spans: Float[Tensor, "*batch k 2"], mask: Bool[Tensor, "*batch k"], duration_s: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch"]:
    """Share of the video, 0..1, that the merged union covers (what lies outside the video counts too)."""
    tiny = torch.finfo(spans.dtype).tiny
    return (union_length(spans, mask) / duration_s.clamp(min=tiny)).clamp(max=1.0)


def masked_mean(x: Float[Tensor, "..."], mask: Bool[Tensor, "..."], dim: int | tuple[int, ...]) -> Float[Tensor, "..."]:
    """Mean of the valid entries along ``dim``; 0 where none is valid. Masked NaN and inf do not leak."""
    total = torch.where(mask, x, 0.0).sum(dim)
    return total / mask.expand_as(x).sum(dim).clamp(min=1)


def group_normalise(
    x: Float[Tensor, "..."],
    mask: Bool[Tensor, "..."] | None = None,
    dim: int | tuple[int, ...] = -1,
    eps: float = 1e-6,
) -> Float[Tensor, "..."]:
    """Advantage of each member over its group: ``(x - mean) / (std + eps)``, population std (ALGORITHM 6).

    A group whose values differ by no more than ``eps`` gives exactly zero: a mean of equal floats may be off
    by a bit, and dividing that bit by eps would turn rounding into advantage. Masked entries neither count
    nor receive anything.
    """
    valid = torch.ones_like(x, dtype=torch.bool) if mask is None else mask.expand_as(x)
    count = valid.sum(dim, keepdim=True).clamp(min=1)
    mean = torch.where(valid, x, 0.0).sum(dim, keepdim=True) / count
    centred = torch.where(valid, x - mean, 0.0)
    std = (centred.square().sum(dim, keepdim=True) / count).sqrt()
    spread = centred.amax(dim, keepdim=True) - centred.amin(dim, keepdim=True)
    return torch.where(valid & (spread > eps), centred / (std + eps), 0.0)


class _Measure(NamedTuple):
    first: Float[Tensor, "..."]  # |U(A)|
    shared: Float[Tensor, "..."]  # |U(A) ∩ U(B)|
    joint: Float[Tensor, "..."]  # |U(A) ∪ U(B)|


def _sweep(a: Tensor, a_mask: Tensor, b: Tensor, b_mask: Tensor) -> _Measure:
    """Exact measures of two span sets: sort every endpoint, count open spans of each set between neighbours.

    No subtraction of large unions is involved, so disjoint sets share exactly nothing. Empty spans become
    points at infinity that open nothing.
    """
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2], a_mask.shape[:-1], b_mask.shape[:-1])  # type: ignore[no-untyped-call]
    first, second = a.shape[-2], b.shape[-2]
    spans = torch.cat([a.expand(*batch, first, 2), b.expand(*batch, second, 2)], dim=-2)
    mask = torch.cat([a_mask.expand(*batch, first), b_mask.expand(*batch, second)], dim=-1)
    solid = mask & spans.isfinite().all(-1) & (spans[..., 1] > spans[..., 0])
    points = torch.where(solid.unsqueeze(-1), spans, torch.inf).transpose(-1, -2).flatten(-2)
    points, order = points.sort(dim=-1)
    gaps = points[..., 1:] - points[..., :-1]
    of_first = torch.arange(first + second, device=spans.device) < first

    def inside(owner: Tensor) -> Tensor:
        opened = (solid & owner).to(torch.int32)
        steps = torch.cat([opened, -opened], dim=-1).gather(-1, order)
        return steps.cumsum(-1)[..., :-1] > 0

    in_a, in_b = inside(of_first), inside(~of_first)
    return _Measure(*(torch.where(where, gaps, 0.0).sum(-1) for where in (in_a, in_a & in_b, in_a | in_b)))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole``, 0 where the whole is empty."""
    return torch.where(whole > 0, part / torch.where(whole > 0, whole, 1.0), 0.0)
