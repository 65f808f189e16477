"""Two models on the same questions: the difference of every metric, and how sure it is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from tevo.metrics.answered import answered
from tevo.metrics.bootstrap import paired_bootstrap
from tevo.metrics.protocols import scorer
from tevo.metrics.tables.base import Scored
from tevo.structures import Question


class Difference(TypedDict):
    """Theirs taken from ours, in points, with the bounds of the bootstrap interval."""

    mean: float
    low: float
    high: float
    pairs: int  # questions (or what counts together) that the protocol counts for both
    alone: int  # that it counts for one of the two only, and that are not in the difference


def compare_predictions(
    benchmark: str,
    protocol: str,
    questions: Sequence[Question],
    ours: Mapping[str, Mapping[str, Any]],
    theirs: Mapping[str, Mapping[str, Any]],
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """The difference of every column of a scorer's table, question by question; videos are drawn.

    Args:
        benchmark: its name.
        protocol: one of :data:`tevo.metrics.protocols.PROTOCOLS`.
        questions: what was asked, with the right answers and evidence.
        ours: prediction rows by question id.
        theirs: those of the model that ours is compared with.
        confidence: of the intervals, 0..1.
        seed: of the draws.
    """
    table = scorer(benchmark, protocol)
    own, other = (
        table([answered(question, rows.get(question.id)) for question in questions]) for rows in (ours, theirs)
    )
    shared = [name for name in own.columns if name in other.columns]
    found = {name: _difference(name, own, other, confidence, seed) for name in shared}
    return {name: difference for name, difference in found.items() if difference is not None}


def _difference(name: str, ours: Scored, theirs: Scored, confidence: float, seed: int) -> Difference | None:
    others = {unit.qid: value for unit, value in zip(theirs.units, theirs.columns[name], strict=True)}
    both = [(unit, value, others.get(unit.qid)) for unit, value in zip(ours.units, ours.columns[name], strict=True)]
    pairs = [(unit, a, b) for unit, a, b in both if a is not None and b is not None]
    alone = sum((a is None) != (b is None) for _, a, b in both)
    if not pairs or any(math.isnan(a + b) for _, a, b in pairs):
        return None
    groups = [unit.video or unit.qid for unit, _, _ in pairs]
    own, other = [100 * a for _, a, _ in pairs], [100 * b for _, _, b in pairs]
    interval = paired_bootstrap(own, other, groups, confidence=confidence, seed=seed)
    return Difference(mean=interval.mean, low=interval.low, high=interval.high, pairs=len(pairs), alone=alone)
