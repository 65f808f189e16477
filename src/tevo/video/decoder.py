"""One open video file: packets, seeking, decoding. PyAV (FFmpeg) is known here, in container.py and picture.py alone.

Free of torch, so that the processes that probe files start in a fraction of a second. Times inside are
integer ticks of the stream's time base (pts); seconds appear at the border of the room.
"""

import itertools
import math
import os
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

import av
import numpy as np
from av.packet import Packet
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import UInt8

from tevo.video.container import VideoError as VideoError
from tevo.video.container import first_video, open_container
from tevo.video.picture import Picture, Ticks

if TYPE_CHECKING:  # a class of two kinds: only the type checker's may be subscripted
    VideoPacket: TypeAlias = Packet[VideoStream]
else:
    VideoPacket = Packet


class Decoder:
    """Packets, seeking and pictures of the first video stream; use it in a ``with`` block.

    Args:
        path: a local file.
        timeout_s: seconds from now after which every call raises VideoError "timeout", None for no limit.
            It is looked at between packets: a read that never returns needs a process to be killed
            (`build_index` does so).

    Raises:
        VideoError: "file not found", "empty file", "no moov atom", "not a video", "no video stream", ...
    """

    def __init__(self, path: str | os.PathLike[str], timeout_s: float | None = None) -> None:
        self.path = os.fspath(path)
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._reformatter = VideoReformatter()
        self._open()

    def _open(self) -> None:
        self._container = open_container(self.path, self._timeout_s)
        try:
            self._stream = first_video(self.path, self._container)
        except VideoError:
            self._container.close()
            raise
        # One thread: data workers are processes already, and the skipping of frames packet by packet is
        # only exact when the decoder is not several packets ahead.
        self._stream.thread_type = "NONE"
        self._stream.codec_context.thread_count = 1
        # AVI keeps no pts and FFmpeg's guess scrambles reordered frames: they are shown in the order they come
        # out, at the times of the packets that went in, which a seek into reordered frames would put out of
        # step. MPEG program streams date only some frames; FFmpeg dates the others differently after a seek.
        kind = self._container.format.name
        self.has_pts = kind != "avi"
        self.dates_every_packet = kind not in ("avi", "mpeg")
        self._can_seek = kind != "mpeg" and (kind != "avi" or not self._stream.codec_context.has_b_frames)
        self._sent: deque[Ticks] = deque()
        self._touched = False

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def codec(self) -> str:
        """The codec's name, not the library's: "av1", whoever decodes it."""
        return str(self._stream.codec_context.codec.canonical_name)

    @property
    def is_progressive(self) -> bool:
        """Whether one packet is one whole frame (interlaced files may carry a field in each).

        PyAV before 16 does not say; the answer is then no, which costs time and no exactness.
        """
        return getattr(self._stream.codec_context, "field_order", None) in (0, 1)

    @property
    def header_frames(self) -> int:
        """The number of frames that the header promises; 0 when it does not."""
        return int(self._stream.frames)

    def seconds(self, ticks: Ticks) -> float:
        """Seconds of a pts."""
        base = self._stream.time_base
        return ticks * base.numerator / base.denominator if base else 0.0

    def ticks(self, seconds: float) -> Ticks:
        """The pts nearest to some seconds."""
        base = self._stream.time_base
        return round(seconds * base.denominator / base.numerator) if base else 0

    def ticks_before(self, seconds: float) -> Ticks:
        """The last pts at or before some seconds."""
        base = self._stream.time_base
        return math.floor(seconds * base.denominator / base.numerator) if base else 0

    def when(self, packet: VideoPacket) -> Ticks:
        """A packet's pts; its dts where the container keeps no pts."""
        times = (packet.pts, packet.dts) if self.has_pts else (packet.dts, packet.pts)
        return next((ticks for ticks in times if ticks is not None), 0)

    def packets(self, keyframe: Ticks | None) -> Iterator[VideoPacket]:
        """Compressed packets in decoding order, from the keyframe at that pts (or before); None: from the start.

        Always begins with a keyframe where the file marks any: what lies before the first one cannot be
        decoded by itself.
        """
        if keyframe is not None and self._can_seek:
            for earlier_s in (0.0, 10.0):  # some containers land late: look further back before giving up seeking
                packets = self._sought(keyframe - self.ticks(earlier_s))
                first = next(packets, None)
                if first is not None and first.is_keyframe and self.when(first) <= keyframe:
                    return itertools.chain([first], packets)
        if self._touched:
            self._container.close()
            self._open()
        return self._demux()

    def _sought(self, target: Ticks) -> Iterator[VideoPacket]:
        self._touched = True
        try:
            self._container.seek(target, stream=self._stream, backward=True)
        except (av.FFmpegError, OSError):
            return iter(())
        return self._demux()

    def _demux(self) -> Iterator[VideoPacket]:
        self._touched = True
        self._sent.clear()
        demuxer = self._container.demux(self._stream)
        waiting: list[VideoPacket] | None = []  # packets before the first keyframe
        last_s = 0.0
        while True:
            self._check_deadline()
            try:
                packet = next(demuxer)
            except StopIteration:
                break
            except (av.FFmpegError, OSError) as error:
                raise VideoError(self.path, f"read error at {last_s:.1f} s") from error
            if packet.size == 0 and packet.pts is None and packet.dts is None:
                break  # PyAV's own end mark
            last_s = self.seconds(self.when(packet))
            if waiting is not None:
                if not packet.is_keyframe:
                    waiting.append(packet)
                    continue
                waiting = None
            yield packet
        yield from waiting or []  # a file that marks no keyframe at all

    def decode(self, packet: VideoPacket | None, skip_non_reference: bool = False) -> list[Picture]:
        """Pictures that come out when this packet goes in; None drains the decoder (then start anew)."""
        context = self._stream.codec_context
        context.skip_frame = "NONREF" if skip_non_reference else "DEFAULT"
        self._check_deadline()
        if packet is not None:
            self._sent.append(self.when(packet))
        try:
            frames = context.decode(packet)
        except (av.FFmpegError, OSError) as error:
            at = f" at {self.seconds(self.when(packet)):.1f} s" if packet is not None else ""
            raise VideoError(self.path, f"decode error{at}") from error
        if self.has_pts:
            self._sent.clear()
        else:
            for frame in frames:
                frame.pts = self._sent.popleft() if self._sent else None
        return [Picture(frame.pts, frame.duration or 0, frame) for frame in frames if frame.pts is not None]

    def pictures(self, keyframe: Ticks | None, drain_on_error: bool = True) -> Iterator[Picture]:
        """Every picture from a keyframe on, in ascending pts; one that does not advance is left out.

        Raises:
            VideoError: at the first damaged packet, after the pictures before it (those still inside the
                decoder included, unless ``drain_on_error`` is off).
        """
        packets = self.packets(keyframe)
        last: Ticks | None = None
        failure: VideoError | None = None
        while True:
            try:
                packet = next(packets, None)
                pictures = self.decode(packet)
            except VideoError as error:
                if not drain_on_error or error.reason == "timeout":
                    raise
                packet, failure, pictures = None, error, self._drain()
            for picture in pictures:
                if last is None or picture.pts > last:
                    last = picture.pts
                    yield picture
            if failure is not None:
                raise failure
            if packet is None:
                return

    def _drain(self) -> list[Picture]:
        try:
            return self.decode(None)
        except VideoError:
            return []

    def rgb(self, picture: Picture, size: tuple[int, int] | None) -> UInt8[np.ndarray, "height width 3"]:
        """A picture's pixels as shown, see :meth:`Picture.rgb`."""
        return picture.rgb(size, self._reformatter)

    def _check_deadline(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise VideoError(self.path, "timeout")
