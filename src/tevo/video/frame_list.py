"""Frames of a video that is kept as pictures, asked for by the second like those of a file."""

from bisect import bisect_right
from collections.abc import Sequence

import torch

from tevo.errors import TevoError
from tevo.structures import FrameBatch, FrameList
from tevo.video.reader import SLACK_S, read_frames


def read_frame_list(
    frames: FrameList, times_s: Sequence[float], size_px: int | None = None, timeout_s: float | None = None
) -> FrameBatch:
    """Read the picture shown at each time: the last one that was taken at or before it.

    Args:
        frames: the pictures and their seconds.
        times_s: seconds, finite, in any order, repetitions allowed; times before the first picture give the first.
        size_px: side of the square that each picture is resized to; None keeps their own size, which must be one.
        timeout_s: seconds after which to give up on a picture.

    Returns:
        RGB frames in the order asked for, and the seconds of the pictures delivered (not the times asked for).

    Raises:
        TevoError: no times, or pictures of different sizes without ``size_px``.
        VideoError: a picture that cannot be read.
    """
    if not times_s:
        raise TevoError("no times to read pictures at: give at least one second")
    chosen = [max(0, bisect_right(frames.times_s, time + SLACK_S) - 1) for time in times_s]
    pixels = {n: read_frames(frames.paths[n], [0.0], size_px, timeout_s).frames[0] for n in sorted(set(chosen))}
    shapes = {tuple(picture.shape[-2:]) for picture in pixels.values()}
    if len(shapes) > 1:
        raise TevoError(f"the pictures have the sizes {sorted(shapes)} (height, width): give size_px to make them one")
    return FrameBatch(
        torch.stack([pixels[number] for number in chosen]),
        torch.tensor([frames.times_s[number] for number in chosen], dtype=torch.float32),
    )
