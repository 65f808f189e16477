"""Where the time of a run goes, by stage."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

P = ParamSpec("P")
R = TypeVar("R")


class Stopwatch:
    """Adds up wall seconds by stage: decode, encode, sample, score, update, wait.

    A stage inside another counts as itself alone, so that the stages of a run add up to what it took.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner: list[float] = []  # of each stage under way: what the stages inside it have taken

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside as ``name``."""
        began = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - began
            self.seconds[name] += whole - self._inner.pop()
            if self._inner:
                self._inner[-1] += whole

    def take(self) -> dict[str, float]:
        """The seconds so far, and start again from zero."""
        taken = {name: round(seconds, 3) for name, seconds in self.seconds.items()}
        self.seconds.clear()
        return taken


@runtime_checkable
class Timed(Protocol):
    """What has parts that take time."""

    parts: Stopwatch


S = TypeVar("S", bound=Timed)


def part(name: str) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Decorator: count all that a method does as one part of its object's run."""

    def decorate(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        @wraps(method)
        def timed(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with self.parts.stage(name):
                return method(self, *args, **kwargs)

        return cast(Callable[Concatenate[S, P], R], timed)

    return decorate
