"""Puts questions to a language model, with the video and without what its answer should rest on (ALGORITHM 3)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tevo.backbones.language import LanguageModel, Prompt, Watched
from tevo.data.datasets import VideoBatch
from tevo.objectives.consensus import Consensus, pseudo_labels
from tevo.objectives.rewards import when_reward
from tevo.prompts.solver import STOP, solver_prompt
from tevo.prompts.templates import load_templates
from tevo.structures import Question
from tevo.tasks.examination import Examination
from tevo.tasks.language.reading import Replies, read_replies
from tevo.tasks.language.viewed import Viewed, interventions, views_of
from tevo.tasks.role import Examiner
from tevo.tasks.words import Words


class LanguageJudge(Examiner):
    """A role of a language model that answers; nothing of it is trained here.

    Args:
        model: answers.
        role: who acts; None is the reference.
        words: the texts around a question, the length and temperature of the replies, and how many there are under
            each intervention: a score is the share of them that give the majority's answer.
        num_votes: M, replies a question gets.
    """

    def __init__(self, model: LanguageModel, role: str | None, words: Words, num_votes: int = 10) -> None:
        self.model, self.role, self.words, self.num_votes = model, role, words, num_votes
        self.templates = load_templates(words.templates)

    def put(
        self,
        videos: VideoBatch,
        questions: Sequence[Question],
        rows: Int[Tensor, "question"],
        generator: torch.Generator,
        controls: bool = True,
    ) -> Examination:
        """See :meth:`Examiner.put`."""
        views = views_of(videos)
        seen = self.examine(questions, [views[row] for row in rows.tolist()], generator, controls)
        return moved(seen, videos.start_s.device)

    def answer(
        self,
        questions: Sequence[Question],
        videos: Sequence[Viewed],
        shown: Sequence[Watched | None],
        votes: int,
        generator: torch.Generator,
    ) -> Replies:
        """Replies to questions about videos, of which ``shown`` is what the model sees."""
        prompts = [
            Prompt(solver_prompt(question, video.limits.length_s, self.templates), watched)
            for question, video, watched in zip(questions, videos, shown, strict=True)
        ]
        with torch.no_grad(), self.model.acting(self.role):
            drawn = self.model.sample(prompts, votes, self.words.sampling(STOP), generator)
        return read_replies(drawn, questions, videos)

    def examine(
        self, questions: Sequence[Question], videos: Sequence[Viewed], generator: torch.Generator, controls: bool = True
    ) -> Examination:
        """Vote on every question and score the majority's answer under every intervention; see :meth:`Examiner.put`.

        Args:
            questions: with the evidence that their asker names.
            videos: that each is about.
            generator: of the replies, the shuffled orders and the random spans.
            controls: False leaves out the two dear views.
        """
        replies = self.vote(questions, videos, generator)
        answers, said = replies.index(questions, [question.answer for question in questions])
        spans, span_mask = replies.spans()
        is_when = torch.tensor([question.kind == "when" for question in questions])
        num_options = torch.tensor([len(texts) for texts in said])
        vote = pseudo_labels(answers, num_options, spans, span_mask, is_when)
        views = [interventions(v, q.evidence, generator, controls) for q, v in zip(questions, videos, strict=True)]
        scores = {name: torch.full((len(questions),), torch.nan) for name in ("shuffled", "masked")}
        winners = [
            texts[index] if 0 <= index < len(texts) else ""
            for texts, index in zip(said, vote.answer.tolist(), strict=True)
        ]
        for name in views[0] if views else ():
            shown = [view[name] for view in views]
            again = self.answer(questions, videos, shown, self.words.control_votes, generator)
            scores[name] = _share(again, questions, winners, vote)
        return Examination(
            vote, answers, spans, span_mask, vote.agreement, scores["without_video"], scores["shuffled"],
            scores["masked"], scores["key"], scores["random"],
            tuple(said), replies.texts,
        )  # fmt: skip

    def vote(self, questions: Sequence[Question], videos: Sequence[Viewed], generator: torch.Generator) -> Replies:
        """M replies to each question, drawn in two parts: the second only where it could change the answer.

        Where it could not, because the lead is larger than what is left, the first part's replies count again in turn.
        A *when* question's answer is a span, which every reply may move: all are drawn.
        """
        shown = [video.watched for video in videos]
        first = self.num_votes // 2 + 1
        left = self.num_votes - first
        if left < 1:
            return self.answer(questions, videos, shown, self.num_votes, generator)
        replies = self.answer(questions, videos, shown, first, generator)
        answers, _ = replies.index(questions, [question.answer for question in questions])
        open_ = [
            index
            for index, question in enumerate(questions)
            if question.kind == "when" or lead(answers[index].tolist()) <= left
        ]
        if not open_:
            return replies.longer(left, {})
        some = [questions[i] for i in open_], [videos[i] for i in open_], [shown[i] for i in open_]
        more = self.answer(*some, left, generator)
        return replies.longer(left, {index: more.take(row) for row, index in enumerate(open_)})


def lead(answers: Sequence[int]) -> int:
    """By how many votes the first answer is ahead of the second; none (-1) is an answer like any other."""
    counts = [number for _, number in Counter(answers).most_common(2)]
    return counts[0] - (counts[1] if len(counts) > 1 else 0)


def moved(seen: Examination, device: torch.device) -> Examination:
    """The same examination on a device."""
    values: dict[str, Any] = {entry.name: getattr(seen, entry.name) for entry in fields(seen)}
    values = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in values.items()}
    return replace(seen, **values | {"consensus": Consensus(*(part.to(device) for part in seen.consensus))})


def _share(
    replies: Replies, questions: Sequence[Question], winners: Sequence[str], vote: Consensus
) -> Float[Tensor, "question"]:
    """Share of the replies that give the majority's answer; for *when*, that point near the consensus."""
    answers, said = replies.index(questions, winners)
    wanted = [texts.index(text) if text in texts else -2 for texts, text in zip(said, winners, strict=True)]
    same = (answers == torch.tensor(wanted)[:, None]).float()
    near = when_reward(*replies.spans(), vote.spans, vote.span_mask)
    is_when = torch.tensor([question.kind == "when" for question in questions])
    return torch.where(is_when[:, None], near, same).mean(-1)
