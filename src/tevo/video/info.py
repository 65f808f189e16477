"""What is known of a video once it was looked at: the part that really decodes, not what its header says.

Free of torch: the index runs :func:`probe` in processes of its own.
"""

import hashlib
import os
import statistics
from bisect import bisect_left
from dataclasses import asdict, dataclass
from itertools import islice, pairwise

from tevo.video.container import VideoError
from tevo.video.decoder import Decoder
from tevo.video.picture import Picture, Ticks

# A video is decoded whole up to this size, about a minute at 720p and 24 fps (1-3 s of one core); beyond it,
# its head, tail and some places between are.
FULL_DECODE_FRAMES = 3600  # assumed
FULL_DECODE_PIXELS = 1_000_000_000  # assumed: frames * width * height
ODD_FACTOR = 20  # assumed: how much more is spent on a file that disagrees with its own header
CHECKED_PLACES = 8  # assumed
CHECKED_PICTURES = 48  # assumed: pictures decoded at each place
CHECKED_GOP = 300  # assumed: a GOP of up to this length is decoded to its end however large its pictures


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One readable video. Seconds are raw pts: a file may well start at 1.4667 s."""

    path: str
    start_s: float  # pts of the first frame that decodes
    end_s: float  # pts of the last frame that decodes plus its duration
    duration_s: float  # end_s - start_s
    fps: float  # measured: num_frames / duration_s, whatever the header says
    num_frames: int
    width: int  # as shown, that is after rotation
    height: int
    codec: str
    rotation: int  # degrees in the container, counter-clockwise (FFmpeg's sign); frames are delivered upright
    fingerprint: str  # of the file's size and of its head, middle and tail bytes
    keyframes_s: tuple[float, ...]  # where decoding can begin; some may lie before start_s (edit lists)

    def to_row(self) -> dict[str, object]:
        """A row fit for JSON; :meth:`from_row` reads it back exactly."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, object]) -> "VideoInfo":
        """The video of a row.

        Raises:
            TypeError: when the row has other fields (it was written by another version of tevo).
        """
        return cls(**{**row, "keyframes_s": tuple(row["keyframes_s"])})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Packets:
    """What demuxing alone tells of a stream: cheap, but a promise (a packet may not decode)."""

    shown: list[Ticks]  # pts of the packets that are to be shown, ascending, each once
    keyframes: list[Ticks]  # ascending
    is_odd: bool  # a damaged packet, a read error, or fewer packets than the header promises


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What decoding told: the pictures' pts, ascending, and a look at the first and the last of them."""

    shown: list[Ticks]
    first: Picture
    last: Picture


def list_packets(decoder: Decoder) -> Packets:
    """Read all packets once without decoding any.

    Raises:
        VideoError: "no frames" when there is no packet at all, "timeout".
    """
    shown: set[Ticks] = set()
    keyframes: set[Ticks] = set()
    num_packets, is_odd = 0, False
    try:
        for packet in decoder.packets(None):
            num_packets += 1
            is_odd |= bool(packet.is_corrupt)
            if packet.is_keyframe:
                keyframes.add(decoder.when(packet))
            if not packet.is_discard:  # an edit list may hide frames that others need
                shown.add(decoder.when(packet))
    except VideoError as error:
        if error.reason == "timeout":
            raise
        is_odd = True
    if not shown:
        raise VideoError(decoder.path, "no frames")
    return Packets(sorted(shown), sorted(keyframes), is_odd or num_packets < decoder.header_frames)


def probe(path: str | os.PathLike[str], timeout_s: float | None = None) -> VideoInfo:
    """Find out which part of a video really decodes.

    A short video is decoded whole, a long one at its head, its tail and some places between; where one of
    these fails, the stretch before it is decoded to find the first damaged frame. Reading stops there: what
    follows a decode error is not part of the video.

    Args:
        path: a local file.
        timeout_s: seconds after which to give up, looked at between packets.

    Raises:
        VideoError: when not a single frame can be read; ``reason`` says why.
    """
    with Decoder(path, timeout_s) as decoder:
        packets = list_packets(decoder)
        first = _first_picture(decoder)
        budget = ODD_FACTOR if packets.is_odd else 1
        num_frames = len(packets.shown)
        pixels = num_frames * first.frame.width * first.frame.height
        if num_frames <= budget * FULL_DECODE_FRAMES and pixels <= budget * FULL_DECODE_PIXELS:
            decoded = _decode_all(decoder, first)
        else:
            decoded = _spot_check(decoder, first, packets)
        start_s = decoder.seconds(decoded.shown[0])
        end_s = decoder.seconds(decoded.shown[-1]) + _last_duration_s(decoder, decoded)
        width, height = first.size_px
        return VideoInfo(
            path=decoder.path,
            start_s=start_s,
            end_s=end_s,
            duration_s=end_s - start_s,
            fps=len(decoded.shown) / (end_s - start_s),
            num_frames=len(decoded.shown),
            width=width,
            height=height,
            codec=decoder.codec,
            rotation=first.rotation,
            fingerprint=fingerprint(path),
            keyframes_s=tuple(decoder.seconds(k) for k in packets.keyframes if k <= decoded.shown[-1]),
        )


