"""Question answering, and answering from the right place, as torchmetrics modules. Points (0..100).

Answers are option indices. A predicted answer of -1 was not parsed: it is wrong and counted in
``num_unparsed``. A true answer of -1 says that the question is not multiple choice (*when* questions,
whose answer is the span, are such): it is left out.
"""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from tevo.metrics.grounding import MeanIoU, RecallAtIoU
from tevo.metrics.scores import THRESHOLDS, reaches
from tevo.ops import set_iop, set_iou


class AnswerAccuracy(Metric):
    """Share of multiple-choice questions answered rightly, in points."""

    full_state_update = False
    higher_is_better = True
    num_right: Tensor
    num_questions: Tensor
    num_unparsed: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("num_right", "num_questions", "num_unparsed"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, answers: Int[Tensor, "question"], true_answers: Int[Tensor, "question"]) -> None:
        """Add a batch of questions."""
        asked = true_answers >= 0
        self.num_right += (asked & (answers == true_answers)).sum()
        self.num_unparsed += (asked & (answers < 0)).sum()
        self.num_questions += asked.sum()

    def compute(self) -> Float[Tensor, ""]:
        """Points over everything seen; NaN before the first multiple-choice question."""
        return 100 * self.num_right / self.num_questions


class GroundedAccuracy(Metric):
    """Share of multiple-choice questions with the answer right AND the span overlapping, in points.

    Args:
        measure: ``"iop"`` is Acc@GQA (NExT-GQA; a merged union of spans, missing predictions counted as
            wrong); ``"iou"`` the stricter figure that short spans cannot win.
        threshold: overlap wanted, 0..1.
    """

    full_state_update = False
    higher_is_better = True
    num_right: Tensor
    num_questions: Tensor

    def __init__(
        self,
        measure: Literal["iop", "iou"] = "iop",
        threshold: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.overlap = {"iop": set_iop, "iou": set_iou}[measure]
        self.threshold = threshold
        self.add_state("num_right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("num_questions", torch.tensor(0), dist_reduce_fx="sum")

    def update(
        self,
        pred: Float[Tensor, "question k 2"],
        pred_mask: Bool[Tensor, "question k"],
        true: Float[Tensor, "question m 2"],
        true_mask: Bool[Tensor, "question m"],
        answers: Int[Tensor, "question"],
        true_answers: Int[Tensor, "question"],
    ) -> None:
        """Add a batch of questions."""
        asked = (true_answers >= 0) & true_mask.any(dim=1)
        grounded = reaches(self.overlap(pred, pred_mask, true, true_mask), self.threshold)
        self.num_right += (asked & (answers == true_answers) & grounded).sum()
        self.num_questions += asked.sum()

    def compute(self) -> Float[Tensor, ""]:
        """Points over everything seen; NaN before the first multiple-choice question with a truth."""
        return 100 * self.num_right / self.num_questions


class ValidationMetrics(nn.Module):
    """Every metric of a validation loop, under the names of the results file.

    Give it to a LightningModule as an attribute: its states follow the device and are summed over ranks.

    Args:
        prefix: put before every name, e.g. ``"test/"``.
    """

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix
        metrics: dict[str, Metric | MetricCollection] = {"mIoU": MeanIoU()}
        metrics |= {f"R1@{_inner(t)}": RecallAtIoU(t) for t in THRESHOLDS}
        metrics |= {"acc": AnswerAccuracy(), "acc_gqa": GroundedAccuracy("iop"), "acc_iou50": GroundedAccuracy("iou")}
        # Not grouped: torchmetrics would merge two thresholds whose first batch happens to agree.
        self.metrics = MetricCollection(metrics, compute_groups=False)

    def update(self, **batch: Tensor) -> None:
        """Add a batch: ``pred``, ``pred_mask``, ``true``, ``true_mask``, ``answers``, ``true_answers``."""
        self.metrics.update(**batch)

    def compute(self) -> dict[str, Tensor]:
        """Points over everything seen, on all ranks; NaN where nothing was counted."""
        names = {f"R1@{_inner(t)}": f"R1@{t}" for t in THRESHOLDS}
        return {self.prefix + names.get(name, name): value for name, value in self.metrics.compute().items()}

    def reset(self) -> None:
        """Forget everything seen."""
        self.metrics.reset()


def _inner(threshold: float) -> str:
    return str(threshold).replace(".", "_")  # torch forbids a dot in a module's name
