"""What every table is made of: columns of one value a question, and the figures that a scorer prints of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tevo.metrics.answered import Answered

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Figure:
    """A printed number.

    Attributes:
        value: unrounded, in the scale that the scorer prints.
        decimals: that the scorer prints or rounds to.
        points: whether the scale is 0..100 rather than 0..1.
    """

    value: float
    decimals: int = 2
    points: bool = True

    @property
    def rounded(self) -> float:
        """As the scorer gives it."""
        return float(f"{self.value:.{self.decimals}f}")


@dataclass(frozen=True, slots=True)
class Unit:
    """What one value of a column stands for: a question, or several that only count together."""

    qid: str
    video: str
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """A benchmark scored under one protocol.

    Attributes:
        units: what was counted, in the order of the annotations.
        columns: metric -> one value (0..1) a unit; None where the protocol does not count the unit.
        figures: the scorer's own table, under its own names and in its own scale.
    """

    units: tuple[Unit, ...]
    columns: Mapping[str, tuple[float | None, ...]]
    figures: Mapping[str, Figure]

    def values(self) -> dict[str, float]:
        """Figures by name, unrounded."""
        return {name: figure.value for name, figure in self.figures.items()}


Table = Callable[[Sequence[Answered]], Scored]


def mean(values: Values) -> float:
    """Mean of what is counted; NaN when nothing is."""
    counted = [value for value in values if value is not None]
    return sum(counted) / len(counted) if counted else math.nan


def flags(values: Sequence[bool | None]) -> tuple[float | None, ...]:
    """True and False as 1 and 0; None stays."""
    return tuple(None if value is None else float(value) for value in values)


def reached(values: Values, threshold: float, strict: bool = False) -> tuple[float | None, ...]:
    """Whether each value is at the threshold or above it (above it when ``strict``), exactly, without tolerance."""
    return flags([None if v is None else v > threshold if strict else v >= threshold for v in values])


def both(first: Values, second: Values) -> tuple[float | None, ...]:
    """1 where both are 1; None where either is not counted."""
    return flags([None if a is None or b is None else a == b == 1 for a, b in zip(first, second, strict=True)])


def units_of(rows: Sequence[Answered]) -> tuple[Unit, ...]:
    """One unit a question, with its type among the groups."""
    return tuple(Unit(row.qid, row.video, groups_of(row)) for row in rows)


def groups_of(row: Answered) -> dict[str, tuple[str, ...]]:
    """The groups of a question; its task is one of them."""
    return ({"task": (row.task,)} if row.task else {}) | dict(row.groups)


def by_group(values: Values, units: Sequence[Unit], name: str) -> dict[str, float]:
    """Mean of a column over the units of each label, labels in their order of appearance."""
    found: dict[str, list[float | None]] = {}
    for value, unit in zip(values, units, strict=True):
        for label in unit.groups.get(name, ()):
            found.setdefault(label, []).append(value)
    return {label: mean(group) for label, group in found.items()}


def macro(by_label: Mapping[str, float], labels: Sequence[str] | None = None) -> float:
    """Mean of group means; with ``labels`` over exactly these, one that is empty or absent counting 0."""
    chosen = list(by_label.values()) if labels is None else [by_label.get(label, 0.0) for label in labels]
    chosen = [0.0 if labels is not None and math.isnan(value) else value for value in chosen]
    return sum(chosen) / len(chosen) if chosen else math.nan


def points(values: Values, decimals: int = 2) -> Figure:
    """Mean of a column in points."""
    return Figure(100 * mean(values), decimals)


def share(values: Values, decimals: int = 4) -> Figure:
    """Mean of a column as a share."""
    return Figure(mean(values), decimals, points=False)
