"""Which seconds a frame, or a run of frames, stands for."""

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.errors import TevoError


def frame_spans(times_s: Float[Tensor, "batch time"], lone_frame_s: float) -> Float[Tensor, "batch time 2"]:
    """Each frame's share of time, in seconds: from the midpoint with its neighbour before to the one after.

    The first frame reaches as far back as it reaches forward, the last one as far forward as back; no span
    starts before second 0 unless its frame does. A lone frame has no neighbour to share with: its span is
    ``lone_frame_s`` long, centred on it. Two frames of the same time share a span of no length.

    Raises:
        TevoError: when times descend.
    """
    if times_s.shape[1] == 1:
        half = times_s.new_full(times_s.shape, lone_frame_s / 2)
        edges_before, edges_after = times_s - half, times_s + half
    else:
        if bool((times_s.diff(dim=1) < 0).any()):
            raise TevoError(f"frame times must ascend, got {times_s.tolist()}; sort frames and times together")
        middle = (times_s[:, 1:] + times_s[:, :-1]) / 2
        first = 2 * times_s[:, :1] - middle[:, :1]
        last = 2 * times_s[:, -1:] - middle[:, -1:]
        edges_before, edges_after = torch.cat([first, middle], dim=1), torch.cat([middle, last], dim=1)
    floor = times_s[:, :1].clamp(max=0.0)
    return torch.stack([torch.maximum(edges_before, floor), edges_after], dim=-1)


def tubelet_spans(spans: Float[Tensor, "batch time 2"], tubelet_size: int) -> Float[Tensor, "batch token 2"]:
    """Spans of runs of ``tubelet_size`` frames: from the first one's start to the last one's end, in seconds.

    A last run that is cut short ends with the last frame.
    """
    time = spans.shape[1]
    first = torch.arange(0, time, tubelet_size, device=spans.device)
    last = (first + tubelet_size - 1).clamp(max=time - 1)
    return torch.stack([spans[:, first, 0], spans[:, last, 1]], dim=-1)
