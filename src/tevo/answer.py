"""Asking a trained model: a video and a question in; the answer, its evidence in seconds and a confidence out."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch

from tevo.backbones.base import Backbone
from tevo.data.collection import Probing, default_cache_dir
from tevo.data.datasets import QuestionBatch
from tevo.data.features import FeatureStore
from tevo.data.loader import Share
from tevo.data.serving import serve_questions
from tevo.errors import TevoError
from tevo.heads.policy import Prediction
from tevo.prompts.grammar import parse
from tevo.structures import Question, Span
from tevo.tasks.asking import predicted_spans, usual_options, window_outside
from tevo.tasks.folders import Release, load_solver
from tevo.tasks.solver import Solver
from tevo.video.decoder import VideoError
from tevo.video.info import VideoInfo

SINGLE_PASS = "single pass"  # the whole video at the base rate, once
QUESTIONS_PER_BATCH = 64  # assumed
PROBE_S = 60.0  # seconds after which a file that hangs is given up


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says.

    Attributes:
        answer: one of the options; of the run's phrase bank where none were given. None for a *when* question without
            options, whose answer is its spans.
        spans: the evidence, seconds (pts) inside the video, the first one found first.
        span_scores: probability (0..1) that the evidence is about there (IoU >= 0.5), a span each.
        confidence: probability (0..1) of the answer; of the first span where the spans are the answer.
        option_probs: probability of every option, in the order given.
        path: how the answer was come by.
        parsed: False where the model's words could not be read (never for a model without a language model).
    """

    answer: str | None
    spans: tuple[Span, ...]
    span_scores: tuple[float, ...]
    confidence: float
    option_probs: dict[str, float] = field(repr=False)
    path: str = SINGLE_PASS
    parsed: bool = True

    def __str__(self) -> str:
        places = ", ".join(f"{span.start_s:.1f}-{span.end_s:.1f} s" for span in self.spans)
        return f"{places if self.answer is None else f'{self.answer} [{places}]'} (confidence {self.confidence:.2f})"


class Reply(NamedTuple):
    """One of many questions and what came of it: an answer, or the reason why its video could not be looked at."""

    question: Question
    answer: Answer | None
    reason: str = ""


def load(
    folder: str | os.PathLike[str],
    backbone: Backbone | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    max_cache_gb: float = 20.0,
    device: torch.device | str | None = None,
) -> "Answerer":
    """A trained Solver, ready to be asked.

    Args:
        folder: ``hf/round-N/solver`` of a run.
        backbone: the one it was trained on, needed where that has no registered name. What phase 0 fitted is written
            into it.
        cache_dir: of the index and the features, as ``--data.cache_dir``; ~/.cache/tevo when not given. What a run
            has looked at with the same cache is not decoded again.
        max_cache_gb: bound of the feature cache, in 10^9 bytes, as ``--data.max_cache_gb``.
        device: where the model is put; where the backbone is when not given.

    Raises:
        TevoError: a folder that is missing, damaged, or of another role or version; a backbone that differs.
    """
    solver, release = load_solver(folder, backbone)
    return Answerer(solver, release, cache_dir, max_cache_gb, device)


