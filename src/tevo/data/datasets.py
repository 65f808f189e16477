"""What a step of training or evaluation gets: features of some videos, and the questions about them.

References travel, not pixels: an item is a video's name and its rows; features come from the memory-mapped cache.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tevo.backbones.language import Watched
from tevo.data.features import FeatureStore
from tevo.data.views import VideoFeatures
from tevo.data.watching import Closer
from tevo.structures import FrameBatch, Question, Verdict, VideoTokens
from tevo.video.info import VideoInfo

Item = TypeVar("Item", Verdict, Question)


@dataclass(frozen=True, slots=True)
class VideoBatch:
    """Videos with what the backbone saw of them, three times: as they are, shuffled in time, and more densely."""

    names: list[str]  # path inside the data root
    tokens: VideoTokens  # batch B, at the base rate
    shuffled: VideoTokens  # the same times, frames in another order
    dense: VideoTokens  # the same video at a multiple of the base rate
    start_s: Float[Tensor, "batch"]  # seconds (pts) of the first frame
    end_s: Float[Tensor, "batch"]  # seconds (pts) where the last frame ends
    frames: tuple[FrameBatch, ...] = ()  # of each video's base view, where a tower learns; never moved from the CPU
    orders: tuple[Int[Tensor, "time"], ...] = ()  # of those frames in the shuffled view
    watched: tuple[Watched, ...] = ()  # what a language model reads of each video; it moves them itself
    closer: tuple[Closer, ...] = ()  # a sharper look at some spans of each

    def to(self, device: torch.device | str) -> "VideoBatch":
        """The same batch on another device."""
        return replace(
            self,
            tokens=self.tokens.to(device),
            shuffled=self.shuffled.to(device),
            dense=self.dense.to(device),
            start_s=self.start_s.to(device),
            end_s=self.end_s.to(device),
        )


@dataclass(frozen=True, slots=True)
class PooledBatch:
    """Questions of the pool with their pseudo-labels; each video is there once, however many ask about it."""

    videos: VideoBatch
    verdicts: list[Verdict]
    rows: Int[Tensor, "question"]  # verdict -> its video's row in ``videos``

    def to(self, device: torch.device | str) -> "PooledBatch":
        """The same batch on another device."""
        return PooledBatch(self.videos.to(device), self.verdicts, self.rows.to(device))


@dataclass(frozen=True, slots=True)
class QuestionBatch:
    """Questions to be answered, for evaluation and prediction; each video is there once."""

    videos: VideoBatch
    questions: list[Question]
    rows: Int[Tensor, "question"]  # question -> its video's row in ``videos``

    def to(self, device: torch.device | str) -> "QuestionBatch":
        """The same batch on another device."""
        return QuestionBatch(self.videos.to(device), self.questions, self.rows.to(device))


class VideoDataset:
    """Features of videos, one an item; nothing is held in memory but names.

    Args:
        store: where features come from.
        videos: by name.
        labels: names of the videos, in order; each may be there more than once.
    """

    def __init__(self, store: FeatureStore, videos: Mapping[str, VideoInfo], labels: Sequence[str]) -> None:
        self._store = store
        self._videos = videos
        self.labels = list(labels)

    def __getitem__(self, index: int) -> VideoFeatures:
        """The features of one video, from disk."""
        name = self.labels[index]
        return self._store.get(self._videos[name], name)


class GroupedDataset(Generic[Item]):
    """Questions grouped by their video: an item is a video's features, read once, and questions about it.

    Args:
        store: where features come from.
        videos: by name.
        items: questions or verdicts, of videos that are among ``videos``.
        most: at most this many questions an item; a video with more is there again.
    """

    def __init__(self, store: FeatureStore, videos: Mapping[str, VideoInfo], items: Sequence[Item], most: int) -> None:
        by_video: dict[str, list[Item]] = {}  # in order of first appearance
        for item in items:
            by_video.setdefault(_question(item).video, []).append(item)
        self.groups: list[list[Item]] = [
            group[start : start + most] for group in by_video.values() for start in range(0, len(group), most)
        ]
        self._features = VideoDataset(store, videos, [_question(group[0]).video for group in self.groups])

    @property
    def labels(self) -> list[str]:
        """The ids of each item's questions."""
        return [" ".join(_question(item).id for item in group) for group in self.groups]

    def __getitem__(self, index: int) -> tuple[VideoFeatures, list[Item]]:
        """The features of one video, from disk, and the questions about it."""
        return self._features[index], self.groups[index]


def collate_videos(items: Sequence[VideoFeatures]) -> VideoBatch:
    """One batch of videos; tokens are padded to the longest."""
    return VideoBatch(
        names=[item.name for item in items],
        tokens=VideoTokens.collate([item.tokens for item in items]),
        shuffled=VideoTokens.collate([item.shuffled for item in items]),
        dense=VideoTokens.collate([item.dense for item in items]),
        start_s=torch.tensor([item.start_s for item in items], dtype=torch.float32),
        end_s=torch.tensor([item.end_s for item in items], dtype=torch.float32),
        frames=tuple(item.frames for item in items if item.frames is not None),
        orders=tuple(item.order for item in items if item.order is not None),
        watched=tuple(item.watched for item in items if item.watched is not None),
        closer=tuple(item.closer for item in items if item.closer is not None),
    )


def collate_pooled(items: Sequence[tuple[VideoFeatures, list[Verdict]]]) -> PooledBatch:
    """One batch of pooled questions, those of a video side by side."""
    videos, verdicts, rows = _ungroup(items)
    return PooledBatch(videos, verdicts, rows)


def collate_questions(items: Sequence[tuple[VideoFeatures, list[Question]]]) -> QuestionBatch:
    """One batch of questions to be answered, those of a video side by side."""
    videos, questions, rows = _ungroup(items)
    return QuestionBatch(videos, questions, rows)


def _ungroup(
    items: Sequence[tuple[VideoFeatures, list[Item]]],
) -> tuple[VideoBatch, list[Item], Int[Tensor, "question"]]:
    rows = [row for row, (_, group) in enumerate(items) for _ in group]
    flat = [item for _, group in items for item in group]
    return collate_videos([features for features, _ in items]), flat, torch.tensor(rows, dtype=torch.long)


def _question(item: Verdict | Question) -> Question:
    return item.question if isinstance(item, Verdict) else item
