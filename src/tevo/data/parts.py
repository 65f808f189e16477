"""What a backbone sees of parts of a video, each looked at by itself: for a closer look, and for long videos in chunks.

Nothing but the frames of the parts is decoded. The whole video is a part, too: its base view without the other two.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch

from tevo.backbones.tuning import TunedTower
from tevo.data.features import FeatureStore
from tevo.data.views import distinct, encode_frames, rounded
from tevo.structures import FrameBatch, Span, VideoTokens
from tevo.video.cache import cache_key
from tevo.video.decoder import VideoError
from tevo.video.frame_list import read_probed
from tevo.video.info import VideoInfo

AHEAD = 2  # parts that are decoded while others are encoded


class Part(NamedTuple):
    """Stretches of a video that are looked at together, in order and apart from one another."""

    video: VideoInfo
    spans: tuple[Span, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is the video from its first frame to its end."""
        return self.spans == (Span(self.video.start_s, self.video.end_s),)


class _Prepared(NamedTuple):
    """What the reading thread hands over: tokens that are known, frames to look at, or both for a tower's look."""

    tokens: VideoTokens | None
    frames: list[FrameBatch]


class PartReader:
    """Tokens of parts, from the cache where they are known, else from the file.

    Args:
        store: whose backbone, plan and cache are used; what it has of a whole video is taken from it.
        tower: what looks in the backbone's place, where a role's own tower has learnt.
    """

    def __init__(self, store: FeatureStore, tower: TunedTower | None = None) -> None:
        self.store, self.tower = store, tower
        self._clip = store.backbone.spec.frames_per_clip

    def read(self, parts: Iterable[Part]) -> Iterator[VideoTokens | VideoError]:
        """The tokens of each part, a batch of one; what cannot be decoded comes as the error that says why.

        The frames of the next parts are decoded in a thread meanwhile.
        """
        waiting: list[tuple[Part, Future[_Prepared]]] = []
        coming = iter(parts)
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as reader:
            try:
                while True:
                    while len(waiting) < AHEAD and (part := next(coming, None)) is not None:
                        waiting.append((part, reader.submit(self._prepare, part)))
                    if not waiting:
                        return
                    part, future = waiting.pop(0)
                    try:
                        yield self._finish(part, future.result())
                    except VideoError as error:
                        yield error
            finally:
                reader.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, part: Part) -> _Prepared:
        if part.is_whole and (self.tower is not None or self.store.has(part.video)):
            features = self.store.get(part.video)
            return _Prepared(features.tokens, [] if features.frames is None else [features.frames])
        cache = self.store.cache
        found = None if cache is None or self.tower is not None else cache.get(self._key(part))
        if found is not None:
            return _Prepared(VideoTokens(found["values"].float(), found["spans"], found["mask"]), [])
        size_px = self.store.size_px
        timeout_s = 60.0 + 2.0 * part.video.duration_s  # assumed, as for whole videos
        times = self._times(part)
        frames = read_probed(part.video, torch.cat(times), size_px, timeout_s)
        numbers = [len(some) for some in times]
        pieces = zip(torch.split(frames.frames, numbers), torch.split(frames.times_s, numbers), strict=True)
        return _Prepared(None, [distinct(FrameBatch(*piece)) for piece in pieces])

    def _finish(self, part: Part, prepared: _Prepared) -> VideoTokens:
        """Encode what is not known yet; what is returned is what a later call will read."""
        if prepared.tokens is not None:
            return self._tuned(prepared.frames[0], prepared.tokens) if prepared.frames else prepared.tokens
        plan, cache = self.store.plan, self.store.cache
        seen = [self._tuned(frames, encode_frames(self.store.backbone, frames)) for frames in prepared.frames]
        values = rounded(torch.cat([tokens.values for tokens in seen], 1), plan.dtype)
        spans = torch.cat([tokens.spans for tokens in seen], 1)
        mask = torch.cat([tokens.mask for tokens in seen], 1)
        if cache is not None and self.tower is None:
            cache.put(self._key(part), {"values": values, "spans": spans, "mask": mask})
        return VideoTokens(values.float(), spans, mask)

    def _tuned(self, frames: FrameBatch, tokens: VideoTokens) -> VideoTokens:
        """The tokens as the role's own tower sees them, where it has one."""
        if self.tower is None:
            return tokens
        with torch.no_grad():
            return self.tower.look([frames], tokens.to(next(self.tower.parameters()).device)).to("cpu")

    def _times(self, part: Part) -> list[torch.Tensor]:
        plan = self.store.plan
        return [plan.base_times(part.video)] if part.is_whole else plan.part_times(part.spans, self._clip)

    def _key(self, part: Part) -> str:
        """Named by the times that are asked for: two plans that ask for the same share the result."""
        size_px = self.store.size_px
        asked = [_written(some) for some in self._times(part)]
        sampling = f"parts {asked} size={size_px} {self.store.plan.dtype}"
        return cache_key(part.video.fingerprint, sampling, self.store.backbone.spec.fingerprint)


def _written(times_s: Sequence[float] | torch.Tensor) -> list[str]:
    return [repr(float(time)) for time in times_s]
