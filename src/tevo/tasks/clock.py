"""Where the time of a run goes, by stage."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up wall seconds by stage: decode, encode, sample, score, update, wait."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside as ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """The seconds so far, and start again from zero."""
        taken = {name: round(seconds, 3) for name, seconds in self.seconds.items()}
        self.seconds.clear()
        return taken
