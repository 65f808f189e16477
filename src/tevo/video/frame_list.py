"""Frames of a video that is kept as pictures, asked for by the second like those of a file."""

import hashlib
import statistics
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.errors import TevoError
from tevo.structures import FrameBatch, FrameList
from tevo.video.container import VideoError
from tevo.video.info import VideoInfo, fingerprint, probe
from tevo.video.reader import SLACK_S, read_frames

LAST_S = 1.0  # assumed; how long one picture alone is shown


@dataclass(frozen=True, slots=True)
class PictureInfo(VideoInfo):
    """A video that is kept as pictures, beside the files: what is true of a file is true of it."""

    pictures: FrameList


def probe_frame_list(frames: FrameList, name: str, duration_s: float = 0.0) -> PictureInfo:
    """What is to be known of pictures, as :func:`tevo.video.info.probe` says of a file.

    Args:
        frames: the pictures and their seconds.
        name: what the video is called.
        duration_s: its length in seconds, as annotated; 0 = unknown. The last picture is shown as long as the others
            are in the middle (the median), or to that length if it is longer.

    Raises:
        VideoError: a picture that is not there; the first one is opened as well.
    """
    digest = hashlib.sha256(repr(frames.times_s).encode())
    for path in frames.paths:
        try:
            digest.update(fingerprint(path).encode())
        except OSError as error:
            raise VideoError(path, "file not found") from error
    first = probe(frames.paths[0])
    steps_s = [after - before for before, after in pairwise(frames.times_s)]
    start_s = frames.times_s[0]
    end_s = max(frames.times_s[-1] + (statistics.median(steps_s) if steps_s else LAST_S), duration_s)
    whole = {
        "path": name,
        "start_s": start_s,
        "end_s": end_s,
        "duration_s": end_s - start_s,
        "fps": len(frames.paths) / (end_s - start_s),
        "num_frames": len(frames.paths),
        "fingerprint": digest.hexdigest()[:32],
        "keyframes_s": frames.times_s,
    }
    return PictureInfo(**asdict(first) | whole, pictures=frames)


def read_probed(
    video: VideoInfo,
    times_s: Sequence[float] | Float[Tensor, "time"],
    size_px: int | None = None,
    timeout_s: float | None = None,
) -> FrameBatch:
    """Frames of a probed video, which may be a file or pictures; see :func:`tevo.video.read_frames`."""
    if isinstance(video, PictureInfo):
        return read_frame_list(video.pictures, [float(time) for time in times_s], size_px, timeout_s)
    return read_frames(video, times_s, size_px, timeout_s)


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
