"""How good the evidence of predictions is, asked of a model: the same judge and the same questions for every one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from tevo.answer import Answerer, Judged
from tevo.evaluation.asked import whole_videos
from tevo.metrics.answered import Answered, answered
from tevo.metrics.baselines import dealt_windows
from tevo.metrics.evidence_quality import TERMS
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS
from tevo.structures import Question


@dataclass(frozen=True, slots=True)
class JudgedEvidence:
    """What a judge says of one model's evidence.

    Attributes:
        terms: means by the names of :mod:`tevo.metrics.evidence_quality`; empty where nothing could be judged.
        dealt: the same of those spans dealt to other questions about the same video: about 0.
        judged: every prediction with its own terms.
    """

    terms: Mapping[str, float]
    dealt: Mapping[str, float]
    judged: tuple[Judged, ...]

    def to_row(self) -> dict[str, Any]:
        """Plain values; the single predictions are counted."""
        number = sum(bool(one.terms) for one in self.judged)
        return {"terms": dict(self.terms), "of_other_questions": dict(self.dealt), "questions": number}


def judge_rows(
    judge: Answerer,
    questions: Sequence[Question],
    rows: Mapping[str, Mapping[str, Any]],
    number: int,
    seed: int = 0,
    progress: bool = False,
) -> JudgedEvidence:
    """Judge the evidence of predictions, of any model's.

    Args:
        judge: looks at the videos.
        questions: as they were put; ``video`` is a path.
        rows: predictions by the questions' ids.
        number: how many questions are judged, about; those of whole videos that the seed draws.
        seed: of the draw, and of the random places that evidence is compared with.
        progress: show bars on a terminal.
    """
    usual = [question for question in questions if question.id in rows and question.frames is None]
    drawn = whole_videos(usual, number, seed)
    claims = [claim_row(question, rows[question.id]) for question in drawn]
    own = judge.evidence_quality(claims, seed=seed, progress=progress)
    dealt = judge.evidence_quality(dealt_windows(claims, seed), seed=seed, progress=progress)
    return JudgedEvidence(_means(own), _means(dealt), tuple(own))


def claim_row(question: Question, row: Mapping[str, Any]) -> dict[str, Any]:
    """A prediction as ``tevo evidence`` reads it, whoever made it: letters and replies become texts and windows."""
    said: Answered = answered(question, row)
    letter = said.letters(LETTER_PARSERS["tevo"])[:1]
    place = ascii_uppercase.find(letter) if letter else -1
    answer = question.options[place] if 0 <= place < len(question.options) else str(row.get("pred_answer") or "")
    claim: dict[str, Any] = {
        "qid": question.id,
        "vid": os.path.abspath(question.video),
        "query": question.text,
        "kind": question.kind,
        "options": list(question.options),
        "pred_answer": "" if question.kind == "when" else answer,
        "pred_relevant_windows": [list(window) for window in said.spans(SPAN_PARSERS["tevo"])],
    }
    if question.shown is not None:
        claim["shown"] = [question.shown.start_s, question.shown.end_s]
    return claim


def _means(judged: Sequence[Judged]) -> dict[str, float]:
    terms = [one.terms for one in judged if one.terms]
    return {name: sum(term[name] for term in terms) / len(terms) for name in TERMS} if terms else {}
