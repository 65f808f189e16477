"""A trained Solver, ready to be asked: questions about videos in, answers out, in order, every failure named."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tevo.answer.answers import Answer, Judged, Reply
from tevo.answer.asked import check_root, completed, shown_of
from tevo.answer.encoder import EncoderLooker
from tevo.answer.evidence import judge_evidence
from tevo.answer.heard import Heard, hear
from tevo.answer.language import LanguageLooker
from tevo.answer.looker import Looker, Request
from tevo.answer.ways import Answering, answer_requests
from tevo.data.collection import Collection, Probing, default_cache_dir
from tevo.data.features import FeatureStore
from tevo.data.shown import look_up, video_key
from tevo.errors import TevoError
from tevo.prompts.grammar import parse
from tevo.structures import Question
from tevo.tasks.folders import Release
from tevo.tasks.language.solver import LanguageSolver
from tevo.tasks.role import Answers
from tevo.tasks.solver import Solver
from tevo.video.decoder import VideoError

PROBE_S = 60.0  # seconds after which a file that hangs is given up


class Answerer:
    """A Solver with the backbone it looks through; made by :func:`tevo.load`.

    Args:
        solver: answers.
        release: what was saved with it.
        cache_dir: as in :func:`tevo.load`.
        max_cache_gb: as in :func:`tevo.load`.
        device: as in :func:`tevo.load`.
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
        self.looker = _looker(solver, self.store, self.phrases)

    def answer(
        self,
        video: str | os.PathLike[str],
        question: str,
        options: Sequence[str] = (),
        answering: str | Answering = "single",
        subtitles: bool = False,
    ) -> Answer:
        """Answer one question about one video.

        Args:
            video: a file of any length, rate and format that FFmpeg reads.
            question: one of the grammar's ("When does this happen: ...?") or free text.
            options: two or more to choose from; none for a question about *when*, or for an open one, which is
                answered over the phrase bank, or in a language model's own words.
            answering: ``single``, ``coarse_to_fine`` or ``divide_and_conquer``, or one with its settings.
            subtitles: read them too: a file beside the video, or a track inside it.

        Raises:
            VideoError: a video that is missing or cannot be read.
            TevoError: a question, options or a way to answer that cannot be used.
        """
        if isinstance(options, str):
            raise TevoError(f"options is the text {options!r}; wanted is a list of texts, like [{options!r}, '...']")
        asked = Question("", os.fspath(video), question, parse(question).kind, tuple(options))
        (reply,) = self.answer_all([asked], progress=False, answering=answering, subtitles=subtitles)
        if reply.answer is None:
            raise VideoError(asked.video, reply.reason)
        return reply.answer

    def answer_all(
        self,
        questions: Iterable[Question],
        root: str | os.PathLike[str] = "",
        progress: bool = True,
        answering: str | Answering = "single",
        subtitles: bool = False,
        found: Collection | None = None,
    ) -> list[Reply]:
        """Answer many questions; what they show of a video is decoded and encoded once, however many ask about it.

        Args:
            questions: of their fields, ``video``, ``text``, ``kind``, ``options``, ``shown`` and ``frames`` are read.
            root: folder that the videos' names are relative to.
            progress: show bars on a terminal.
            answering: as in :meth:`answer`.
            subtitles: as in :meth:`answer`.
            found: what is known of the videos (:meth:`look_up`); looked up when not given.

        Returns:
            A reply a question, in their order; one without an answer where a video is missing or cannot be read.

        Raises:
            TevoError: a missing root, or a question or a way that cannot be used; before any video is encoded.
        """
        check_root(root)
        plan = answering if isinstance(answering, Answering) else Answering(answering)
        given = list(questions)
        asked = [completed(question, number, Path(root), self.phrases) for number, question in enumerate(given)]
        if not asked:
            return []
        found = self.look_up(asked, progress) if found is None else found
        reasons = {bad.path: bad.reason for bad in found.bad}
        usable = [question for question in asked if video_key(question) in found.videos]
        shown = [shown_of(question, found.videos[video_key(question)]) for question in usable]
        heard = hear(sorted({question.video for question in usable if question.frames is None})) if subtitles else {}
        requests = [
            Request(question, found.videos[video_key(question)], part, heard.get(question.video, Heard()).cues)
            for question, part in zip(usable, shown, strict=True)
        ]
        outcomes = answer_requests(self.looker, requests, plan, progress)
        by_id = {question.id: outcome for question, outcome in zip(usable, outcomes, strict=True)}
        return [
            _reply(question, by_id.get(own.id), heard.get(own.video, Heard()), reasons.get(video_key(own), ""))
            for question, own in zip(given, asked, strict=True)
        ]

    def look_up(self, questions: Iterable[Question], progress: bool = True) -> Collection:
        """What there is to know of the videos of questions before they are decoded; each file is opened once.

        Args:
            questions: ``video`` is a whole path.
            progress: show a bar on a terminal.
        """
        return look_up(list(questions), replace(self.probing, progress=progress))

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
                (seconds), and ``options`` and ``pred_answer`` where there was something to choose; ``shown``
                (``[start, end]``, seconds) where only a part of the video was to be seen.
            root: folder that the videos' names are relative to.
            windows: how many of a row's windows are its evidence, in their order; all when not given. 1 where they are
                ranked guesses (Moment-DETR).
            seed: of the places that the evidence is compared with.
            progress: show bars on a terminal.

        Returns:
            One a prediction, in their order, see :mod:`tevo.metrics.evidence_quality` for the terms.

        Raises:
            TevoError: a language model, a missing root, or a row that cannot be used; before any video is encoded.
        """
        if not isinstance(self.solver, Solver):
            raise TevoError("evidence quality is judged by a model with heads; give the solver folder of such a run")
        probing = replace(self.probing, progress=progress)
        return judge_evidence(self.solver, self.store, probing, self.phrases, predictions, root, windows, seed)


def _looker(solver: Answers, store: FeatureStore, phrases: Sequence[str]) -> Looker:
    """What looks at videos for a Solver."""
    if isinstance(solver, Solver):
        return EncoderLooker(solver, store, phrases)
    if isinstance(solver, LanguageSolver):
        return LanguageLooker(solver, store)
    raise TevoError(f"{type(solver).__name__} is no Solver that tevo can look at videos for")


def _reply(question: Question, outcome: Answer | VideoError | None, heard: Heard, reason: str) -> Reply:
    if isinstance(outcome, Answer):
        return Reply(question, replace(outcome, notes=heard.notes, subtitles=heard.cues))
    return Reply(question, None, outcome.reason if outcome else reason)
