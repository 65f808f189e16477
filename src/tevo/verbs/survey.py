"""What lies before a fit: its videos, and how long looking at one of them takes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tevo.data.features import FeatureStore
from tevo.data.loader import shuffled_order
from tevo.errors import TevoError
from tevo.verbs.rehearsal import Rehearsal
from tevo.video.info import VideoInfo

LOOK_S = 30.0  # assumed; about so many seconds are spent on videos that nobody has looked at yet


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies before a fit. A video to measure with may bear the name of one to train on, so these go by path."""

    videos: dict[str, VideoInfo]  # to train on
    asked: dict[str, VideoInfo]  # of the annotated questions
    annotated: int | None  # questions to measure with; None where the pool's own are used
    bad: int
    frames: dict[str, int]  # of the dense rate, by path
    missing: frozenset[str]  # paths that this backbone has not looked at yet


def survey_of(cli: Rehearsal, store: FeatureStore) -> Survey:
    """What the DataModule has found, and what of it the backbone has seen already."""
    found = cli.videos.found
    everything = {info.path: info for part in (found.asked.videos, found.videos) for info in part.values()}
    return Survey(
        videos=found.videos,
        asked=found.asked.videos,
        annotated=len(found.asked.questions) or None,
        bad=len(found.bad),
        frames={path: len(store.plan.times(info)) for path, info in everything.items()},
        missing=frozenset(path for path, info in everything.items() if not store.has(info)),
    )


def look(store: FeatureStore, new: Sequence[VideoInfo]) -> tuple[float, frozenset[str]]:
    """Look at some videos that nobody has looked at, for about :data:`LOOK_S` seconds; they stay in the cache.

    Returns:
        Seconds a frame (0 where there is no such video), and the paths of those that were looked at.
    """
    if not new:
        return 0.0, frozenset()
    new = [new[index] for index in shuffled_order(len(new), "look")]

    def per_frame(videos: Sequence[VideoInfo]) -> float:
        began = time.perf_counter()
        store.encode_all({video.path: video for video in videos}, progress=False)
        return (time.perf_counter() - began) / sum(len(store.plan.times(video)) for video in videos)

    first = per_frame(new[:1])
    left, more = LOOK_S, list[VideoInfo]()
    for video in new[1:]:
        left -= first * len(store.plan.times(video))
        if left < 0 and more:
            break
        more.append(video)
    return (per_frame(more) if more else first), frozenset(video.path for video in [*new[:1], *more])


def look_as_teacher(
    cli: Rehearsal, store: FeatureStore, survey: Survey, sample: Mapping[str, VideoInfo]
) -> tuple[float, int]:
    """Look at the rehearsal's videos as the teacher of phase 0 does.

    Returns:
        Seconds a frame, and the frames that the teacher has then still to look at; zeros where there is no teacher.
    """
    teacher, data = cli.evolution.teacher, cli.videos
    if teacher is None:
        return 0.0, 0
    theirs = data.teacher_store(teacher, store)
    wanted = data.teacher_videos.values()
    here = [video for video in sample.values() if not theirs.has(video)]
    frame_s, _ = look(theirs, here or [video for video in wanted if not theirs.has(video)])
    theirs.encode_all(dict(sample), progress=False)  # so that the rehearsal's phase 0 is the fit alone
    return frame_s, sum(survey.frames[video.path] for video in wanted if not theirs.has(video))


def choose(survey: Survey, most: int, seed: int) -> dict[str, VideoInfo]:
    """Videos to rehearse on: in a random order, of those that have been looked at.

    Raises:
        TevoError: when there are not two.
    """
    ready = [name for name, info in survey.videos.items() if info.path not in survey.missing]
    chosen = [ready[index] for index in shuffled_order(len(ready), seed, "plan")[:most]]
    if len(chosen) < 2:
        raise TevoError(f"a plan needs two videos that can be read, and {len(chosen)} of those tried could be")
    return {name: survey.videos[name] for name in chosen}
