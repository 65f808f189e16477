"""Ranked windows and highlights as torchmetrics modules: mAP, R@n and HIT@1, in points (0..100).

Windows are predicted with a score; the functions of one query are in :mod:`tevo.metrics.ranking`. A query without
a predicted window counts 0; one without an annotated span is left out.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric

from tevo.metrics.overlap import Pair
from tevo.metrics.ranking import MAP_THRESHOLDS, average_precision, hit_at_one, recall_at_n

Windows = list[tuple[float, ...]]


class _Ranked(Metric):
    """Sums over queries."""

    full_state_update = False
    higher_is_better = True
    total: Tensor
    num_queries: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_queries", torch.tensor(0), dist_reduce_fx="sum")

    def compute(self) -> Float[Tensor, ""]:
        """Points over everything seen; NaN before the first query with a truth."""
        return 100 * self.total / self.num_queries

    def _add(self, values: Sequence[float]) -> None:
        self.total += sum(values)
        self.num_queries += len(values)


class MeanAveragePrecision(_Ranked):
    """Mean over queries and tIoU thresholds of average precision (QVHighlights: .5, .55, ... .95).

    Args:
        thresholds: of tIoU, with ``>=``.
    """

    def __init__(self, thresholds: Sequence[float] = MAP_THRESHOLDS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.thresholds = tuple(thresholds)

    def update(
        self,
        pred: Float[Tensor, "query k 2"],
        pred_mask: Bool[Tensor, "query k"],
        scores: Float[Tensor, "query k"],
        true: Float[Tensor, "query m 2"],
        true_mask: Bool[Tensor, "query m"],
    ) -> None:
        """Add a batch of queries; windows in any order, ``scores`` rank them."""
        found = []
        for windows, truth in _by_query(torch.cat([pred, scores.unsqueeze(-1)], dim=-1), pred_mask, true, true_mask):
            ranked = sorted(windows, key=lambda window: -window[2])
            precisions = average_precision(ranked, truth, self.thresholds)
            found.append(sum(precisions) / len(precisions))
        self._add(found)


class RecallAtN(_Ranked):
    """R@n at one tIoU threshold: share of queries with a hit among the n windows of the highest score.

    Args:
        n: windows that are looked at.
        threshold: of tIoU, 0..1.
        strict: ``>`` instead of ``>=``.
    """

    def __init__(self, n: int, threshold: float, strict: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.threshold = threshold
        self.strict = strict

    def update(
        self,
        pred: Float[Tensor, "query k 2"],
        pred_mask: Bool[Tensor, "query k"],
        scores: Float[Tensor, "query k"],
        true: Float[Tensor, "query m 2"],
        true_mask: Bool[Tensor, "query m"],
    ) -> None:
        """Add a batch of queries; windows in any order, ``scores`` rank them."""
        found = []
        for windows, truth in _by_query(torch.cat([pred, scores.unsqueeze(-1)], dim=-1), pred_mask, true, true_mask):
            ranked = [(window[0], window[1]) for window in sorted(windows, key=lambda window: -window[2])]
            found.append(float(recall_at_n(ranked, truth, self.n, self.threshold, self.strict)))
        self._add(found)


class HitAtOne(_Ranked):
    """HIT@1: share of videos whose clip of the highest predicted saliency is a highlight for any rater."""

    def update(self, saliency: Float[Tensor, "video clip"], positive: Bool[Tensor, "video clip rater"]) -> None:
        """Add a batch of videos with equally many clips."""
        pairs = zip(saliency, positive, strict=True)
        self._add([hit_at_one(scores.tolist(), rated.double().numpy(force=True)) for scores, rated in pairs])


def _by_query(pred: Tensor, pred_mask: Tensor, true: Tensor, true_mask: Tensor) -> list[tuple[Windows, list[Pair]]]:
    """Windows and annotated spans of each query that has a truth, without the padding."""
    found = []
    for windows, kept, spans, known in zip(pred.double(), pred_mask, true.double(), true_mask, strict=True):
        truth = [(start, end) for start, end in spans[known].tolist()]
        if truth:
            found.append(([tuple(window) for window in windows[kept].tolist()], truth))
    return found
