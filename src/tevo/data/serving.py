"""What an epoch serves, as loaders: every order is a function of the seed and of the epoch's place in the run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tevo.data.datasets import (
    GroupedDataset,
    PooledBatch,
    QuestionBatch,
    VideoBatch,
    VideoDataset,
    collate_pooled,
    collate_questions,
    collate_videos,
)
from tevo.data.features import FeatureStore
from tevo.data.loader import EpochLoader, Share, pack, shuffled_order
from tevo.data.views import VideoFeatures
from tevo.structures import Question, Verdict, VideoTokens
from tevo.video.info import VideoInfo

VideoLoader = EpochLoader[VideoFeatures, VideoBatch]
PooledLoader = EpochLoader[tuple[VideoFeatures, list[Verdict]], PooledBatch]
QuestionLoader = EpochLoader[tuple[VideoFeatures, list[Question]], QuestionBatch]


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch's place in the run."""

    phase: str  # questioner | solver
    round: int  # from 1
    epoch: int  # from 0, within the phase
    num_epochs: int  # of the phase

    def __str__(self) -> str:
        return f"{self.phase} phase of round {self.round}, epoch {self.epoch}"


def serve_videos(
    store: FeatureStore, videos: Mapping[str, VideoInfo], most: int, epoch: str, share: Share, seed: int | None = None
) -> VideoLoader:
    """Every video once.

    Args:
        store: where features come from.
        videos: by name.
        most: videos a batch.
        epoch: which epoch this is, in words.
        share: of this process.
        seed: of a random order; None for the order of ``videos``.
    """
    names = list(videos)
    if seed is not None:
        names = [names[index] for index in shuffled_order(len(names), seed, epoch)]
    return EpochLoader(VideoDataset(store, videos, names), collate_videos, pack([1] * len(names), most), epoch, share)


def serve_pool(
    store: FeatureStore,
    videos: Mapping[str, VideoInfo],
    verdicts: Sequence[Verdict],
    most: int,
    epoch: str,
    share: Share,
) -> PooledLoader:
    """Pooled questions in the order drawn, but those about a video together; at most ``most`` a batch."""
    dataset = GroupedDataset(store, videos, verdicts, most)
    return EpochLoader(dataset, collate_pooled, pack([len(group) for group in dataset.groups], most), epoch, share)


def serve_questions(
    store: FeatureStore, videos: Mapping[str, VideoInfo], questions: Sequence[Question], most: int, share: Share
) -> QuestionLoader:
    """Questions to be answered, those about a video together; at most ``most`` a batch."""
    dataset = GroupedDataset(store, videos, questions, most)
    plan = pack([len(group) for group in dataset.groups], most)
    return EpochLoader(dataset, collate_questions, plan, "questions", share)


def serve_pairs(
    store: FeatureStore, teacher: FeatureStore, videos: Mapping[str, VideoInfo], most: int
) -> Iterator[tuple[VideoBatch, VideoTokens]]:
    """Videos as the backbone saw them, beside what the teacher saw in the same frames."""
    theirs = serve_videos(teacher, videos, most, "teacher", Share())
    for own, other in zip(serve_videos(store, videos, most, "pairs", Share()), theirs, strict=True):
        yield own, other.tokens
