"""What an examination says a question is worth: the terms of the reward, whoever asked (ALGORITHM 3)."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from tevo.heads.queries import pad_spans
from tevo.objectives.registry import QuestionerFacts, Reward, extra_terms
from tevo.objectives.rewards import (
    QuestionerWeights,
    evidence_quality,
    in_band,
    learnability,
    localisation,
    necessity,
    order_dependency,
    questioner_reward,
    sufficiency,
    video_dependency,
)
from tevo.structures import Question
from tevo.tasks.examination import Examination

Terms = dict[str, Tensor]


def examined_terms(
    seen: Examination,
    questions: Sequence[Question],
    start_s: Float[Tensor, "question"],
    end_s: Float[Tensor, "question"],
    token_s: float,
    band: tuple[float, float],
    weights: QuestionerWeights,
    extra: Mapping[str, Reward],
) -> dict[str, Float[Tensor, "question"]]:
    """Every term that the Solver's answers decide, one number a question.

    Args:
        seen: what the frozen Solver made of the questions.
        questions: with the evidence that their asker names.
        start_s: where each question's video begins, seconds (pts).
        end_s: where it ends.
        token_s: seconds that a token of the backbone covers.
        band: least and greatest agreement of a question that teaches.
        weights: whose ``extra`` names terms of one's own.
        extra: their functions.
    """
    length = end_s - start_s
    spans, mask = pad_spans([question.evidence for question in questions])
    spans, mask = spans.to(length), mask.to(length.device)
    quality = evidence_quality(
        necessity(seen.with_video, seen.masked),
        sufficiency(seen.key, seen.random),
        localisation(spans, mask, length, token_s=token_s, start_s=start_s),
    )
    facts = QuestionerFacts(
        questions, spans, mask, start_s, end_s, seen.consensus.agreement,
        seen.with_video, seen.without_video, seen.shuffled, seen.masked, seen.key, seen.random,
    )  # fmt: skip
    return {
        "learnability": learnability(seen.consensus.agreement),
        "dependency": video_dependency(seen.with_video, seen.without_video),
        "order": order_dependency(seen.with_video, seen.shuffled),
        "evidence": quality,
        "in_band": in_band(seen.consensus.agreement, *band).float(),
        **extra_terms(weights.extra, extra, facts, (len(questions),)),
    }


def question_reward(gate: Tensor, terms: Terms, weights: QuestionerWeights) -> Float[Tensor, "batch group"]:
    """``r_Q`` of every question out of its terms; where ``gate`` is False there is no question, and nothing is paid."""
    return questioner_reward(
        gate, terms["learnability"], terms["repetition"], terms["dependency"], terms["order"], terms["evidence"],
        terms["in_band"] > 0.5, weights, {name: terms[name] for name in weights.extra},
    )  # fmt: skip
