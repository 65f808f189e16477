"""The DataModule of a run: raw videos in one phase, pooled questions in the next, all of it resumable."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from tevo.backbones.base import Backbone
from tevo.data.collection import Probing, default_cache_dir, write_bad_videos
from tevo.data.curriculum import Curriculum, CurriculumConfig
from tevo.data.datasets import VideoBatch
from tevo.data.features import MAX_TOKENS, FeatureStore
from tevo.data.loader import Share, generator_of, shuffled_order
from tevo.data.pool import Pool, heldout_videos
from tevo.data.ranks import gather
from tevo.data.serving import (
    Epoch,
    PooledLoader,
    QuestionLoader,
    VideoLoader,
    serve_pairs,
    serve_pool,
    serve_questions,
    serve_videos,
)
from tevo.data.sources import Found, Sources, disputed
from tevo.errors import TevoError
from tevo.structures import Question, Verdict, VideoTokens
from tevo.video.index import BadVideo
from tevo.video.info import VideoInfo

PHASES = ("questioner", "solver")
TEACHER_VIDEOS = 256  # assumed: far more tokens than a linear map has numbers
DEFAULT_CURRICULUM = CurriculumConfig()


class VideoQuestions(pl.LightningDataModule):
    """Unlabelled videos of any length, the questions that the run makes of them, and, if given, annotated ones.

    Args:
        root: the videos: a folder (searched through and through), a pattern like 'clips/**/*.mp4', a text file with
            one path a line, or one video.
        val_annotations: JSON lines of annotated questions, for metrics each round; neither they nor their videos are
            trained on.
        questions: JSON lines of questions to answer, for ``tevo predict``.
        cache_dir: folder of the index and of the feature cache; ~/.cache/tevo when not given.
        max_cache_gb: bound of the feature cache, in 10^9 bytes.
        fps: frames a second that the model looks at; the backbone's own rate when not given.
        max_frames: most frames looked at a video; longer videos are looked at more thinly, all of them.
        dense_factor: the closer look takes this many times more frames.
        max_tokens: most tokens a video takes in a language model's prompt: its frames' size shrinks first, then their
            number. Other backbones do not read it.
        videos_per_batch: most videos a step of the Questioner.
        videos_per_epoch: videos drawn for an epoch of the Questioner; all when not given.
        questions_per_batch: most questions a step of the Solver, and of evaluation.
        questions_per_epoch: questions drawn from the pool an epoch; all that the curriculum admits when not given.
        heldout_share: share (0..1) of the videos whose questions the Solver never trains on; predictions are made
            for them where there are no annotations.
        min_videos: fewer usable videos than this are refused.
        min_duration_s: seconds; shorter videos are not used, and listed as bad.
        index_timeout_s: seconds after which a file that hangs is given up.
        workers: processes that probe the files; 0 for one a core.
        curriculum: how difficulty rises.
        seed: of every order and draw.
        progress: show bars on a terminal.
    """

    def __init__(
        self,
        root: str,
        val_annotations: str | None = None,
        questions: str | None = None,
        cache_dir: str | None = None,
        max_cache_gb: float = 20.0,  # assumed
        fps: float | None = None,
        max_frames: int = 512,  # assumed
        dense_factor: int = 2,  # assumed
        max_tokens: int = MAX_TOKENS,
        videos_per_batch: int = 16,  # assumed
        videos_per_epoch: int | None = None,
        questions_per_batch: int = 16,  # assumed
        questions_per_epoch: int | None = None,
        heldout_share: float = 0.1,  # assumed
        min_videos: int = 2,
        min_duration_s: float = 2.0,  # assumed
        index_timeout_s: float = 60.0,
        workers: int = 0,
        curriculum: CurriculumConfig = DEFAULT_CURRICULUM,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        super().__init__()
        if min(videos_per_batch, questions_per_batch) < 1:
            raise TevoError("--data.videos_per_batch and --data.questions_per_batch must be at least 1")
        self.cache_dir = default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser()
        probing = Probing(self.cache_dir, index_timeout_s, workers, progress)
        self.sources = Sources(root, val_annotations, questions, min_videos, min_duration_s, probing)
        self.found = Found()
        self.fps, self.max_frames, self.dense_factor, self.max_tokens = fps, max_frames, dense_factor, max_tokens
        self.max_cache_bytes, self.seed, self.progress = int(max_cache_gb * 1e9), seed, progress
        self.videos_per_batch, self.questions_per_batch = videos_per_batch, questions_per_batch
        self.videos_per_epoch = videos_per_epoch
        self.questions_per_epoch, self.heldout_share = questions_per_epoch, heldout_share
        self.curriculum = Curriculum(curriculum)
        self.pool = Pool()
        self.epoch = Epoch("questioner", 1, 0, 1)  # the one served next
        self.seconds = {"decode": 0.0, "encode": 0.0}  # that attach() took in this process
        self._stage = "fit"
        self._store: FeatureStore | None = None
        self._drawn: list[int] | None = None  # the epoch's questions; fixed when it begins

    # --- which videos there are, and what the backbone sees of them ---

    @property
    def videos(self) -> dict[str, VideoInfo]:
        """The videos to train on, by name (their path inside the root)."""
        return self.found.videos

    @property
    def bad_videos(self) -> list[BadVideo]:
        """Files that are not used, each with the reason."""
        return self.found.bad

    def prepare_data(self) -> None:
        """Probe every file once, in processes of their own; what an earlier run knows is not opened again."""
        stage = "fit" if self.trainer is None else getattr(self.trainer.state.fn, "value", "fit")
        self.sources.find(stage, progress=True, number=self._place[0])

    def setup(self, stage: str) -> None:
        """Read the index that :meth:`prepare_data` left; what one process cannot use, none of them does.

        Raises:
            TevoError: fewer usable videos than ``min_videos``, or a verb without its questions.
        """
        self._stage = stage
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
        self._store = self.store_of(backbone, with_frames)
        failed = self._look(self._store, self.found.videos) | self._look(self._store, self.found.asked.videos)
        self.found = self.sources.without(self.found, failed)

    def store_of(self, backbone: Backbone, with_frames: bool = False) -> FeatureStore:
        """Where the features of this backbone come from, by the settings of the run; nothing is read yet."""
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

    @property
    def _part(self) -> Share:
        """Each batch on one process; what comes of them has to be gathered."""
        return Share(*self._place, same_length=False)

    @property
    def store(self) -> FeatureStore:
        """Features of all videos, once :meth:`attach` was called."""
        if self._store is None:
            raise RuntimeError("no backbone is attached yet: call attach(backbone) first, as CoEvolution.setup does")
        return self._store

    @property
    def durations_s(self) -> dict[str, float]:
        """Length of each video that is trained on, in seconds."""
        return {name: info.duration_s for name, info in self.videos.items()}

    # --- training ---

    def set_phase(self, phase: str, round: int, epoch: int = 0, num_epochs: int = 1) -> None:
        """Say what the next :meth:`train_dataloader` serves; the pool must be in force before it is called.

        Args:
            phase: "questioner" (videos) or "solver" (pooled questions).
            round: from 1.
            epoch: from 0, within the phase.
            num_epochs: of the phase; the Solver's ceilings rise over them.
        """
        if phase not in PHASES:
            raise ValueError(f"phases are {' and '.join(PHASES)}, got {phase!r}")
        self.epoch = Epoch(phase, round, epoch, num_epochs)
        self._drawn = None
        self.curriculum.start_round(round)

    @property
    def heldout(self) -> frozenset[str]:
        """Videos whose questions the Solver is not trained on."""
        return heldout_videos(self.videos, self.heldout_share)

    def training_verdicts(self) -> list[Verdict]:
        """The pool without the questions about held-out videos.

        Raises:
            TevoError: when none is left, or the pool is about other videos.
        """
        return self.pool.training(self.videos, self.heldout)

    def _draw(self) -> list[Verdict]:
        """This epoch's questions. Drawn once: competence moves while they are answered."""
        verdicts = self.training_verdicts()
        if self._drawn is None:
            epoch, durations = self.epoch, self.durations_s
            ceilings = self.curriculum.ceilings(epoch.round, epoch.epoch, epoch.num_epochs, list(durations.values()))
            generator = generator_of(self.seed, str(epoch), "draw")
            self._drawn = self.curriculum.draw(verdicts, self.questions_per_epoch, ceilings, generator, durations)
        return [verdicts[index] for index in self._drawn]

    def train_dataloader(self) -> VideoLoader | PooledLoader:
        """Videos in the Questioner's phase, pooled questions in the Solver's."""
        share, name = Share(*self._place), str(self.epoch)
        if self.epoch.phase == "questioner":
            order = shuffled_order(len(self.videos), self.seed, name)[: self.videos_per_epoch]
            drawn = {video: self.videos[video] for video in (list(self.videos)[index] for index in order)}
            return serve_videos(self.store, drawn, self.videos_per_batch, name, share)
        return serve_pool(self.store, self.videos, self._draw(), self.questions_per_batch, name, share)

    def all_videos(self) -> VideoLoader:
        """Every training video once, in the order of their names, for building the pool; this process's share."""
        return serve_videos(self.store, self.videos, self.videos_per_batch, "all", self._part)

    def heldout_batches(self) -> VideoLoader:
        """The held-out videos, in the order of their names; all where none is held out. This process's share."""
        kept = {name: info for name, info in self.videos.items() if name in self.heldout} or self.videos
        return serve_videos(self.store, kept, self.videos_per_batch, "heldout", self._part)

    @property
    def teacher_videos(self) -> dict[str, VideoInfo]:
        """The videos that phase 0 sees, evenly among those to train on."""
        step = max(1, len(self.videos) // TEACHER_VIDEOS)
        return dict(list(self.videos.items())[::step][:TEACHER_VIDEOS])

    def teacher_store(self, teacher: Backbone, store: FeatureStore) -> FeatureStore:
        """Where the teacher's features come from: of the very frames that ``store`` has of the backbone's."""
        theirs = self.store_of(teacher)
        theirs.plan = store.plan
        return theirs

    def teacher_pairs(self, teacher: Backbone) -> Iterator[tuple[VideoBatch, VideoTokens]]:
        """Some videos as the backbone saw them beside what its teacher sees in the same frames (phase 0)."""
        store, some = self.teacher_store(teacher, self.store), self.teacher_videos
        failed = self._look(store, some)
        some = {name: info for name, info in some.items() if info.path not in failed}
        yield from serve_pairs(self.store, store, some, self.videos_per_batch)

    # --- evaluation ---

    @property
    def val_questions(self) -> list[Question]:
        """The annotated questions, or those to predict; empty when no file was given."""
        return self.found.asked.questions

    def heldout_questions(self) -> list[Question]:
        """The pool's questions about held-out videos, without their pseudo-labels: nobody knows the truth."""
        verdicts = self.pool.about(self.heldout & self.videos.keys())
        return [replace(verdict.question, answer="", evidence=()) for verdict in verdicts]

    def val_batches(self) -> QuestionLoader:
        """The annotated questions where there are any, else those of the pool's held-out videos; this one's share."""
        return self._asking(self._part)

    def _asking(self, share: Share) -> QuestionLoader:
        if self.found.asked.questions:
            return serve_questions(
                self.store, self.found.asked.videos, self.found.asked.questions, self.questions_per_batch, share
            )
        return serve_questions(self.store, self.videos, self.heldout_questions(), self.questions_per_batch, share)

    def val_dataloader(self) -> QuestionLoader:
        """The annotated questions, for ``tevo validate``; a fit measures each round by :meth:`val_batches`."""
        return self._asking(Share(*self._place))

    def test_dataloader(self) -> QuestionLoader:
        """The annotated questions."""
        return self._asking(Share(*self._place))

    def predict_dataloader(self) -> QuestionLoader:
        """The questions of ``questions``."""
        return self._asking(self._part)

    # --- what is left behind ---

    def write_bad_videos(self, folder: Path) -> None:
        """Write ``bad_videos.jsonl`` into a run's folder."""
        write_bad_videos(folder / "bad_videos.jsonl", self.bad_videos)

    def state_dict(self) -> dict[str, Any]:
        """The epoch being served, its questions, the pool and the curriculum, as plain values."""
        return {
            "epoch": list(astuple(self.epoch)),
            "drawn": self._drawn,
            "pool": self.pool.state_dict(),
            "curriculum": self.curriculum.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.epoch = Epoch(*state_dict["epoch"])
        self._drawn = state_dict["drawn"]
        self.pool.load_state_dict(state_dict["pool"])
        self.curriculum.load_state_dict(state_dict["curriculum"])
