"""Overlap of single spans and of span sets as the benchmarks' scorers compute it, quirks included.

Plain floats in double precision and in the scorers' own order of operations: whether a hit lies exactly on a
threshold must not depend on rounding here. Spans are ``(start, end)`` in seconds as they were predicted or
annotated, so they may be inverted; :mod:`tevo.ops` has the tensor forms without these traps.
"""

import math
from collections.abc import Callable, Sequence

Pair = tuple[float, float]
PairIoU = Callable[[Pair, Pair], float]


def hull_iou(pred: Pair, true: Pair, undefined: float = 0.0) -> float:
    """Temporal IoU over the hull: shared / (max end - min start); the same as over the union when they overlap.

    Args:
        pred: predicted span; an inverted one shares nothing.
        true: annotated span.
        undefined: value when the hull has no length (two equal points). 0 in OneThinker, lmms-eval and V-STaR;
            NaN in Time-R1 and 2D-TAN; TimeChat divides by zero there, NaN here.
    """
    shared = max(0.0, min(pred[1], true[1]) - max(pred[0], true[0]))
    hull = max(pred[1], true[1]) - min(pred[0], true[0])
    return shared / hull if hull > 0 else undefined


def union_iou(pred: Pair, true: Pair) -> float:
    """Temporal IoU over the union, shared / (length + length - shared); 0 when that is not above 0."""
    shared = max(0.0, min(pred[1], true[1]) - max(pred[0], true[0]))
    union = (pred[1] - pred[0]) + (true[1] - true[0]) - shared
    return shared / union if union > 0 else 0.0


def lita_iou(pred: Pair, true: Pair) -> float:
    """LITA's union IoU: an inverted span is an error there, NaN here."""
    return math.nan if pred[1] < pred[0] or true[1] < true[0] else union_iou(pred, true)


def nextgqa_overlap(pred: Sequence[float], true: Pair) -> tuple[float, float]:
    """IoU and IoP of NExT-GQA's scorer: hull IoU and shared / predicted length, both signed.

    Args:
        pred: only the first and the last number count. A point inside the truth is (0, **1**): it wins Acc@GQA
            without saying when anything happens. Apart spans are below 0; the scorer floors the maximum.
        true: annotated span.
    """
    start, end = pred[0], pred[-1]
    if start == end:
        return 0.0, 1.0 if true[0] <= start <= true[1] else 0.0
    shared = min(true[1], end) - max(true[0], start)
    hull = max(true[1], end) - min(true[0], start)
    return shared / hull if hull > 0 else 0.0, shared / (end - start) if end > start else 0.0


def nextgqa_best(pred: Sequence[float], true: Sequence[Pair]) -> tuple[float, float]:
    """Best IoU and best IoP over the annotated spans, each on its own, at least 0."""
    pairs = [nextgqa_overlap(pred, span) for span in true]
    return max([0.0, *(iou for iou, _ in pairs)]), max([0.0, *(iop for _, iop in pairs)])


def best_per_truth(pred: Sequence[Pair], true: Sequence[Pair]) -> tuple[float, float]:
    """Video-Zero: for every annotated span the best IoU of any predicted one; their mean and their maximum."""
    if not pred or not true:
        return 0.0, 0.0
    best = [max(union_iou(span, truth) for span in pred) for truth in true]
    return sum(best) / len(best), max(best)


def merged(spans: Sequence[Pair]) -> list[Pair]:
    """Spans sorted by start, overlapping or touching ones made one."""
    out: list[Pair] = []
    for start, end in sorted(spans, key=lambda span: span[0]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def merged_iou(pred: Sequence[Pair], true: Sequence[Pair], undefined: float = 0.0) -> float:
    """Set IoU of CG-Bench and Zoom-Zero: shared seconds of the merged sets over their union.

    Args:
        pred: predicted spans.
        true: annotated spans.
        undefined: value when the union has no length: 0 in CG-Bench, 1 in Zoom-Zero's evaluation.
    """
    ours, theirs = merged(pred), merged(true)
    shared = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in ours for b in theirs)
    union = sum(end - start for start, end in ours) + sum(end - start for start, end in theirs) - shared
    if union == 0 or (union < 0 and undefined == 0):
        return undefined
    return shared / union
