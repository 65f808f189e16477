"""The frame strip of a video: one picture, pieces of equal length side by side, as a data URI."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from tevo.structures import Span
from tevo.video import VideoError, VideoInfo, probe, read_frames

HEIGHT_PX = 96  # of the strip as stored; shown smaller, so that it stays sharp on dense screens
STRIP_ASPECT = 11.0  # width over height that a strip should have
READ_PX = 160  # side of the square that frames are read at; squeezed back into their own shape afterwards
QUALITY = 72  # of the JPEG, 0..100
TIMEOUT_S = 30.0  # a video that cannot be read in this time is shown without its frames


@dataclass(frozen=True, slots=True)
class Strip:
    """What a timeline is drawn on.

    Attributes:
        span: the whole video, or the part that is shown, seconds (pts).
        uri: ``data:image/jpeg;base64,...``; empty when the frames could not be read.
        aspect: width over height of the picture.
        times_s: the second that each piece shows, the middle of its part of the video.
        trouble: why there is no picture, in words.
    """

    span: Span
    uri: str = ""
    aspect: float = STRIP_ASPECT
    times_s: tuple[float, ...] = ()
    trouble: str = ""


def make_strip(video: Path | VideoInfo, part: Span | None = None, aspect: float = STRIP_ASPECT) -> Strip:
    """Read a dozen or so frames, evenly spaced, and lay them side by side.

    Args:
        video: a file; as probed, where it was.
        part: of it, seconds (pts); the whole when not given.
        aspect: width over height that the strip should have.

    Raises:
        VideoError: when not even the length of the video can be read.
    """
    info = video if isinstance(video, VideoInfo) else probe(video, timeout_s=TIMEOUT_S)
    span = Span(info.start_s, info.end_s) if part is None else part
    frame_aspect = info.width / info.height
    number = min(max(round(aspect / frame_aspect), 4), 24)
    times = [span.start_s + (index + 0.5) * span.length_s / number for index in range(number)]
    try:
        frames = read_frames(info, torch.tensor(times, dtype=torch.float64), READ_PX, TIMEOUT_S).frames
    except VideoError as error:
        return Strip(span, trouble=f"The frames could not be read: {error.reason}.")
    width = max(round(HEIGHT_PX * frame_aspect), 1)
    picture = Image.new("RGB", (width * number, HEIGHT_PX))
    for index, frame in enumerate(frames):
        piece = Image.fromarray(frame.permute(1, 2, 0).numpy()).resize((width, HEIGHT_PX), Image.Resampling.LANCZOS)
        picture.paste(piece, (index * width, 0))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Strip(span, uri, picture.width / picture.height, tuple(times))
