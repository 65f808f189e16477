"""Accuracies that are no plain mean, and numbers that are nearly right, as torchmetrics modules. Points (0..100)."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from tevo.metrics.text import mean_relative_accuracy


class MacroAccuracy(Metric):
    """Mean over tasks of each task's accuracy (MLVU's M-Avg, MVBench); ``micro`` gives the mean over questions.

    Args:
        num_tasks: how many tasks there are.
        empty_is_zero: whether a task without a question counts 0, as in lmms-eval's MLVU, instead of not at all.
    """

    full_state_update = False
    higher_is_better = True
    num_right: Tensor
    num_questions: Tensor

    def __init__(self, num_tasks: int, empty_is_zero: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.empty_is_zero = empty_is_zero
        for name in ("num_right", "num_questions"):
            self.add_state(name, torch.zeros(num_tasks, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, right: Bool[Tensor, "question"], task: Int[Tensor, "question"]) -> None:
        """Add a batch of questions, each with the index of its task."""
        self.num_right.index_add_(0, task, right.long())
        self.num_questions.index_add_(0, task, torch.ones_like(task))

    def compute(self) -> Float[Tensor, ""]:
        """Macro average over everything seen; NaN before the first question."""
        by_task = self.num_right / self.num_questions
        if self.empty_is_zero:
            by_task = by_task.nan_to_num(nan=0.0)
        return 100 * by_task.nanmean()

    def micro(self) -> Float[Tensor, ""]:
        """Share of right answers over all questions seen."""
        return 100 * self.num_right.sum() / self.num_questions.sum()


class AllRightAccuracy(Metric):
    """Share of groups whose questions are all right: VNBench's four tries, VideoMathQA's multi-binary pairs.

    A group may be spread over batches and ranks.

    Args:
        size: right answers a group needs (4 for VNBench); None: one for each of its questions.
    """

    full_state_update = False
    higher_is_better = True
    right: list[Tensor]
    group: list[Tensor]

    def __init__(self, size: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.add_state("right", [], dist_reduce_fx="cat")
        self.add_state("group", [], dist_reduce_fx="cat")

    def update(self, right: Bool[Tensor, "question"], group: Int[Tensor, "question"]) -> None:
        """Add a batch of questions, each with the number of its group."""
        self.right.append(right.long())
        self.group.append(group)

    def compute(self) -> Float[Tensor, ""]:
        """Points over the groups seen; NaN before the first question."""
        right, group = _joined(self.right), _joined(self.group)
        numbers, place = torch.unique(group, return_inverse=True)
        hits = torch.zeros(len(numbers), dtype=torch.int64, device=right.device).index_add_(0, place, right)
        asked = torch.bincount(place, minlength=len(numbers))
        wanted = asked if self.size is None else torch.full_like(asked, self.size)
        return 100 * (hits == wanted).double().mean()


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    """A list state, which a sync over ranks has already made one tensor."""
    if isinstance(state, Tensor):
        return state
    return torch.cat(state) if state else torch.zeros(0, dtype=torch.int64)


class MeanRelativeAccuracy(Metric):
    """Mean over questions of the mean relative accuracy of a predicted number; NaN is an unparsed one and counts 0."""

    full_state_update = False
    higher_is_better = True
    total: Tensor
    num_questions: Tensor
    num_unparsed: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("num_questions", "num_unparsed"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, pred: Float[Tensor, "question"], true: Float[Tensor, "question"]) -> None:
        """Add a batch of numbers."""
        pairs = zip(pred.double().tolist(), true.double().tolist(), strict=True)
        self.total += sum(mean_relative_accuracy(ours, theirs) for ours, theirs in pairs)
        self.num_questions += len(true)
        self.num_unparsed += pred.isnan().sum()

    def compute(self) -> Float[Tensor, ""]:
        """Points over everything seen; NaN before the first question."""
        return 100 * self.total / self.num_questions