class Answerer:
    """A Solver with the backbone it looks through; made by :func:`load`.

    Args:
        solver: answers.
        release: what was saved with it.
        cache_dir: as in :func:`load`.
        max_cache_gb: as in :func:`load`.
        device: as in :func:`load`.
    """

    def __init__(
        self,
        solver: Solver,
        release: Release,
        cache_dir: str | os.PathLike[str] | None = None,
        max_cache_gb: float = 20.0,
        device: torch.device | str | None = None,
    ) -> None:
        backbone, plan = release.backbone, release.plan
        place = next(iter([*backbone.parameters(), *backbone.buffers()]), torch.empty(0)).device
        self.device = place if device is None else torch.device(device)
        self.solver, self.phrases = solver.to(self.device).eval(), release.phrases
        folder = default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser()
        self.probing = Probing(folder, PROBE_S, workers=0, progress=False)
        self.store = FeatureStore(
            backbone.to(self.device).eval(),
            folder / "features",
            plan.fps,
            plan.max_frames,
            plan.dense_factor,
            int(max_cache_gb * 1e9),
            plan.seed,
            plan.dtype,
            with_frames=solver.tower is not None,
        )

    def answer(self, video: str | os.PathLike[str], question: str, options: Sequence[str] = ()) -> Answer:
        """Answer one question about one video.

        Args:
            video: a file of any length, rate and format that FFmpeg reads.
            question: one of the grammar's ("When does this happen: ...?") or free text.
            options: two or more to choose from; none for a question about *when*, or for an open one, which is
                answered over the phrase bank.

        Raises:
            VideoError: a video that is missing or cannot be read.
            TevoError: a question or options that cannot be used.
        """
        if isinstance(options, str):
            raise TevoError(f"options is the text {options!r}; wanted is a list of texts, like [{options!r}, '...']")
        asked = Question("", os.fspath(video), question, parse(question).kind, tuple(options))
        (reply,) = self.answer_all([asked], progress=False)
        if reply.answer is None:
            raise VideoError(asked.video, reply.reason)
        return reply.answer

    def answer_all(
        self, questions: Iterable[Question], root: str | os.PathLike[str] = "", progress: bool = True
    ) -> list[Reply]:
        """Answer many questions; each video is decoded and encoded once, however many ask about it.

        Args:
            questions: of their fields, ``video``, ``text`` and ``options`` are read.
            root: folder that the videos' names are relative to.
            progress: show bars on a terminal.

        Returns:
            A reply a question, in their order; one without an answer where a video is missing or cannot be read.

        Raises:
            TevoError: a missing root, or a question that cannot be used; before any video is encoded.
        """
        if os.fspath(root) and not Path(root).is_dir():
            raise TevoError(f"there is no folder {root}, to which the videos' names are relative: give where they lie")
        given = list(questions)
        asked = [self._completed(question, number, Path(root)) for number, question in enumerate(given)]
        if not asked:
            return []
        found = replace(self.probing, progress=progress).paths(sorted({question.video for question in asked}))
        for question in asked:
            _check_window(question, found.videos.get(question.video))
        done = self.store.encode_all(found.videos, progress)
        usable = {name: found.videos[name] for name in done.names}
        answers: dict[str, Answer] = {}
        seen = [question for question in asked if question.video in usable]
        for batch in serve_questions(self.store, usable, seen, QUESTIONS_PER_BATCH, Share()):
            answers |= self._answer_batch(batch.to(self.device), usable)
        reasons = {bad.path: bad.reason for bad in [*found.bad, *done.bad]}
        return [
            Reply(question, answers.get(own.id), reasons.get(own.video, ""))
            for question, own in zip(given, asked, strict=True)
        ]

    def _completed(self, question: Question, number: int, root: Path) -> Question:
        """The question with an id of its own, its video's whole path, and options where it is open."""
        _check_question(question)
        options = question.options or usual_options(question, self.phrases)
        return replace(question, id=str(number), video=os.path.abspath(root / question.video), options=options)

    def _answer_batch(self, batch: QuestionBatch, videos: Mapping[str, VideoInfo]) -> dict[str, Answer]:
        """Answers by the question's id."""
        best = self.solver.predict_questions(batch.videos, self.solver.queries(batch.questions, batch.rows))
        return {
            question.id: read_answer(question, best, index, videos[question.video])
            for index, question in enumerate(batch.questions)
        }


def read_answer(question: Question, best: Prediction, index: int, video: VideoInfo) -> Answer:
    """One question's answer out of a batch's prediction.

    Args:
        question: with the options that were put.
        best: of the batch.
        index: of the question in it.
        video: no span reaches beyond it, as a token's share of time may.
    """
    found = predicted_spans(best, index, Span(video.start_s, video.end_s))
    spans, scores = tuple(span for span, _ in found), tuple(score for _, score in found)
    # padded to the widest question of the batch
    probs = dict(zip(question.options, best.option_probs[index].tolist(), strict=False))
    chosen = max(probs, key=probs.__getitem__, default=None)
    return Answer(chosen, spans, scores, scores[0] if chosen is None else probs[chosen], probs)


def _check_question(question: Question) -> None:
    options, where = question.options, f"the question {question.text!r} about {question.video}"
    if not question.text.strip():
        raise TevoError(f"{where} is empty: write what you want to know")
    if len(options) == 1:
        raise TevoError(f"{where} has one option, {options[0]!r}: give two or more to choose from, or none")
    if not all(option.strip() for option in options):
        raise TevoError(f"{where} has an empty option among {list(options)}: write each out, or leave it away")
    if len(set(options)) < len(options):
        twice = next(option for option in options if options.count(option) > 1)
        raise TevoError(f"{where} has the option {twice!r} more than once: give each once")


def _check_window(question: Question, video: VideoInfo | None) -> None:
    trouble = "" if video is None else window_outside(question, Span(video.start_s, video.end_s))
    if trouble:
        raise TevoError(trouble)
