"""The numbers as pure functions of tensors: one row a question, results in points (0..100).

Overlaps come from :func:`tevo.ops.set_iou` and :func:`tevo.ops.set_iop`, on merged unions of spans.
"""

from jaxtyping import Bool, Float
from torch import Tensor

THRESHOLDS = (0.3, 0.5, 0.7)
"""IoU thresholds of R@1 in every table."""

_ROUNDING = 1e-6  # 1.5 s of 3 s must count as 0.5 however the floats fall: hits on the threshold are common


def reaches(overlap: Float[Tensor, "question"], threshold: float, strict: bool = False) -> Bool[Tensor, "question"]:
    """Whether each overlap is at the threshold or above it (above it when ``strict``), 0..1."""
    return overlap > threshold + _ROUNDING if strict else overlap >= threshold - _ROUNDING


def mean_points(values: Float[Tensor, "question"]) -> Float[Tensor, ""]:
    """Mean of shares (0..1) in points; mIoU when the shares are IoUs. NaN for no question at all."""
    return 100 * values.mean()


def recall_at(iou: Float[Tensor, "question"], threshold: float, strict: bool = False) -> Float[Tensor, ""]:
    """R@1: share of questions whose IoU reaches the threshold, in points. NaN for no question at all.

    ``R@t = 100 / N * sum_i 1[iou_i >= t]``

    Args:
        iou: overlap of each question's prediction with its truth, 0..1; no prediction is 0.
        threshold: t, 0..1.
        strict: ``>`` instead of ``>=``. The field is split: Time-R1 and 2D-TAN are strict; TimeChat,
            VTimeLLM, NExT-GQA and QVHighlights are not.
    """
    return 100 * reaches(iou, threshold, strict).to(iou.dtype).mean()


def grounded_share(
    right: Bool[Tensor, "question"], overlap: Float[Tensor, "question"], threshold: float = 0.5
) -> Float[Tensor, ""]:
    """Share of questions with the answer right AND the overlap at the threshold or above, in points.

    With IoP (the part of the prediction that lies in the truth) this is Acc@GQA (NExT-GQA); with IoU it
    is the stricter figure beside it: IoP alone rewards short spans, IoU does not.
    """
    return 100 * (right & reaches(overlap, threshold)).to(overlap.dtype).mean()
