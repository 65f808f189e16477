"""How sure a difference between two runs is: paired bootstrap over the same questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tevo.errors import TevoError


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the interval around it, in the unit of what was compared."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    ours: Sequence[float],
    theirs: Sequence[float],
    groups: Sequence[str] | None = None,
    num_samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Mean difference ``ours - theirs`` and its percentile bootstrap interval.

    Args:
        ours: one score a question (an IoU, or 0 and 1 for an answer).
        theirs: the scores of the other run on the same questions in the same order.
        groups: what is drawn together, usually the video of each question: questions about one video
            fail together, and an interval that ignores this is too narrow. None draws questions.
        num_samples: bootstrap draws.
        confidence: share of the draws inside the interval, 0..1.
        seed: of the draws.

    Raises:
        TevoError: when the lengths differ or there is nothing to compare.
    """
    names = list(groups) if groups is not None else [str(index) for index in range(len(ours))]
    if not len(ours) == len(theirs) == len(names) or not names:
        raise TevoError(
            f"a paired comparison needs the same questions on both sides, got {len(ours)} and {len(theirs)} scores "
            f"and {len(names)} groups: score both runs on one annotation file"
        )
    index_of = {name: index for index, name in enumerate(dict.fromkeys(names))}
    group = torch.tensor([index_of[name] for name in names])
    difference = torch.tensor(ours, dtype=torch.float64) - torch.tensor(theirs, dtype=torch.float64)
    sums = torch.zeros(len(index_of), dtype=torch.float64).index_add(0, group, difference)
    sizes = torch.bincount(group, minlength=len(index_of)).double()
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(len(index_of), (num_samples, len(index_of)), generator=generator)
    means = sums[draws].sum(1) / sizes[draws].sum(1)
    tail = (1 - confidence) / 2
    low, high = torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return Interval(float(difference.mean()), low, high)
