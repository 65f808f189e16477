"""A decoded frame: when it is shown, which way up, and its pixels. Free of torch."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

Ticks = int  # a time in units of the stream's time base


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame on the stream's clock, its pixels still in the decoder's own format."""

    pts: Ticks
    duration: Ticks  # 0 when the container does not say
    frame: VideoFrame

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) as shown, that is after rotation."""
        width, height = self.frame.width, self.frame.height
        return (height, width) if _turn(self.frame)[0] else (width, height)

    @property
    def is_damaged(self) -> bool:
        """Whether the decoder had to make up a part of it."""
        return bool(self.frame.is_corrupt)

    @property
    def rotation(self) -> int:
        """Counter-clockwise degrees the container asks the player to turn the picture by (FFmpeg's sign)."""
        return int(self.frame.rotation)

    def rgb(self, size: tuple[int, int] | None, reformatter: VideoReformatter) -> UInt8[np.ndarray, "height width 3"]:
        """The pixels as shown: RGB, upright, scaled to ``size`` (width, height) as shown; None keeps its own."""
        swap, flip_x, flip_y = _turn(self.frame)
        width, height = size or self.size_px
        if swap:
            width, height = height, width
        # AREA averages what it drops (no aliasing) but makes blocks when it enlarges.
        own = self.frame.width, self.frame.height
        shrinks = width <= own[0] and height <= own[1] and (width, height) != own
        pixels: UInt8[np.ndarray, "height width 3"] = reformatter.reformat(
            self.frame, width, height, "rgb24", interpolation="AREA" if shrinks else "BILINEAR"
        ).to_ndarray()
        if swap:
            pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]


def _turn(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """(swap the axes, then flip x, then flip y) that put a frame upright, from its display matrix.

    The matrix maps stored (x, y) to shown (a x + c y, b x + d y); unlike an angle it also knows mirrors.
    """
    data = cast(SideData | None, frame.side_data.get("DISPLAYMATRIX"))
    if data is None:
        return False, False, False
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), dtype=np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0
