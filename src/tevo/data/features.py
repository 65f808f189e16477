"""What the backbone saw of every video: decoded once, encoded once, then read from disk, run after run."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from tevo.backbones.base import Backbone
from tevo.backbones.language import LanguageModel
from tevo.data.views import VideoFeatures, ViewPlan, encode_views, restore_views
from tevo.data.watching import closer_look, restore_watched, watch_views
from tevo.errors import TevoError
from tevo.structures import FrameBatch
from tevo.video.cache import FeatureCache, cache_key
from tevo.video.decoder import VideoError
from tevo.video.frame_list import read_probed
from tevo.video.index import BadVideo
from tevo.video.info import VideoInfo

MAX_TOKENS = 8192  # assumed; of a video in a prompt
log = logging.getLogger(__name__)
T = TypeVar("T")


class Encoded(NamedTuple):
    """What came of encoding a folder."""

    names: list[str]  # usable, in the order given
    bad: list[BadVideo]  # dropped by name, with the reason
    seconds: dict[str, float]  # spent on "decode" (a thread of its own) and "encode"


class _Prepared(NamedTuple):
    """What the reading thread hands over: stored features, or frames to encode."""

    stored: dict[str, Tensor] | None
    frames: FrameBatch | None
    decode_s: float


class FeatureStore:
    """Features of videos, from the cache where they are known, else from the file through the backbone.

    The frames of the dense rate are decoded, once; every ``dense_factor``-th of them makes the base view. A
    video longer than ``max_frames / fps`` seconds is looked at more thinly, all of it.

    Args:
        backbone: encodes; its weights must not change while the store is in use.
        cache_dir: folder of the feature cache; None keeps nothing.
        fps: base rate, frames a second; None for the backbone's own.
        max_frames: most frames of a video in the base view.
        dense_factor: the dense view has this many times more frames.
        max_cache_bytes: bound of the cache on disk.
        seed: of the shuffled order of frames (with the file's fingerprint).
        dtype: what values are rounded to on disk: float16 halves it, float32 keeps every bit. They are float32
            in memory, and the same on first use as from the cache. What float16 cannot hold stays float32.
        with_frames: the frames of a video come with its features, for a tower that learns; kept in the cache, too.
        max_tokens: of a video in a language model's prompt; read of such a backbone alone, which looks at frames of
            their own size, and once (there is no dense view).
    """

    def __init__(
        self,
        backbone: Backbone,
        cache_dir: str | os.PathLike[str] | None,
        fps: float | None = None,
        max_frames: int = 512,  # assumed
        dense_factor: int = 2,  # assumed
        max_cache_bytes: int = 20_000_000_000,  # assumed
        seed: int = 0,
        dtype: torch.dtype = torch.float16,
        with_frames: bool = False,
        max_tokens: int | None = None,
    ) -> None:
        self.backbone, self.with_frames = backbone, with_frames
        self.writes = isinstance(backbone, LanguageModel)
        if self.writes and max_tokens is not None and max_tokens < 1:
            raise TevoError(f"data.max_tokens must leave a video at least one token of a prompt, got {max_tokens}")
        dense_factor, max_tokens = (1, max_tokens or MAX_TOKENS) if self.writes else (dense_factor, None)
        fps = backbone.spec.fps if fps is None else fps
        self.plan = ViewPlan(fps, max_frames, dense_factor, seed, dtype, max_tokens)
        self.size_px = None if self.writes else backbone.spec.image_size_px
        self.cache = None if cache_dir is None else FeatureCache(cache_dir, max_cache_bytes)
        # A fingerprint may be costly, and weights do not change: taken once.
        self._fingerprint = backbone.spec.fingerprint

    def get(self, video: VideoInfo, name: str | None = None) -> VideoFeatures:
        """The features of a video; it is decoded and encoded here and now when they are not in the cache.

        Args:
            video: as probed by the index.
            name: what it is called from here on; its path when None.

        Raises:
            VideoError: when it has to be decoded and cannot be.
        """
        stored = self._cached(video)
        if stored is None:
            stored = self._encode(video, self._read(video))
        if self.writes:
            features = restore_watched(self.plan, video, name or video.path, stored)
            return replace(features, closer=closer_look(self.backbone, self.plan, video))
        features = restore_views(self.plan, video, name or video.path, stored)
        if not self.with_frames:
            return features
        frames = self._frames(video)
        return replace(features, frames=frames, order=self.plan.order(video, len(frames.times_s)))

    def stored(self, video: VideoInfo) -> dict[str, Tensor]:
        """What lies in the cache of a video, as it lies there; empty where nothing does."""
        return self._cached(video) or {}

    def has(self, video: VideoInfo) -> bool:
        """Whether the features of a video lie in the cache."""
        return self.cache is not None and self.cache.has(self._key(video))

    def encode_all(
        self, videos: Mapping[str, VideoInfo], progress: bool = True, rank: int = 0, world_size: int = 1
    ) -> Encoded:
        """Make sure that the features of all videos are in the cache; one that does not decode is dropped by name.

        Args:
            videos: by name.
            progress: show a bar on a terminal.
            rank: this process's number among ``world_size``; it takes every ``world_size``-th video.
            world_size: number of processes that share the work; waiting for the others is up to the caller.

        Raises:
            TevoError: when the cache is too small to hold them.
        """
        mine = {name: videos[name] for name in list(videos)[rank::world_size]}
        names: list[str] = []
        bad: list[BadVideo] = []
        seconds = {"decode": 0.0, "encode": 0.0}
        num_bytes = 0
        for name, result in _bar(_ahead(self._prepare, mine), len(mine), progress):
            try:
                prepared = result()
            except VideoError as error:
                log.warning("%s is left out: %s", name, error.reason)
                bad.append(BadVideo(videos[name].path, error.reason))
                continue
            began = time.perf_counter()
            stored = prepared.stored or {}
            if prepared.frames is not None:
                stored = self._encode(videos[name], prepared.frames)
                seconds["encode"] += time.perf_counter() - began
            seconds["decode"] += prepared.decode_s
            names.append(name)
            num_bytes += sum(tensor.nbytes for tensor in stored.values())
            self._check_room(num_bytes, len(names), len(mine) * world_size)
        return Encoded(names, bad, seconds)

    def _check_room(self, num_bytes: int, num_done: int, num_videos: int) -> None:
        if self.cache is not None and num_bytes > self.cache.max_bytes:
            needed = num_bytes / num_done * num_videos
            raise TevoError(
                f"the features of {num_videos} videos need about {needed / 1e9:.2f} GB, the cache is bounded to "
                f"{self.cache.max_bytes / 1e9:.2f} GB; raise --data.max_cache_gb, or lower --data.fps, "
                "--data.max_frames or --data.dense_factor"
            )

    def _prepare(self, video: VideoInfo) -> _Prepared:
        stored = self._cached(video)
        if stored is not None:
            return _Prepared(stored, None, 0.0)
        began = time.perf_counter()
        frames = self._read(video)
        return _Prepared(None, frames, time.perf_counter() - began)

    def _read(self, video: VideoInfo) -> FrameBatch:
        if video.duration_s * self.plan.fps > self.plan.max_frames + 0.5:
            rate = self.plan.max_frames / video.duration_s
            log.info("%s: %.0f s, %.3f instead of %g fps", video.path, video.duration_s, rate, self.plan.fps)
        timeout_s = 60.0 + 2.0 * video.duration_s  # assumed: far beyond what decoding takes, short of forever
        return read_probed(video, self.plan.times(video), self.size_px, timeout_s)

    def _frames(self, video: VideoInfo) -> FrameBatch:
        """The frames of the base view, from the cache where they are there."""
        key = cache_key(video.fingerprint, self._sampling(video), "frames")
        stored = None if self.cache is None else self.cache.get(key)
        if stored is not None:
            return FrameBatch(stored["frames"], stored["times_s"])
        frames = self.plan.base(self._read(video))
        if self.cache is not None:
            self.cache.put(key, {"frames": frames.frames, "times_s": frames.times_s})
        return frames

    def _sampling(self, video: VideoInfo) -> str:
        return f"{self.plan.describe(video)} size={self.size_px}"

    def _key(self, video: VideoInfo) -> str:
        return cache_key(video.fingerprint, self._sampling(video), self._fingerprint)

    def _cached(self, video: VideoInfo) -> dict[str, Tensor] | None:
        return None if self.cache is None else self.cache.get(self._key(video))

    def _encode(self, video: VideoInfo, frames: FrameBatch) -> dict[str, Tensor]:
        """Encode and store; what is returned is what a later run will read."""
        stored = (watch_views if self.writes else encode_views)(self.backbone, self.plan, video, frames)
        if self.cache is not None:
            self.cache.put(self._key(video), stored)
        return stored


def _ahead(
    prepare: Callable[[VideoInfo], _Prepared], videos: Mapping[str, VideoInfo]
) -> Iterator[tuple[str, Callable[[], _Prepared]]]:
    """Prepare the next video in a thread while the caller encodes this one."""
    names = list(videos)
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as reader:
        waiting: list[Future[_Prepared]] = []
        try:
            for number, name in enumerate(names):
                while len(waiting) < 2 and number + len(waiting) < len(names):
                    waiting.append(reader.submit(prepare, videos[names[number + len(waiting)]]))
                yield name, waiting.pop(0).result
        finally:
            reader.shutdown(wait=True, cancel_futures=True)


def _bar(items: Iterator[T], total: int, progress: bool) -> Iterator[T]:
    if not progress or not total:
        return items
    from tqdm import tqdm

    return iter(tqdm(items, total=total, desc="looking at the videos", unit="video", disable=None))
