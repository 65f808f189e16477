"""Frames of a video at given seconds: exact, and with as little decoding as that allows.

The decode plan: wanted times are grouped by the keyframe they hang on (GOP); each group costs one seek and
one run forward that ends at its last wanted frame; GOPs that nobody asked for are never decoded. Within a
run, H.264 frames that no other frame refers to are skipped unless wanted (nal_ref_idc says so strictly;
HEVC's "sub-layer non-reference" does not, so there all are decoded). Wherever this short cut gives less than
was asked for, the group is decoded again in order, from further back if need be.
"""

import math
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from tevo.errors import TevoError
from tevo.structures import FrameBatch
from tevo.video.container import VideoError
from tevo.video.decoder import Decoder
from tevo.video.info import VideoInfo, list_packets
from tevo.video.picture import Picture, Ticks

SLACK_S = 1e-4  # a frame this little later than asked for is the one that was meant (rounded times)
FLOAT32_STEP = 2.0**-23  # relative


def read_frames(
    video: VideoInfo | str | os.PathLike[str],
    times_s: Sequence[float | int] | Float[Tensor, "time"],
    size_px: int | None = None,
    timeout_s: float | None = None,
) -> FrameBatch:
    """Read the frame shown at each time: the last one that starts at or before it.

    Give the VideoInfo of the index where there is one: it saves reading through the file for its keyframes,
    and times past the part that decodes give its last frame. With a bare path, a time whose frame cannot be
    decoded raises. Times before the first frame give the first.

    Args:
        video: a probed video, or a path.
        times_s: seconds (pts), finite, in any order, repetitions allowed.
        size_px: side of the square that the whole frame is resized to; None keeps the video's own size.
        timeout_s: seconds after which to give up, looked at between packets.

    Returns:
        Upright RGB frames in the order asked for, and the pts in seconds of the frames delivered (not the
        times asked for).

    Raises:
        TevoError: no times, times that are not finite, or a size below 1.
        VideoError: a file or a part of it that cannot be read; the reason names the second.
    """
    asked = [float(time) for time in times_s]
    _check_request(asked, size_px)
    info = video if isinstance(video, VideoInfo) else None
    with Decoder(video.path if isinstance(video, VideoInfo) else video, timeout_s) as decoder:
        if info is not None:
            keyframes = sorted(decoder.ticks(second) for second in info.keyframes_s)
            first, last = decoder.ticks(info.start_s), decoder.ticks(info.end_s) - 1
            run = _Run(decoder, size_px, promised=True, sound_until=None)
        else:
            packets = list_packets(decoder)
            keyframes, first, last = packets.keyframes, packets.shown[0], None
            run = _Run(decoder, size_px, promised=False, sound_until=packets.shown[-1] if packets.is_odd else None)
        limits = [max(first, _limit(decoder, time)) for time in asked]
        limits = limits if last is None else [min(last, limit) for limit in limits]
        shots: dict[Ticks, _Shot] = {}
        for position, group in groupby(sorted(set(limits)), key=lambda limit: bisect_right(keyframes, limit) - 1):
            shots |= _read_group(run, list(group), keyframes, position)
        times_s = torch.tensor([decoder.seconds(shots[limit].pts) for limit in limits], dtype=torch.float32)
        return FrameBatch(torch.stack([shots[limit].pixels for limit in limits]), times_s)


def _check_request(times_s: list[float], size_px: int | None) -> None:
    if not times_s:
        raise TevoError("asked for no frame at all: times_s is empty; give at least one time in seconds")
    if not all(math.isfinite(time) for time in times_s):
        raise TevoError(f"times must be finite seconds, got {times_s}")
    if size_px is not None and size_px < 1:
        raise TevoError(f"size_px is the side of the resized frame in pixels and must be at least 1, got {size_px}")


def _limit(decoder: Decoder, time_s: float) -> Ticks:
    """The last tick that still counts as "at or before" a time that may have passed through float32."""
    return decoder.ticks_before(time_s + SLACK_S + abs(time_s) * FLOAT32_STEP)


@dataclass(frozen=True, slots=True)
class _Shot:
    pts: Ticks
    pixels: UInt8[Tensor, "3 height width"]


def _read_group(run: "_Run", limits: list[Ticks], keyframes: list[Ticks], position: int) -> dict[Ticks, _Shot]:
    """The shots of ascending limits that share the keyframe at a position (0 or less: the file's beginning).

    What the short cut leaves open is read in order from the same keyframe, then from the one before (open
    GOPs, intra refresh), then from the very beginning.
    """
    start = keyframes[position] if position > 0 else None
    found = run.wanted_only(limits, start)
    for keyframe in dict.fromkeys([start, keyframes[position - 1] if position > 1 else None, None]):
        missing = [limit for limit in limits if limit not in found]
        if missing:
            found |= run.in_order(missing, keyframe)
    return found


