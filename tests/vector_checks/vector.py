"""A vector: what an official scorer answered, beside the inputs it was given; and one compared figure."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXACT = 1e-6


@dataclass(frozen=True)
class Vector:
    """One ``*_expected`` or ``*_cases`` file with the ``_gt`` and ``_pred`` files of its name."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem.removesuffix("_expected")

    @property
    def expected(self) -> Any:
        return read(self.path)

    @property
    def gt(self) -> Any:
        return read(self._beside("gt"))

    @property
    def pred(self) -> Any:
        return read(self._beside("pred"))

    def shared(self, without: str, part: str) -> Any:
        """A file of the vector that this one is a variant of: of ``x_gs``, ``x_gt.json``."""
        return read(self.path.with_name(f"{self.name.replace(without, '')}_{part}.json"))

    def _beside(self, part: str) -> Path:
        return self.path.with_name(f"{self.name}_{part}.json")


@dataclass(frozen=True)
class Compared:
    """One figure of ours and of the official scorer, which may round or print it with some decimals."""

    figure: str
    ours: Any
    theirs: Any
    decimals: int | None = None

    @property
    def difference(self) -> float:
        """With our figure rounded as theirs is."""
        if self.decimals is None or not is_number(self.ours):
            return difference(self.ours, self.theirs)
        return difference(float(f"{self.ours:.{self.decimals}f}"), self.theirs)

    @property
    def agrees(self) -> bool:
        """Two figures on either side of a half may be rounded apart: they agree if rounding is all there is."""
        rounding = 0.0 if self.decimals is None else 0.5 * 10**-self.decimals
        return self.difference <= EXACT or difference(self.ours, self.theirs) <= rounding + EXACT


@dataclass
class Outcome:
    """What came of one vector."""

    figures: list[Compared] = field(default_factory=list)
    not_reproduced: list[str] = field(default_factory=list)


Check = Callable[[Vector, Outcome], Iterator[Compared]]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def difference(ours: Any, theirs: Any) -> float:
    """Distance of two numbers; 0 or infinity for anything else. Two NaN are equal."""
    if is_number(ours) and is_number(theirs):
        if math.isnan(ours) or math.isnan(theirs):
            return 0.0 if math.isnan(ours) and math.isnan(theirs) else math.inf
        return abs(ours - theirs)
    return 0.0 if ours == theirs else math.inf


def is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def number_or_nan(value: Any) -> float:
    """A figure of a scorer; an exception or a non-finite value that it gave, kept as text, is NaN."""
    return float(value) if is_number(value) else math.nan
