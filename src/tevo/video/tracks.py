"""The subtitles of a video: files beside it, or tracks inside it, in seconds of the video (pts)."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import av
from av.container import InputContainer
from av.subtitles.stream import SubtitleStream

from tevo.structures import Span, TimedText
from tevo.video.container import open_container
from tevo.video.subtitles import SUFFIXES, Damage, clean, clean_ass, parse_subtitles, read_text

LONE_CUE_S = 5.0  # assumed: how long words stay that say no end, where none follow
_TEXT = ("srt", "subrip", "text", "webvtt")  # FFmpeg's codecs whose packets are the words themselves


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """What is shown or spoken in a video, as text.

    Attributes:
        source: a file, or a video and the number of its stream.
        language: as the file's name or the stream says, "" when neither does.
        cues: in the order of their times, which are seconds of the video (pts). They may overlap.
        damage: what could not be read, by its place; the rest was.
    """

    source: str
    language: str
    cues: tuple[TimedText, ...]
    damage: tuple[Damage, ...] = ()

    def within(self, span: Span) -> tuple[TimedText, ...]:
        """The cues that share more than a point with a stretch of time."""
        return tuple(cue for cue in self.cues if cue.span.overlaps(span))


def read_subtitles(
    video: str | os.PathLike[str], language: str = "", timeout_s: float | None = None
) -> SubtitleTrack | None:
    """The subtitles of a video: a file beside it that has its name, else the first text track inside it.

    A file beside the video counts its seconds from where playback begins, which need not be pts 0; its times are
    moved there.

    Args:
        video: a local file.
        language: which, where there are several: "en" takes ``clip.en.srt`` or a track marked "eng".
        timeout_s: seconds after which to give up on the video's own tracks.

    Returns:
        None when there are none, or none in that language.

    Raises:
        VideoError: a video that cannot be opened.
        TevoError: a file beside it that cannot be read.
    """
    path = Path(video)
    with open_container(os.fspath(video), timeout_s) as container:
        for file, spoken in _beside(path):
            if _is_wanted(spoken, language):
                return read_subtitle_file(file, (container.start_time or 0) / av.time_base, spoken)
        for stream in container.streams.subtitles:
            spoken = str(stream.metadata.get("language", ""))
            if _is_wanted(spoken, language) and (track := _embedded(path, container, stream, spoken)) is not None:
                return track
    return None


def read_subtitle_file(file: str | os.PathLike[str], shift_s: float = 0.0, language: str = "") -> SubtitleTrack:
    """Read ``.srt``, ``.vtt``, ``.ass``, ``.ssa`` or LongVideoBench's ``.json``.

    Args:
        file: the file.
        shift_s: seconds that are added to its times. A cue that then ends before 0 is dropped: it belongs to
            what was cut away (LongVideoBench ships the subtitles of whole films with parts of them).
        language: what to call it.

    Raises:
        TevoError: for a file that cannot be read or is of no known kind.
    """
    path = Path(file)
    text, notes = read_text(path)
    cues, damage = parse_subtitles(text, path.suffix.lower())
    moved = (replace(cue, span=_shifted(cue.span, shift_s)) for cue in cues if cue.span.end_s + shift_s > 0)
    return SubtitleTrack(str(path), language, tuple(moved), (*notes, *damage))


def _shifted(span: Span, shift_s: float) -> Span:
    return Span(span.start_s + shift_s, span.end_s + shift_s) if shift_s else span


def _beside(video: Path) -> list[tuple[Path, str]]:
    """Subtitle files with the video's name, and the language that stands between it and the ending."""
    found = []
    for file in sorted(video.parent.glob(f"{_literal(video.stem)}.*")):
        between = file.name[len(video.stem) : len(file.name) - len(file.suffix)]
        if file.suffix.lower() in SUFFIXES and file.suffix != ".json" and between.count(".") <= 1 and file.is_file():
            found.append((file, between.strip(".")))
    return found


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _is_wanted(spoken: str, language: str) -> bool:
    """Whether two names mean one language: "en", "eng" and "en-GB" do; none is wanted when none is named."""
    return not language or spoken.lower()[:2] == language.lower()[:2]


def _embedded(path: Path, container: InputContainer, stream: SubtitleStream, language: str) -> SubtitleTrack | None:
    """One track's cues; None for a track of pictures, or of a codec whose packets are no text."""
    codec = stream.codec_context.name if stream.codec_context is not None else "text"
    if codec not in (*_TEXT, "ass", "ssa", "mov_text"):
        return None
    begun: list[tuple[float, float, str]] = []  # start, end (= start where none is said), words
    damage: list[Damage] = []
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and packet.size and (words := _words(bytes(packet), codec)):
                bounds = (packet.pts, packet.pts + max(0, packet.duration or 0))
                start_s, end_s = (float(ticks * packet.time_base) for ticks in bounds)
                begun.append((start_s, end_s, words))
    except av.FFmpegError as error:
        damage.append(Damage(f"after {begun[-1][0]:g} s" if begun else "the start", f"read error ({error.strerror})"))
    begun.sort(key=lambda cue: cue[0])
    following = [*(start_s for start_s, _, _ in begun[1:]), float("inf")]
    cues = tuple(
        TimedText(Span(start_s, end_s if end_s > start_s else max(start_s, min(start_s + LONE_CUE_S, next_s))), words)
        for (start_s, end_s, words), next_s in zip(begun, following, strict=True)
    )
    return SubtitleTrack(f"{path}, stream {stream.index}", language, cues, tuple(damage))


def _words(payload: bytes, codec: str) -> str:
    """A packet's words. What does not decode as UTF-8 is replaced: one bad letter costs no cue."""
    if codec == "mov_text":  # two bytes of length, the text, then boxes of style
        payload = payload[2 : 2 + int.from_bytes(payload[:2], "big")]
    text = payload.decode("utf-8", errors="replace")
    if codec in ("ass", "ssa"):  # ReadOrder, Layer, Style, Name, three margins, Effect, Text
        cells = text.split(",", 8)
        return clean_ass(cells[8]) if len(cells) == 9 else ""
    return clean(text)
