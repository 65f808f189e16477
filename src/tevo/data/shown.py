"""What a question may see: a file, the part of it that a benchmark shows, or pictures in a file's place."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tevo.data.collection import Collection, Probing
from tevo.structures import Question, Span
from tevo.video.container import VideoError
from tevo.video.frame_list import probe_frame_list
from tevo.video.index import BadVideo
from tevo.video.info import VideoInfo


class Shown(NamedTuple):
    """Questions and what each of them may see.

    Attributes:
        questions: with ``video`` replaced by a name that is a key below.
        videos: by that name; seconds are those of the whole file in every part of it.
        reasons: why there is nothing to see, by that name.
    """

    questions: list[Question]
    videos: dict[str, VideoInfo]
    reasons: dict[str, str]


def look_up(questions: Sequence[Question], probing: Probing) -> Collection:
    """What there is to know of the questions' videos before they are decoded, by :func:`video_key`.

    Args:
        questions: ``video`` is a whole path.
        probing: of the files; pictures are opened here.
    """
    files = sorted({question.video for question in questions if question.frames is None})
    found = probing.paths(files) if files else Collection({}, [])
    videos, bad = dict(found.videos), list(found.bad)
    kept = {video_key(q): (q.frames, q.duration_s) for q in questions if q.frames is not None}
    for key, (frames, duration_s) in kept.items():
        try:
            videos[key] = probe_frame_list(frames, key, duration_s)
        except VideoError as error:
            bad.append(BadVideo(key, f"{error.path}: {error.reason}"))
    return Collection(videos, bad)


def video_key(question: Question) -> str:
    """What a question's video is looked up by: its path; for pictures a name of exactly these."""
    if question.frames is None:
        return question.video
    return f"{question.video}#pictures={hashlib.sha256(repr(question.frames).encode()).hexdigest()[:16]}"


def what_is_shown(questions: Sequence[Question], found: Collection) -> Shown:
    """Give each question the video that it may see, a part as a video of its own.

    Args:
        questions: ``video`` is a whole path.
        found: of :func:`look_up`.
    """
    why = {bad.path: bad.reason for bad in found.bad}
    asked: list[Question] = []
    videos: dict[str, VideoInfo] = {}
    reasons: dict[str, str] = {}
    for question in questions:
        key, shown = video_key(question), question.shown
        video, name = found.videos.get(key), key if shown is None else f"{key}#t={shown.start_s!r},{shown.end_s!r}"
        if video is None:
            reasons[name] = why.get(key, "file not found")
        elif (part := video if shown is None else part_of(video, shown)) is not None:
            videos[name] = part
        else:
            reasons[name] = f"shows {shown}, outside the video, which runs from {video.start_s:g} to {video.end_s:g} s"
        asked.append(replace(question, video=name))
    return Shown(asked, videos, reasons)


def part_of(video: VideoInfo, shown: Span) -> VideoInfo | None:
    """The part of a video between two seconds, as a video of its own; None where it has no such part.

    Only frames that are on the screen in the part are looked at. Its seconds are those of the whole file.
    """
    start_s, end_s = max(video.start_s, shown.start_s), min(video.end_s, shown.end_s)
    if end_s <= start_s:
        return None
    num_frames = max(1, math.ceil(video.num_frames * (end_s - start_s) / video.duration_s))
    return replace(video, start_s=start_s, end_s=end_s, duration_s=end_s - start_s, num_frames=num_frames)
