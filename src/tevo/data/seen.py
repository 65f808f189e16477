"""The videos of a run: which there are, and what the backbone sees of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl

from tevo.backbones.base import Backbone
from tevo.data.collection import write_bad_videos
from tevo.data.datasets import VideoBatch
from tevo.data.features import FeatureStore
from tevo.data.ranks import gather
from tevo.data.serving import serve_pairs
from tevo.data.sources import Found, Sources, disputed
from tevo.structures import VideoTokens
from tevo.video.index import BadVideo
from tevo.video.info import VideoInfo

TEACHER_VIDEOS = 256  # assumed: far more tokens than a linear map has numbers


@dataclass(frozen=True, slots=True)
class Looking:
    """How videos are looked at, whichever backbone does; see :class:`~tevo.data.features.FeatureStore`."""

    cache_dir: Path  # features lie in its ``features`` folder
    max_cache_bytes: int
    fps: float | None
    max_frames: int
    dense_factor: int
    max_tokens: int
    seed: int

    def store(self, backbone: Backbone, with_frames: bool = False) -> FeatureStore:
        """Where the features of a backbone come from; nothing is read yet."""
        return FeatureStore(
            backbone,
            self.cache_dir / "features",
            self.fps,
            self.max_frames,
            self.dense_factor,
            self.max_cache_bytes,
            self.seed,
            with_frames=with_frames,
            max_tokens=self.max_tokens,
        )


class SeenVideos(pl.LightningDataModule):
    """The part of a run's DataModule that finds the videos and has the backbone look at them, once.

    Args:
        sources: what the user named.
        looking: how videos are looked at.
        videos_per_batch: most videos in a batch of phase 0.
        progress: show bars on a terminal.
    """

    def __init__(self, sources: Sources, looking: Looking, videos_per_batch: int, progress: bool) -> None:
        super().__init__()
        self.sources, self.looking = sources, looking
        self.videos_per_batch, self.progress = videos_per_batch, progress
        self.found = Found()
        self.seconds = {"decode": 0.0, "encode": 0.0}  # that attach() took in this process
        self._store: FeatureStore | None = None

    @property
    def videos(self) -> dict[str, VideoInfo]:
        """The videos to train on, by name (their path inside the root)."""
        return self.found.videos

    @property
    def bad_videos(self) -> list[BadVideo]:
        """Files that are not used, each with the reason."""
        return self.found.bad

    def write_bad_videos(self, folder: Path) -> None:
        """Write ``bad_videos.jsonl`` into a run's folder."""
        write_bad_videos(folder / "bad_videos.jsonl", self.bad_videos)

    @property
    def durations_s(self) -> dict[str, float]:
        """Length of each video that is trained on, in seconds."""
        return {name: info.duration_s for name, info in self.videos.items()}

    def prepare_data(self) -> None:
        """Probe every file once, in processes of their own; what an earlier run knows is not opened again."""
        stage = "fit" if self.trainer is None else getattr(self.trainer.state.fn, "value", "fit")
        self.sources.find(stage, progress=True, number=self._place[0])

    def setup(self, stage: str) -> None:
        """Read the index that :meth:`prepare_data` left; what one process cannot use, none of them does.

        Raises:
            TevoError: fewer usable videos than ``min_videos``, or a verb without its questions.
        """
        found = self.sources.find(stage, number=self._place[0])
        facts = found.facts()
        if len(set(gather(facts.digest()))) > 1:  # machines that do not share a disk
            found = self.sources.without(found, disputed(gather(facts)))
        self.found = found

    def attach(self, backbone: Backbone, with_frames: bool = False) -> None:
        """Look at every video with this backbone, once; the model's ``setup`` calls it, which comes after this one's.

        With several processes each takes its share, and all learn which videos failed.

        Args:
            backbone: the frozen one.
            with_frames: batches carry the frames, too, for a tower that learns.
        """
        if self.trainer is not None:
            backbone.to(self.trainer.strategy.root_device)
        self._store = self.looking.store(backbone, with_frames)
        failed = self._look(self._store, self.found.videos) | self._look(self._store, self.found.asked.videos)
        self.found = self.sources.without(self.found, failed)

    @property
    def store(self) -> FeatureStore:
        """Features of all videos, once :meth:`attach` was called."""
        if self._store is None:
            raise RuntimeError("no backbone is attached yet: call attach(backbone) first, as CoEvolution.setup does")
        return self._store

    @property
    def teacher_videos(self) -> dict[str, VideoInfo]:
        """The videos that phase 0 sees, evenly among those to train on."""
        step = max(1, len(self.videos) // TEACHER_VIDEOS)
        return dict(list(self.videos.items())[::step][:TEACHER_VIDEOS])

    def teacher_store(self, teacher: Backbone, store: FeatureStore) -> FeatureStore:
        """Where the teacher's features come from: of the very frames that ``store`` has of the backbone's."""
        theirs = self.looking.store(teacher)
        theirs.plan = store.plan
        return theirs

    def teacher_pairs(self, teacher: Backbone) -> Iterator[tuple[VideoBatch, VideoTokens]]:
        """Some videos as the backbone saw them beside what its teacher sees in the same frames (phase 0)."""
        theirs, some = self.teacher_store(teacher, self.store), self.teacher_videos
        failed = self._look(theirs, some)
        some = {name: info for name, info in some.items() if info.path not in failed}
        yield from serve_pairs(self.store, theirs, some, self.videos_per_batch)

    def _look(self, store: FeatureStore, videos: Mapping[str, VideoInfo]) -> dict[str, BadVideo]:
        """Encode this process's share; returns what failed on any process, by path."""
        rank, world_size = self._place
        done = store.encode_all(videos, self.progress and rank == 0, rank, world_size)
        for part, seconds in done.seconds.items():
            self.seconds[part] += seconds
        return {bad.path: bad for share in gather(done.bad) for bad in share}

    @property
    def _place(self) -> tuple[int, int]:
        """(rank, world size)."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
