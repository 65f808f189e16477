"""What the processes of a run tell one another, as plain values."""

from typing import TypeVar

import torch.distributed as dist

T = TypeVar("T")


def gather(value: T) -> list[T]:
    """The value of every process, in the order of their ranks; all of them must call it.

    Args:
        value: anything that can be pickled, off the accelerator.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[T] = [value] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def gather_in_order(numbered: list[tuple[int, T]]) -> list[T]:
    """The values of all processes by their numbers, each number once, as one process alone would have them.

    Args:
        numbered: a number that no other process has, and a value.
    """
    return [value for _, value in sorted((pair for share in gather(numbered) for pair in share), key=lambda pair: pair[0])]
