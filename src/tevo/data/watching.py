"""What a language model reads of a video, made once and kept; and a closer look at parts of it, from the file."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from tevo.backbones.base import Backbone
from tevo.backbones.language import LanguageModel, Watched
from tevo.data.views import VideoFeatures, ViewPlan, distinct, rounded
from tevo.errors import TevoError
from tevo.structures import FrameBatch, Span, VideoTokens
from tevo.video.decoder import VideoError
from tevo.video.frame_list import read_probed
from tevo.video.info import VideoInfo
from tevo.video.sampling import uniform

Closer = Callable[[Sequence[Span]], Watched | None]
"""Looks again at the frames of some spans alone; None where they cannot be read."""


def watch_views(backbone: Backbone, plan: ViewPlan, video: VideoInfo, frames: FrameBatch) -> dict[str, Tensor]:
    """What the model reads of the frames of :meth:`ViewPlan.times`, rounded and named as it is stored."""
    watched = _watch(backbone, plan, video, distinct(frames))
    stored = {
        "watched.grid": torch.tensor(watched.grid),
        "watched.times_s": watched.times_s.cpu(),
        "watched.spans": watched.spans.cpu(),
    }
    for name, made in (("values", watched.values), ("patches", watched.patches)):
        if made is not None:
            stored[f"watched.{name}"] = rounded(made.cpu(), plan.dtype)
    return stored


def restore_watched(plan: ViewPlan, video: VideoInfo, name: str, stored: Mapping[str, Tensor]) -> VideoFeatures:
    """The video out of what :func:`watch_views` gave; its tokens are the means of its steps."""
    values, patches = (stored[key].float() if key in stored else None for key in ("watched.values", "watched.patches"))
    rows, columns = stored["watched.grid"].tolist()
    spans = stored["watched.spans"]
    watched = Watched(values, patches, (rows, columns), stored["watched.times_s"], spans, video.start_s)
    seen = values[0] if values is not None else patches
    assert seen is not None  # one of the two is always stored
    tokens = VideoTokens(seen.mean(1)[None], spans[None], torch.ones(1, len(spans), dtype=torch.bool))
    return VideoFeatures(name, video.start_s, video.end_s, tokens, tokens, tokens, watched=watched)


def closer_look(backbone: Backbone, plan: ViewPlan, video: VideoInfo) -> Closer:
    """Reads the decoded source again at some spans: all of the token budget is theirs, so they are seen more sharply.

    Source: Zoom-Zero (arXiv 2512.14273), without its fall-back to the whole video.
    """
    known: dict[tuple[Span, ...], Watched | None] = {}

    def look(spans: Sequence[Span]) -> Watched | None:
        key = tuple(spans)
        if key not in known:
            whole = Span(video.start_s, video.end_s)
            parts = [span.clamp(whole) for span in spans]
            wanted = [uniform(part, fps=plan.fps, max_frames=plan.max_frames).tolist() for part in parts]
            times = sorted({time for each in wanted for time in each})
            try:
                frames = read_probed(video, times)
            except VideoError:
                frames = None
            known[key] = None if frames is None else _watch(backbone, plan, video, distinct(frames))
        return known[key]

    return look


def _watch(backbone: Backbone, plan: ViewPlan, video: VideoInfo, frames: FrameBatch) -> Watched:
    if not isinstance(backbone, LanguageModel) or plan.max_tokens is None:
        raise TevoError(f"{type(backbone).__name__} is no language model with a budget of tokens for a video")
    with torch.no_grad():
        return backbone.watch(frames.frames, frames.times_s, plan.max_tokens, video.start_s)
