"""The best answer of a language model's role to a question, and how sure it is of it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.backbones.language import Completions, LanguageModel, Prompt, Sampling
from tevo.prompts.solver import STOP, SolverReading, letter_of
from tevo.structures import Question, Role
from tevo.tasks.language.reading import read_completions
from tevo.tasks.language.viewed import Viewed
from tevo.tasks.role import Said
from tevo.tasks.words import Words

COLD = 1e-4  # a temperature at which the best token is always drawn


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
    sampling = Sampling(words.max_new_tokens, COLD, STOP)
    drawn = model.sample(prompts, 1, sampling, torch.Generator().manual_seed(0))
    read = read_completions(drawn, questions, videos)
    told = model.log_probs(prompts, drawn).log_probs[:, 0]
    evidence, answer = (
        _mean_prob(told, drawn, read.rollouts.roles[:, 0] == role).tolist() for role in (Role.EVIDENCE, Role.ANSWER)
    )
    offered = _option_probs(model, questions, prompts)
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


def _option_probs(
    model: LanguageModel, questions: Sequence[Question], prompts: Sequence[Prompt]
) -> list[dict[str, float]]:
    """Probability of every option of each question; none for a question without options."""
    found: list[dict[str, float]] = [{} for _ in questions]
    cases = [index for index, question in enumerate(questions) if question.options]
    if not cases:
        return found
    asked = [Prompt(prompts[i].text, prompts[i].video, "<answer>") for i in cases]
    letters = [[f"{letter_of(questions[i], option)}</answer>" for option in questions[i].options] for i in cases]
    probs = model.choose(asked, letters).softmax(-1)
    for row, index in enumerate(cases):
        found[index] = dict(zip(questions[index].options, probs[row].tolist(), strict=False))
    return found


def _mean_prob(log_probs: Float[Tensor, "prompt token"], drawn: Completions, chosen: Tensor) -> Float[Tensor, "prompt"]:
    """Geometric mean over some tokens; 0 where there is none."""
    chosen = chosen & drawn.mask[:, 0]
    number = chosen.sum(-1)
    return torch.where(number > 0, ((log_probs * chosen).sum(-1) / number.clamp(min=1)).exp(), 0.0)
