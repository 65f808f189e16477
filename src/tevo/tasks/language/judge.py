"""Puts questions to a language model, with the video and without what its answer should rest on (ALGORITHM 3)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.backbones.language import LanguageModel, Prompt, Sampling, Watched
from tevo.objectives.consensus import Consensus, pseudo_labels
from tevo.objectives.rewards import when_reward
from tevo.prompts.solver import solver_prompt
from tevo.prompts.templates import Templates
from tevo.structures import Question
from tevo.tasks.judge import Examination
from tevo.tasks.language.reading import Read, read_completions
from tevo.tasks.language.viewed import Viewed, interventions


class LanguageJudge:
    """A role of a language model that answers; nothing of it is trained here.

    Args:
        model: answers.
        role: who acts; None is the reference.
        templates: the texts around a question.
        sampling: of the replies.
        num_votes: M, replies a question gets.
        control_votes: replies under each intervention; a score is the share of them that give the majority's answer.
    """

    def __init__(
        self,
        model: LanguageModel,
        role: str | None,
        templates: Templates,
        sampling: Sampling,
        num_votes: int = 10,
        control_votes: int = 4,  # assumed
    ) -> None:
        self.model, self.role, self.templates, self.sampling = model, role, templates, sampling
        self.num_votes, self.control_votes = num_votes, control_votes

    def answer(
        self,
        questions: Sequence[Question],
        videos: Sequence[Viewed],
        shown: Sequence[Watched | None],
        votes: int,
        generator: torch.Generator,
        known: Sequence[str] = (),
    ) -> Read:
        """Replies to questions about videos, of which ``shown`` is what the model sees."""
        prompts = [
            Prompt(solver_prompt(question, video.limits.length_s, self.templates), watched)
            for question, video, watched in zip(questions, videos, shown, strict=True)
        ]
        with torch.no_grad(), self.model.acting(self.role):
            drawn = self.model.sample(prompts, votes, self.sampling, generator)
        return read_completions(drawn, questions, videos, known)

    def examine(
        self, questions: Sequence[Question], videos: Sequence[Viewed], generator: torch.Generator, controls: bool = True
    ) -> Examination:
        """Vote on every question and score the majority's answer under every intervention.

        Args:
            questions: with the evidence that their asker names.
            videos: that each is about.
            generator: of the replies, the shuffled orders and the random spans.
            controls: False leaves out the two dear views (shuffled, evidence removed), whose scores are then NaN.
        """
        is_when = torch.tensor([question.kind == "when" for question in questions])
        seen = self.answer(questions, videos, [video.watched for video in videos], self.num_votes, generator)
        told = seen.rollouts
        vote = pseudo_labels(told.answers.cpu(), seen.num_options, told.spans.cpu(), told.span_mask.cpu(), is_when)
        views = [interventions(v, q.evidence, generator, controls) for q, v in zip(questions, videos, strict=True)]
        scores = {name: torch.full((len(questions),), torch.nan) for name in ("shuffled", "masked")}
        majority = [answers[index] if 0 <= index < len(answers) else "" for answers, index in zip(
            seen.said, vote.answer.tolist(), strict=True
        )]  # fmt: skip
        for name in views[0] if views else ():
            shown = [view[name] for view in views]
            again = self.answer(questions, videos, shown, self.control_votes, generator, majority)
            scores[name] = _share(again, questions, majority, vote)
        return Examination(vote, told.answers.cpu(), told.spans.cpu(), told.span_mask.cpu(), vote.agreement, **scores)


def _share(
    read: Read, questions: Sequence[Question], majority: Sequence[str], vote: Consensus
) -> Float[Tensor, "question"]:
    """Share of the replies that give the majority's answer; for *when*, that point near the consensus."""
    wanted = [answers.index(text) if text in answers else -2 for answers, text in zip(read.said, majority, strict=True)]
    same = (read.rollouts.answers.cpu() == torch.tensor(wanted)[:, None]).float()
    near = when_reward(read.rollouts.spans.cpu(), read.rollouts.span_mask.cpu(), vote.spans, vote.span_mask)
    is_when = torch.tensor([question.kind == "when" for question in questions])
    return torch.where(is_when[:, None], near, same).mean(-1)
