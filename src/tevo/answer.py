"""Asking a trained model: a video and a question in; the answer, its evidence in seconds and a confidence out.

And, of predictions that are there already: how good the evidence is that they name.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tevo.backbones.base import Backbone
from tevo.data.collection import Collection, Probing, default_cache_dir
from tevo.data.datasets import QuestionBatch
from tevo.data.features import FeatureStore
from tevo.data.loader import Share
from tevo.data.readers.annotations import find_video
from tevo.data.serving import serve_questions
from tevo.errors import TevoError
from tevo.prompts.grammar import parse
from tevo.structures import Question, Span
from tevo.tasks.asking import check_usable, usual_options, window_outside
from tevo.tasks.folders import Release, load_solver
from tevo.tasks.matching import as_encoder
from tevo.tasks.probing import Prober, judge_claims, read_claim
from tevo.tasks.role import Answers, Said
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
        completion: what the model wrote, raw; None of a model without a language model.
    """

    answer: str | None
    spans: tuple[Span, ...]
    span_scores: tuple[float, ...]
    confidence: float
    option_probs: dict[str, float] = field(repr=False)
    path: str = SINGLE_PASS
    parsed: bool = True
    completion: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if not self.parsed and self.answer is None and not self.spans:
            return f"unreadable: {self.completion}"
        places = ", ".join(f"{span.start_s:.1f}-{span.end_s:.1f} s" for span in self.spans)
        return f"{places if self.answer is None else f'{self.answer} [{places}]'} (confidence {self.confidence:.2f})"


class Reply(NamedTuple):
    """One of many questions and what came of it: an answer, or the reason why its video could not be looked at."""

    question: Question
    answer: Answer | None
    reason: str = ""


class Judged(NamedTuple):
    """One of many predictions and what its evidence is worth, or the reason why its video could not be looked at."""

    qid: str
    terms: dict[str, float]  # by the names in tevo.metrics.evidence_quality.TERMS; empty where there is a reason
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
        solver: Answers,
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
            with_frames=solver.needs_frames,
            max_tokens=plan.max_tokens,
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
        _check_root(root)
        given = list(questions)
        asked = [self._completed(question, number, Path(root)) for number, question in enumerate(given)]
        if not asked:
            return []
        found = replace(self.probing, progress=progress).paths(sorted({question.video for question in asked}))
        for question in asked:
            _check_window(question, found.videos.get(question.video))
        usable, reasons = self._encoded(found, progress)
        answers: dict[str, Answer] = {}
        for batch in self._batches(usable, asked):
            answers |= self._answer_batch(batch, usable)
        return [
            Reply(question, answers.get(own.id), reasons.get(own.video, ""))
            for question, own in zip(given, asked, strict=True)
        ]

    def evidence_quality(
        self,
        predictions: Iterable[Mapping[str, Any]],
        root: str | os.PathLike[str] = "",
        windows: int | None = None,
        seed: int = 0,
        progress: bool = True,
    ) -> list[Judged]:
        """How good the evidence of predictions is, by this model and without labels: any model's predictions.

        Args:
            predictions: rows of a ``predictions.jsonl``: ``qid``, ``vid``, ``query`` and ``pred_relevant_windows``
                (seconds), and ``options`` and ``pred_answer`` where there was something to choose.
            root: folder that the videos' names are relative to.
            windows: how many of a row's windows are its evidence, in their order; all when not given. 1 where they are
                ranked guesses (Moment-DETR).
            seed: of the places that the evidence is compared with.
            progress: show bars on a terminal.

        Returns:
            One a prediction, in their order, see :mod:`tevo.metrics.evidence_quality` for the terms.

        Raises:
            TevoError: a missing root, or a row that cannot be used; before any video is encoded.
        """
        _check_root(root)
        claims = [read_claim(row, self.phrases, windows) for row in predictions]
        asked = [
            replace(claim.question, id=str(number), video=find_video(Path(os.path.abspath(root)), claim.question.video))
            for number, claim in enumerate(claims)
        ]
        if not asked:
            return []
        if not isinstance(self.solver, Solver):
            raise TevoError("evidence quality is judged by a model with heads; give the solver folder of such a run")
        found = replace(self.probing, progress=progress).paths(sorted({question.video for question in asked}))
        usable, reasons = self._encoded(found, progress)
        prober = Prober(self.solver.policy, as_encoder(self.store.backbone), self.solver.see)
        terms = judge_claims(prober, self._batches(usable, asked), claims, seed)
        return [
            Judged(claim.question.id, terms.get(own.id, {}), reasons.get(own.video, ""))
            for claim, own in zip(claims, asked, strict=True)
        ]

    def _encoded(self, found: Collection, progress: bool) -> tuple[dict[str, VideoInfo], dict[str, str]]:
        """Look at every video once; the usable ones by name, and why the others are not, by path."""
        done = self.store.encode_all(found.videos, progress)
        reasons = {bad.path: bad.reason for bad in [*found.bad, *done.bad]}
        return {name: found.videos[name] for name in done.names}, reasons

    def _batches(self, videos: Mapping[str, VideoInfo], questions: Sequence[Question]) -> Iterator[QuestionBatch]:
        """The questions about these videos, on the model's device."""
        seen = [question for question in questions if question.video in videos]
        for batch in serve_questions(self.store, videos, seen, QUESTIONS_PER_BATCH, Share()):
            yield batch.to(self.device)

    def _completed(self, question: Question, number: int, root: Path) -> Question:
        """The question with an id of its own, its video's whole path, and options where it is open."""
        check_usable(question)
        options = question.options or usual_options(question, self.phrases)
        return replace(question, id=str(number), video=os.path.abspath(root / question.video), options=options)

    def _answer_batch(self, batch: QuestionBatch, videos: Mapping[str, VideoInfo]) -> dict[str, Answer]:
        """Answers by the question's id."""
        limits = [Span(videos[q.video].start_s, videos[q.video].end_s) for q in batch.questions]
        said = self.solver.say(batch.videos, batch.questions, batch.rows, limits)
        return {question.id: read_answer(question, one) for question, one in zip(batch.questions, said, strict=True)}


def read_answer(question: Question, said: Said) -> Answer:
    """The Solver's reply to one question as a user meets it.

    Args:
        question: with the options that were put.
        said: the reply.
    """
    spans, scores = tuple(span for span, _ in said.spans), tuple(score for _, score in said.spans)
    placed = scores[0] if scores else 0.0
    sure = placed if said.confidence is None and question.kind == "when" else said.confidence or 0.0
    return Answer(
        said.answer or None, spans, scores, sure, said.option_probs, parsed=said.parsed, completion=said.completion
    )


def _check_root(root: str | os.PathLike[str]) -> None:
    if os.fspath(root) and not Path(root).is_dir():
        raise TevoError(f"there is no folder {root}, to which the videos' names are relative: give where they lie")


def _check_window(question: Question, video: VideoInfo | None) -> None:
    trouble = "" if video is None else window_outside(question, Span(video.start_s, video.end_s))
    if trouble:
        raise TevoError(trouble)
