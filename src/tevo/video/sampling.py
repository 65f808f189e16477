"""Which times to look at. Pure arithmetic on seconds (pts); no file is opened, no frame rate assumed."""

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.errors import TevoError
from tevo.structures import Span
from tevo.video.info import VideoInfo


def uniform(within: VideoInfo | Span, *, fps: float | int, max_frames: int) -> Float[Tensor, "time"]:
    """Times at a rate, spread thinner where the rate would give more than ``max_frames``.

    The stretch is cut into equal parts, one a frame, and each is looked at in its middle; so the first and
    the last time lie half a step inside.

    Args:
        within: a video or a part of it.
        fps: frames a second to aim for, > 0.
        max_frames: at least 1.

    Returns:
        Ascending seconds, at least one.

    Raises:
        TevoError: a rate or a number that is not positive.
    """
    if not fps > 0:
        raise TevoError(f"fps is the number of frames to look at per second and must be above 0, got {fps}")
    _check_count("max_frames", max_frames)
    # Bounded before rounding: a rate may be as large as it likes.
    return per_segment(within, num_segments=max(1, round(min(_length_s(within) * fps, max_frames))))


def per_segment(
    within: VideoInfo | Span, *, num_segments: int, generator: torch.Generator | None = None
) -> Float[Tensor, "time"]:
    """One time for each of equal parts: its middle, or a random place in it when a generator is given.

    Source: temporal segment networks (arXiv 1608.00859), section 3.1.

    Returns:
        ``num_segments`` ascending seconds.

    Raises:
        TevoError: a number of segments below 1.
    """
    _check_count("num_segments", num_segments)
    place = torch.full((num_segments,), 0.5, dtype=torch.float64)
    if generator is not None:
        place = torch.rand(num_segments, dtype=torch.float64, generator=generator)
    share = (torch.arange(num_segments, dtype=torch.float64) + place) / num_segments
    return _inside(within, share)


def dense(within: VideoInfo | Span, *, num_frames: int) -> Float[Tensor, "time"]:
    """Times from the very beginning to the very end, both included, evenly spaced (for a closer look).

    Returns:
        ``num_frames`` ascending seconds; the middle when only one is asked for.

    Raises:
        TevoError: a number of frames below 1.
    """
    _check_count("num_frames", num_frames)
    if num_frames == 1:
        return _inside(within, torch.tensor([0.5], dtype=torch.float64))
    return _inside(within, torch.linspace(0.0, 1.0, num_frames, dtype=torch.float64))


def sample_spans(times_s: Float[Tensor, "time"], within: VideoInfo | Span) -> Float[Tensor, "time 2"]:
    """The stretch of time that each sample stands for: up to halfway to its neighbours, together all of ``within``.

    Args:
        times_s: ascending seconds inside ``within``.
        within: a video or a part of it.

    Raises:
        TevoError: no times, or times that do not ascend.
    """
    if not len(times_s) or bool((times_s.diff() < 0).any()):
        raise TevoError(f"sample_spans wants one or more ascending times, got {times_s.tolist()}")
    ends = times_s.new_tensor([within.start_s, within.end_s])
    borders = torch.cat([ends[:1], (times_s[1:] + times_s[:-1]) / 2, ends[1:]])
    return torch.stack([borders[:-1], borders[1:]], dim=-1)


def _length_s(within: VideoInfo | Span) -> float:
    return max(0.0, within.end_s - within.start_s)


def _inside(within: VideoInfo | Span, share: Float[Tensor, "time"]) -> Float[Tensor, "time"]:
    """Seconds at shares 0..1 of a stretch, as float32 numbers that do not leave it by rounding."""
    times = (within.start_s + share * _length_s(within)).to(torch.float32)
    first, last = torch.tensor([within.start_s, within.end_s], dtype=torch.float32)
    if float(first) < within.start_s:
        first = torch.nextafter(first, last.new_tensor(torch.inf))
    if float(last) >= within.end_s:  # a video has no frame at its very end
        last = torch.nextafter(last, first.new_tensor(-torch.inf))
    return times.clamp(first, torch.maximum(first, last))


def _check_count(name: str, count: int) -> None:
    if count < 1:
        raise TevoError(f"{name} is a number of frames and must be at least 1, got {count}")
