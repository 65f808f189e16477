"""What the processes of a run tell one another, as plain values."""

from datetime import timedelta
from typing import TypeVar

import torch.distributed as dist

T = TypeVar("T")
PATIENCE = timedelta(days=30)  # assumed; one may look at far longer videos than another. A death is noticed at once
_patient: list[tuple[object, dist.ProcessGroup]] = []  # the group of all processes, and the one that waits longer


def gather(value: T) -> list[T]:
    """The value of every process, in the order of their ranks; all of them must call it.

    Args:
        value: anything that can be pickled, off the accelerator.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[T] = [value] * dist.get_world_size()
    dist.all_gather_object(values, value, group=_patient_group())
    return values


def gather_in_order(numbered: list[tuple[int, T]]) -> list[T]:
    """The values of all processes by their numbers, each number once, as one process alone would have them.

    Args:
        numbered: a number that no other process has, and a value.
    """
    everything = [pair for share in gather(numbered) for pair in share]
    return [value for _, value in sorted(everything, key=lambda pair: pair[0])]


def part() -> None:
    """Wait until all processes are done, and end what binds this one to them.

    A process that ends while another still writes is taken for a failed one where the two were started together, and
    one that is bound at the interpreter's end aborts now and then (gloo's threads).
    """
    if dist.is_available() and dist.is_initialized():
        dist.barrier(group=_patient_group())
        _patient.clear()
        dist.destroy_process_group()


def _patient_group() -> dist.ProcessGroup:
    """All processes, over the CPU, and not given up after the half hour that is the rule for steps of training."""
    if not _patient or _patient[0][0] is not dist.group.WORLD:
        _patient[:] = [(dist.group.WORLD, dist.new_group(backend="gloo", timeout=PATIENCE))]
    return _patient[0][1]
