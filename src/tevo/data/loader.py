"""Serves batches by a plan made beforehand, and remembers how far it came."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch

from tevo.errors import TevoError

Batch = TypeVar("Batch")
Item = TypeVar("Item")
ItemOut = TypeVar("ItemOut", covariant=True)


@runtime_checkable
class Indexed(Protocol[ItemOut]):
    """A map-style dataset whose items have names."""

    @property
    def labels(self) -> list[str]:
        """What each item is: the same labels, the same items."""

    def __getitem__(self, index: int) -> ItemOut:
        """One item."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which batches of a plan this process serves.

    Args:
        rank: this process's number among ``world_size``; it takes every ``world_size``-th batch.
        world_size: number of processes.
        same_length: fill up with batches from the front, so that all ranks take the same number of steps.
    """

    rank: int = 0
    world_size: int = 1
    same_length: bool = True

    def of(self, num_batches: int) -> list[int]:
        """Numbers of the batches that are this process's, of a plan that is the same on every rank."""
        missing = -num_batches % self.world_size if self.same_length and num_batches else 0
        return [number % num_batches for number in range(num_batches + missing)][self.rank :: self.world_size]


class EpochLoader(Generic[Item, Batch]):
    """One epoch: the batches of a plan, from the place where a checkpoint left it.

    Features are memory-mapped, so that no worker processes are needed and none can fall out of step. Lightning
    saves and restores the position because there is a ``state_dict``.

    Args:
        dataset: the items.
        collate: makes a batch of some of them.
        plan: indices of the items of each batch, the same on every rank.
        epoch: which epoch this is, in words; a position belongs to its epoch.
        share: which of the batches this process serves.

    Attributes:
        numbers: of the batches that are served, in the plan of all processes.
        wait_s: seconds that making the batches served so far took.
    """

    def __init__(
        self,
        dataset: Indexed[Item],
        collate: Callable[[list[Item]], Batch],
        plan: Sequence[list[int]],
        epoch: str,
        share: Share,
    ) -> None:
        self.dataset = dataset
        self.collate = collate
        self.numbers = share.of(len(plan))
        self.plan = [plan[number] for number in self.numbers]
        self.epoch = epoch
        self.position = 0  # batches served
        self.wait_s = 0.0
        self._start = 0
        self._digest = hashlib.sha256(repr((plan, dataset.labels, share.world_size)).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[Batch]:
        # Lightning may ask for an iterator twice before the first batch: a restored start waits for that batch.
        start, self._start = self._start, 0
        for number in range(start, len(self.plan)):
            self.position = number + 1
            began = time.perf_counter()
            batch = self.collate([self.dataset[index] for index in self.plan[number]])
            self.wait_s += time.perf_counter() - began
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """The epoch, a digest of its plan, and the number of batches served; the same on every rank."""
        return {"epoch": self.epoch, "plan": self._digest, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a loader of the same epoch was; the state of another epoch changes nothing.

        Raises:
            TevoError: when this epoch has other batches now.
        """
        if state["epoch"] != self.epoch:
            return
        if state["plan"] != self._digest:
            raise TevoError(
                f"the checkpoint stopped inside an epoch ({self.epoch}) whose batches are others now: videos were "
                "added or removed, or a batch size, the seed or the number of processes was changed. Go on with the "
                "same videos and settings, or start anew without --ckpt_path"
            )
        self.position = self._start = int(state["position"])


def shuffled_order(num: int, *words: object) -> list[int]:
    """A random order of 0..num-1 that is a function of the words (seed, round, phase, epoch, ...) alone."""
    order: list[int] = torch.randperm(num, generator=generator_of(*words)).tolist()
    return order


def generator_of(*words: object) -> torch.Generator:
    """A generator seeded by words."""
    digest = hashlib.sha256(repr(words).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def pack(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Batches of items in their order, about equally large.

    Args:
        sizes: of the items, each at most ``most``.
        most: what the items of a batch may add up to.
    """
    target = math.ceil(sum(sizes) / max(1, math.ceil(sum(sizes) / most)))
    batches: list[list[int]] = []
    filled = target
    for index, size in enumerate(sizes):
        if filled >= target or filled + size > most:
            batches.append([])
            filled = 0
        batches[-1].append(index)
        filled += size
    return batches
