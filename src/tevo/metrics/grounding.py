"""Temporal grounding as torchmetrics modules: sums and counts that add up over batches and ranks.

Every module takes the same padded spans (seconds; masks True where valid) and reports points (0..100).
A row whose ``pred_mask`` is all False is a question without a prediction: its IoU is 0 and it is
counted, in the mean and in ``num_missing``. A row whose ``true_mask`` is all False has no truth to
compare with and is left out.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric

from tevo.metrics.scores import reaches
from tevo.ops import set_iou


class MeanIoU(Metric):
    """mIoU: mean IoU between the union of the predicted spans and the union of the true ones, in points."""

    full_state_update = False
    higher_is_better = True
    total: Tensor
    num_questions: Tensor
    num_missing: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("num_questions", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("num_missing", torch.tensor(0), dist_reduce_fx="sum")

    def update(
        self,
        pred: Float[Tensor, "question k 2"],
        pred_mask: Bool[Tensor, "question k"],
        true: Float[Tensor, "question m 2"],
        true_mask: Bool[Tensor, "question m"],
    ) -> None:
        """Add a batch of questions."""
        known = true_mask.any(dim=1)
        self.total += set_iou(pred, pred_mask, true, true_mask)[known].sum()
        self.num_questions += known.sum()
        self.num_missing += (known & ~pred_mask.any(dim=1)).sum()

    def compute(self) -> Float[Tensor, ""]:
        """Points over everything seen; NaN before the first question with a truth."""
        return 100 * self.total / self.num_questions


class RecallAtIoU(Metric):
    """R@1 at one IoU threshold: share of questions that reach it, in points.

    Args:
        threshold: t, 0..1.
        strict: ``>`` instead of ``>=``; see :func:`tevo.metrics.recall_at` for who does which.
    """

    full_state_update = False
    higher_is_better = True
    hits: Tensor
    num_questions: Tensor

    def __init__(self, threshold: float, strict: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold
        self.strict = strict
        self.add_state("hits", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("num_questions", torch.tensor(0), dist_reduce_fx="sum")

    def update(
        self,
        pred: Float[Tensor, "question k 2"],
        pred_mask: Bool[Tensor, "question k"],
        true: Float[Tensor, "question m 2"],
        true_mask: Bool[Tensor, "question m"],
    ) -> None:
        """Add a batch of questions."""
        known = true_mask.any(dim=1)
        iou = set_iou(pred, pred_mask, true, true_mask)[known]
        self.hits += reaches(iou, self.threshold, self.strict).sum()
        self.num_questions += known.sum()

    def compute(self) -> Float[Tensor, ""]:
        """Points over everything seen; NaN before the first question with a truth."""
        return 100 * self.hits / self.num_questions
