"""The video room: files in, frames with their own seconds out.

Names arrive on first use, so that the processes which probe files never import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tevo.video.cache import CacheCounts as CacheCounts
    from tevo.video.cache import FeatureCache as FeatureCache
    from tevo.video.cache import cache_key as cache_key
    from tevo.video.container import VideoError as VideoError
    from tevo.video.frame_list import read_frame_list as read_frame_list
    from tevo.video.index import BadVideo as BadVideo
    from tevo.video.index import Index as Index
    from tevo.video.index import build_index as build_index
    from tevo.video.index import update_index as update_index
    from tevo.video.info import VideoInfo as VideoInfo
    from tevo.video.info import probe as probe
    from tevo.video.interventions import keep_spans as keep_spans
    from tevo.video.interventions import mask_spans as mask_spans
    from tevo.video.interventions import no_video as no_video
    from tevo.video.interventions import random_span as random_span
    from tevo.video.interventions import shuffled as shuffled
    from tevo.video.interventions import touches as touches
    from tevo.video.listing import find_videos as find_videos
    from tevo.video.reader import read_frames as read_frames
    from tevo.video.sampling import dense as dense
    from tevo.video.sampling import per_segment as per_segment
    from tevo.video.sampling import sample_spans as sample_spans
    from tevo.video.sampling import uniform as uniform
    from tevo.video.tracks import SubtitleTrack as SubtitleTrack
    from tevo.video.tracks import read_subtitle_file as read_subtitle_file
    from tevo.video.tracks import read_subtitles as read_subtitles

_HOMES = {
    "CacheCounts": "cache",
    "FeatureCache": "cache",
    "cache_key": "cache",
    "VideoError": "container",
    "read_frame_list": "frame_list",
    "BadVideo": "index",
    "Index": "index",
    "build_index": "index",
    "update_index": "index",
    "VideoInfo": "info",
    "probe": "info",
    "keep_spans": "interventions",
    "mask_spans": "interventions",
    "no_video": "interventions",
    "random_span": "interventions",
    "shuffled": "interventions",
    "touches": "interventions",
    "find_videos": "listing",
    "read_frames": "reader",
    "dense": "sampling",
    "per_segment": "sampling",
    "sample_spans": "sampling",
    "uniform": "sampling",
    "SubtitleTrack": "tracks",
    "read_subtitle_file": "tracks",
    "read_subtitles": "tracks",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