class _Run:
    """Ways to decode from a keyframe on. Each answers the limits it is sure of and leaves out the others.

    A run that did not begin at the file's beginning and meets damage answers nothing: what lies before its
    keyframe may be needed to make up the damage, even in frames that do not look damaged.

    Args:
        decoder: the open file.
        size_px: see :func:`read_frames`.
        promised: whether everything asked for was seen to decode by the probe.
        sound_until: where packets end that hint at damage; after it the last frame needs proof. None: no hint.
    """

    def __init__(self, decoder: Decoder, size_px: int | None, promised: bool, sound_until: Ticks | None) -> None:
        self._decoder = decoder
        self._size = None if size_px is None else (size_px, size_px)
        self._promised = promised
        self._sound_until = sound_until

    def wanted_only(self, limits: list[Ticks], keyframe: Ticks | None) -> dict[Ticks, _Shot]:
        """Demux up to the last wanted frame, then decode exactly what its packets need."""
        choice = self._choose(limits, keyframe)
        if not choice:
            return {}
        wanted = set(choice.values())
        unsent = set(wanted)
        skips = self._decoder.codec == "h264"
        shots: dict[Ticks, _Shot] = {}
        try:
            for packet in self._decoder.packets(keyframe):
                pictures = self._decoder.decode(packet, skips and packet.pts not in wanted)
                unsent.discard(self._decoder.when(packet))
                if not unsent:  # all that is wanted is inside the decoder: shake it out
                    pictures += self._decoder.decode(None)
                if any(picture.is_damaged for picture in pictures):
                    return {}
                for picture in pictures:
                    if picture.pts in wanted and picture.pts not in shots:
                        shots[picture.pts] = self._shoot(picture)
                if not unsent:
                    break
        except VideoError as error:
            if error.reason == "timeout":
                raise
        return {limit: shots[pts] for limit, pts in choice.items() if pts in shots}

    def _choose(self, limits: list[Ticks], keyframe: Ticks | None) -> dict[Ticks, Ticks]:
        """Which pts each limit means, by the packets alone; nothing where packets are not whole dated frames."""
        shown: list[Ticks] = []
        limits = [limit for limit in limits if self._sound_until is None or limit <= self._sound_until]
        if not limits or not self._decoder.is_progressive or not self._decoder.dates_every_packet:
            return {}
        for packet in self._decoder.packets(keyframe):
            if packet.pts is None or packet.dts is None:
                return {}
            if not packet.is_discard:
                shown.append(packet.pts)
            if packet.dts > limits[-1]:  # pts >= dts: nothing later can be shown before the limit
                break
        shown.sort()
        return {limit: shown[at - 1] for limit in limits if (at := bisect_right(shown, limit))}

    def in_order(self, limits: list[Ticks], keyframe: Ticks | None) -> dict[Ticks, _Shot]:
        """Decode everything; a frame is the right one when the next lies past the limit, or it is the last."""
        shots: dict[Ticks, _Shot] = {}
        pending = deque(limits)
        last: Picture | None = None
        try:
            for picture in self._decoder.pictures(keyframe):
                if keyframe is not None and (picture.is_damaged or (last is None and pending[0] < picture.pts)):
                    return {}
                while pending and pending[0] < picture.pts:
                    shots[pending.popleft()] = self._shoot(last or picture)
                if not pending:
                    return shots
                last = picture
        except VideoError as error:
            while pending and last is not None and error.reason != "timeout" and self._holds(last, pending[0]):
                shots[pending.popleft()] = self._shoot(last)
            # A run that fails before its first picture may merely have begun at no true keyframe.
            if pending and (last is not None or keyframe is None or error.reason == "timeout"):
                raise
        if last is None and keyframe is None:
            raise VideoError(self._decoder.path, "no frames")
        return shots | {limit: self._shoot(last) for limit in pending if last is not None}

    def _holds(self, last: Picture, limit: Ticks) -> bool:
        """Whether the last picture before an error is known to be the one shown at the limit."""
        return self._promised or limit < last.pts + last.duration

    def _shoot(self, picture: Picture) -> _Shot:
        pixels = self._decoder.rgb(picture, self._size)
        self._size = self._size or picture.size_px  # a stream that changes size half-way still makes one batch
        return _Shot(picture.pts, torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous())
