"""The best answer of a language model's role to a question, and how sure it is of it."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.backbones.language import Completions, LanguageModel, Prompt
from tevo.prompts.solver import STOP, SolverReading, letter_of
from tevo.structures import Question, Role
from tevo.tasks.language.reading import read_completions
from tevo.tasks.language.viewed import Viewed
from tevo.tasks.role import Said
from tevo.tasks.words import Words


def say_all(
    model: LanguageModel,
    questions: Sequence[Question],
    videos: Sequence[Viewed],
    prompts: Sequence[Prompt],
    words: Words,
) -> list[Said]:
    """Answers of the acting role, each token the best one.

    An option's probability is what the model gives its letter, among the options; of spans, and of an open answer, it
    is the geometric mean over their tokens. What was written is kept as it was written; an answer that cannot be read
    is none, and not the likeliest letter.

    Args:
        model: with the role acting.
        questions: to answer.
        videos: that each is about.
        prompts: of the questions.
        words: the length bound.
    """
    choices = [[f"<answer>{letter_of(q, option)}</answer>" for option in q.options] for q in questions]
    drawn, chances = model.best(prompts, choices, words.max_new_tokens, STOP)
    read = read_completions(drawn, questions, videos)
    evidence, answer = (
        _mean_prob(drawn, read.rollouts.roles[:, 0] == role).tolist() for role in (Role.EVIDENCE, Role.ANSWER)
    )
    offered = [
        dict(zip(question.options, row.softmax(-1).tolist(), strict=False))
        for question, row in zip(questions, chances.cpu(), strict=True)
    ]
    return [
        _said(question, read.replies.readings[i][0], drawn.texts[i][0], offered[i], answer[i], evidence[i])
        for i, question in enumerate(questions)
    ]


def _said(
    question: Question, reading: SolverReading, text: str, probs: dict[str, float], sure: float, placed: float
) -> Said:
    answer = question.options[reading.choice] if question.options and reading.choice >= 0 else ""
    if not question.options and question.kind != "when":
        answer = reading.reply.answer
    confidence = (probs.get(answer, sure) if answer else None) if question.kind != "when" else None
    spans = [(span, placed) for span in reading.reply.spans]
    return Said(answer, confidence, probs, spans, text, not reading.faults)


def _mean_prob(drawn: Completions, chosen: Bool[Tensor, "prompt token"]) -> Float[Tensor, "prompt"]:
    """Geometric mean over some tokens of the one reply to each prompt; 0 where there is none."""
    chosen = chosen & drawn.mask[:, 0]
    number = chosen.sum(-1)
    return torch.where(number > 0, ((drawn.log_probs[:, 0] * chosen).sum(-1) / number.clamp(min=1)).exp(), 0.0)