def fingerprint(path: str | os.PathLike[str], block_bytes: int = 65536) -> str:
    """A name for the file's content: its size and the bytes of its head, middle and tail."""
    size = os.path.getsize(path)
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for offset in (0, max(0, size // 2 - block_bytes // 2), max(0, size - block_bytes)):
            file.seek(offset)
            digest.update(file.read(block_bytes))
    return digest.hexdigest()[:32]


def _first_picture(decoder: Decoder) -> Picture:
    for picture in decoder.pictures(None):
        return picture
    raise VideoError(decoder.path, "no frames")


def _decode_all(decoder: Decoder, first: Picture) -> _Decoded:
    shown, last, _ = _decode(decoder, None)
    return _Decoded(shown or [first.pts], first, last or first)


def _decode(
    decoder: Decoder, keyframe: Ticks | None, limit: int | None = None
) -> tuple[list[Ticks], Picture | None, bool]:
    """(pts that came out, the last picture, whether an error ended it) of a run from a keyframe."""
    shown: list[Ticks] = []
    last: Picture | None = None
    try:
        # As a player that decodes in one go would see it: frames still in the decoder at the error are lost.
        for picture in islice(decoder.pictures(keyframe, drain_on_error=False), limit):
            shown.append(picture.pts)
            last = picture
    except VideoError as error:
        if error.reason == "timeout":
            raise
        return shown, last, True
    return shown, last, False


def _spot_check(decoder: Decoder, first: Picture, packets: Packets) -> _Decoded:
    """Decode at some keyframes; on the first failure decode the stretch that leads up to it."""
    pixels = first.frame.width * first.frame.height
    places = _places(packets, max(CHECKED_GOP, min(FULL_DECODE_FRAMES, FULL_DECODE_PIXELS // pixels)))
    last: Picture | None = first
    end = packets.shown[-1]
    good = next(iter(places))
    for place, limit in places.items():
        shown, last, failed = _decode(decoder, place, limit)
        if failed:
            shown, last, _ = _decode(decoder, good)
            end = shown[-1] if shown else first.pts
            break
        if shown:
            good = place
            end = shown[-1] if limit is None else end
    inside = [pts for pts in packets.shown if first.pts <= pts <= end]
    return _Decoded(inside or [first.pts], first, last or first)


def _places(packets: Packets, max_pictures: int) -> dict[Ticks, int | None]:
    """Ascending keyframes to decode from, and how many pictures at each (None: to the end).

    Evenly spaced ones; the longest GOP, because a damaged keyframe is no longer marked as one; the tail.

    Args:
        packets: what demuxing told.
        max_pictures: bound for the two long runs.
    """
    keyframes = packets.keyframes or packets.shown[:1]
    evenly = keyframes[:: max(1, len(keyframes) // CHECKED_PLACES)]
    places: dict[Ticks, int | None] = {keyframe: CHECKED_PICTURES for keyframe in evenly}
    starts = [bisect_left(packets.shown, keyframe) for keyframe in keyframes]
    lengths = [after - before for before, after in pairwise([*starts, len(packets.shown)])]
    longest = max(range(len(keyframes)), key=lengths.__getitem__)
    places[keyframes[longest]] = min(lengths[longest] + 1, max_pictures)
    places[keyframes[-1]] = None if lengths[-1] <= max_pictures else CHECKED_PICTURES
    return dict(sorted(places.items()))


def _last_duration_s(decoder: Decoder, decoded: _Decoded) -> float:
    """How long the last frame is shown, kept within what the others are shown.

    Containers write nonsense there: 0, or one tick of a millisecond clock (a header of 1000 fps).
    """
    said = decoder.seconds(decoded.last.duration)
    gaps = [decoder.seconds(b - a) for a, b in pairwise(decoded.shown)]
    if not gaps:
        return said or 0.04  # assumed: a single frame without a duration is shown for 1/25 s
    usual = statistics.median(gaps)
    return usual if said < usual / 2 else min(said, max(gaps))
