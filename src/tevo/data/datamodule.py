"""The DataModule of a run: raw videos in one phase, pooled questions in the next, all of it resumable."""

from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from tevo.data.collection import Probing, default_cache_dir
from tevo.data.curriculum import Curriculum, CurriculumConfig
from tevo.data.features import MAX_TOKENS
from tevo.data.loader import Share, generator_of, shuffled_order
from tevo.data.pool import Pool, heldout_videos
from tevo.data.seen import Looking, SeenVideos
from tevo.data.serving import (
    Epoch,
    PooledLoader,
    QuestionLoader,
    VideoLoader,
    serve_pool,
    serve_questions,
    serve_videos,
)
from tevo.data.sources import Sources
from tevo.errors import TevoError
from tevo.structures import Question, Verdict

PHASES = ("questioner", "solver")
DEFAULT_CURRICULUM = CurriculumConfig()


class VideoQuestions(SeenVideos):
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
        if min(videos_per_batch, questions_per_batch) < 1:
            raise TevoError("--data.videos_per_batch and --data.questions_per_batch must be at least 1")
        folder = default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser()
        probing = Probing(folder, index_timeout_s, workers, progress)
        super().__init__(
            Sources(root, val_annotations, questions, min_videos, min_duration_s, probing),
            Looking(folder, int(max_cache_gb * 1e9), fps, max_frames, dense_factor, max_tokens, seed),
            videos_per_batch,
            progress,
        )
        self.seed, self.heldout_share = seed, heldout_share
        self.videos_per_epoch = videos_per_epoch
        self.questions_per_batch, self.questions_per_epoch = questions_per_batch, questions_per_epoch
        self.curriculum = Curriculum(curriculum)
        self.pool = Pool()
        self.epoch = Epoch("questioner", 1, 0, 1)  # the one served next
        self._drawn: list[int] | None = None  # the epoch's questions; fixed when it begins

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
    def _part(self) -> Share:
        """Each batch on one process; what comes of them has to be gathered."""
        return Share(*self._place, same_length=False)

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

    # --- checkpoints ---

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
