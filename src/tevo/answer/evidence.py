"""Of predictions that are there already: how good the evidence is that they name, asked of a Solver with heads."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tevo.answer.answers import Judged
from tevo.answer.asked import check_root
from tevo.answer.encoder import QUESTIONS_AT_ONCE
from tevo.data.collection import Probing
from tevo.data.datasets import QuestionBatch
from tevo.data.features import FeatureStore
from tevo.data.loader import Share
from tevo.data.readers.annotations import find_video
from tevo.data.serving import serve_questions
from tevo.data.shown import look_up, what_is_shown
from tevo.structures import Question
from tevo.tasks.matching import as_encoder
from tevo.tasks.probing import Prober, judge_claims, read_claim
from tevo.tasks.solver import Solver
from tevo.video.info import VideoInfo


def judge_evidence(
    solver: Solver,
    store: FeatureStore,
    probing: Probing,
    phrases: Sequence[str],
    predictions: Iterable[Mapping[str, Any]],
    root: str | os.PathLike[str],
    windows: int | None,
    seed: int,
) -> list[Judged]:
    """See :meth:`tevo.answer.Answerer.evidence_quality`.

    Args:
        solver: the judge.
        store: what it looks through.
        probing: how files are probed.
        phrases: of its run.
        predictions: rows.
        root: folder that the videos' names are relative to.
        windows: how many of a row's windows are its evidence.
        seed: of the places that the evidence is compared with.
    """
    check_root(root)
    claims = [read_claim(row, phrases, windows) for row in predictions]
    folder = Path(os.path.abspath(root))
    asked = [
        replace(claim.question, id=str(number), video=find_video(folder, claim.question.video))
        for number, claim in enumerate(claims)
    ]
    if not asked:
        return []
    shown = what_is_shown(asked, look_up(asked, probing))
    done = store.encode_all(shown.videos, probing.progress)
    usable = {name: shown.videos[name] for name in done.names}
    failed = [name for name in shown.videos if name not in usable]  # in the order of ``done.bad``
    reasons = shown.reasons | {name: bad.reason for name, bad in zip(failed, done.bad, strict=True)}
    prober = Prober(solver.policy, as_encoder(store.backbone), solver.see)
    terms = judge_claims(prober, _batches(solver, store, usable, shown.questions), claims, seed)
    return [
        Judged(claim.question.id, terms.get(own.id, {}), reasons.get(own.video, ""))
        for claim, own in zip(claims, shown.questions, strict=True)
    ]


def _batches(
    solver: Solver, store: FeatureStore, videos: Mapping[str, VideoInfo], questions: Sequence[Question]
) -> Iterator[QuestionBatch]:
    """The questions about these videos, on the model's device."""
    seen = [question for question in questions if question.video in videos]
    for batch in serve_questions(store, videos, seen, QUESTIONS_AT_ONCE, Share()):
        yield batch.to(solver.device)
