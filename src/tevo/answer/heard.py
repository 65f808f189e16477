"""The subtitles of the videos that are asked about, and what is to be told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tevo.errors import TevoError
from tevo.structures import TimedText
from tevo.video.tracks import read_subtitles

TIMEOUT_S = 60.0  # assumed; seconds after which a video's own subtitle tracks are given up
SHOWN_DAMAGE = 3  # damaged parts that a note names


@dataclass(frozen=True, slots=True)
class Heard:
    """What a video's subtitles say, and notes on them: where they are from, what of them is missing."""

    cues: tuple[TimedText, ...] = ()
    notes: tuple[str, ...] = ()


def hear(videos: Sequence[str]) -> Mapping[str, Heard]:
    """The subtitles of every video, by its path. That there are none, or damaged ones, is a note and no error."""
    return {video: _hear(video) for video in videos}


def _hear(video: str) -> Heard:
    try:
        track = read_subtitles(video, timeout_s=TIMEOUT_S)
    except TevoError as error:
        return Heard((), (f"the subtitles could not be read, answered without: {error}",))
    if track is None:
        return Heard((), ("there are no subtitles, in the video or beside it",))
    notes = [f"{len(track.cues)} subtitles from {track.source}"]
    if track.damage:
        some = "; ".join(f"{damage.where}: {damage.reason}" for damage in track.damage[:SHOWN_DAMAGE])
        more = f"; and {len(track.damage) - SHOWN_DAMAGE} more" if len(track.damage) > SHOWN_DAMAGE else ""
        notes.append(f"left out of the subtitles: {some}{more}")
    return Heard(track.cues, tuple(notes))
