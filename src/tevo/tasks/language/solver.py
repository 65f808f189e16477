"""The Solver as a language-model policy: learns from the pool, by likelihood of the pseudo-labels or by GRPO."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tevo.backbones.language import Completions, LanguageModel, Prompt, join_completions
from tevo.data.datasets import VideoBatch
from tevo.errors import TevoError
from tevo.heads.queries import pad_spans
from tevo.objectives.credit import advantages, outcome_gate
from tevo.objectives.registry import Reward
from tevo.objectives.rewards import solver_reward
from tevo.prompts.solver import STOP, SolverReply, letter_of, solver_prompt, write_reply
from tevo.structures import Question, Span
from tevo.tasks.language.experience import Spoken, widen
from tevo.tasks.language.judge import LanguageJudge
from tevo.tasks.language.reading import Read, read_completions
from tevo.tasks.language.role import LanguageRole
from tevo.tasks.language.saying import say_all
from tevo.tasks.language.viewed import Viewed, views_of
from tevo.tasks.role import Answers, Paid, Said, Step
from tevo.tasks.rollout_terms import Targets, Terms, paid, rollout_terms
from tevo.tasks.solving import SolverConfig

ROLE = "solver"


class LanguageSolver(LanguageRole, Answers):
    """Answers and points at the evidence in words.

    Args:
        model: both roles' model.
        config: see :class:`~tevo.tasks.solving.SolverConfig`; what is said of heads there is not read.
        extra_rewards: the functions that ``config.rewards.extra`` names; needed for GRPO alone.

    Raises:
        TevoError: when a tower of its own is asked for: a language model trains its own with ``train_vision``.
    """

    def __init__(
        self, model: LanguageModel, config: SolverConfig, extra_rewards: Mapping[str, Reward] | None = None
    ) -> None:
        if config.tower.trainable != "none":
            raise TevoError(
                f"model.solver.tower.trainable is {config.tower.trainable!r}, which a language model does not know: "
                "train its vision tower with the backbone's own train_vision"
            )
        super().__init__(model, ROLE, config)
        self.config, self.extra_rewards = config, dict(extra_rewards or {})

    # --- as the co-evolution knows it ---

    def judge(self, votes: int, views: int, frozen: bool = False) -> LanguageJudge:
        """See :meth:`Answers.judge`; replies differ by themselves, so that no view is jittered."""
        return LanguageJudge(self._model[0], None if frozen else ROLE, self.config.words, votes)

    def fit_labels(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator
    ) -> Step:
        """See :meth:`Answers.fit_labels`."""
        return self.pseudo_label_loss(questions, picked(videos, rows))

    def roll(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator
    ) -> Spoken:
        """See :meth:`Answers.roll`."""
        return self.gather(questions, picked(videos, rows), generator)

    def update(self, gathered: Spoken, fresh: bool = True) -> Step:
        """See :meth:`Learner.update`."""
        return self.policy.update(gathered, fresh)

    def pay(self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator) -> Paid:
        """See :meth:`Answers.pay`."""
        views = picked(videos, rows)
        _, read = self._answered(questions, views, self.prompts(questions, views), generator)
        terms = self.rewards(questions, views, read)
        said = [list(texts) for texts in read.replies.texts]
        return paid(terms, self.config.rewards, are_when(questions, read), said)

    def say(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, limits: Sequence[Span]
    ) -> list[Said]:
        """See :meth:`Answers.say`."""
        views = picked(videos, rows)
        with torch.no_grad(), self._model[0].acting(ROLE):
            return say_all(self._model[0], questions, views, self.prompts(questions, views), self.config.words)

    # --- in words ---

    def prompts(self, questions: Sequence[Question], videos: Sequence[Viewed]) -> list[Prompt]:
        """What the Solver is asked about each video."""
        return [
            Prompt(solver_prompt(question, video.limits.length_s, self.templates), video.watched)
            for question, video in zip(questions, videos, strict=True)
        ]

    def pseudo_label_loss(self, questions: Sequence[Question], videos: Sequence[Viewed]) -> Step:
        """Cross-entropy on the reply that gives y_hat and tau_hat (ALGORITHM 5): a mean over its tokens.

        Args:
            questions: whose ``answer`` and ``evidence`` are the labels to learn from.
            videos: that each is about.
        """
        replies = [
            [write_reply(SolverReply(letter_of(q, q.answer), q.evidence), q.kind, v.watched.origin_s)]
            for q, v in zip(questions, videos, strict=True)
        ]
        wanted = self._model[0].encode_reply(replies)
        self.policy.act()
        scores = self._model[0].log_probs(self.prompts(questions, videos), wanted)
        loss = -scores.log_probs[wanted.mask].mean()
        return loss, {"loss/reply": float(loss.detach()), "entropy": float(scores.entropy[wanted.mask].mean())}

    @torch.no_grad()
    def gather(self, questions: Sequence[Question], videos: Sequence[Viewed], generator: torch.Generator) -> Spoken:
        """G rollouts a question, rewards, and credit per token (ALGORITHM 5 and 6).

        Groups that the outcome gate closes are left out; their questions are answered anew, ``words.refills`` times.

        Args:
            questions: whose ``answer`` and ``evidence`` are the pseudo-labels.
            videos: that each is about.
            generator: of the rollouts.
        """
        config, prompts = self.config, self.prompts(questions, videos)
        left, figures = list(range(len(questions))), dict[str, float]()
        parts, credits, alive = [], [], []
        for attempt in range(1 + config.words.refills):
            some = [questions[i] for i in left], [videos[i] for i in left], [prompts[i] for i in left]
            drawn, read = self._answered(*some, generator)
            terms, is_when = self.rewards(some[0], some[1], read), are_when(some[0], read)
            extra = {name: terms[name] for name in config.rewards.extra}
            gate = outcome_gate(terms["answer"], terms["iou"], is_when, extra)
            figures = figures or self._figures(terms, read, gate, is_when)
            kept = gate if config.outcome_gate else torch.ones_like(gate)
            credit = advantages(
                config.credit, terms["answer"], terms["iou"], terms["zoom"], terms["format"], config.rewards,
                read.rollouts.roles, drawn.mask, is_when, extra,
            )  # fmt: skip
            live = kept.nonzero()[:, 0].tolist()
            if live:
                parts.append(drawn.take(live))
                credits.append(credit[live])
                alive += [left[row] for row in live]
            if attempt:
                figures["refilled"] = figures.get("refilled", 0.0) + len(live) / len(questions)
            left = [index for index, is_live in zip(left, kept.tolist(), strict=True) if not is_live]
            if not left:
                break
        if not alive:
            return self.policy.nothing(figures)
        return self.policy.gathered([prompts[i] for i in alive], join_completions(parts), widen(credits), figures)

    def _answered(
        self,
        questions: Sequence[Question],
        videos: Sequence[Viewed],
        prompts: Sequence[Prompt],
        generator: torch.Generator,
    ) -> tuple[Completions, Read]:
        with torch.no_grad(), self._model[0].acting(ROLE):
            drawn = self._model[0].sample(prompts, self.config.group, self.config.words.sampling(STOP), generator)
        return drawn, read_completions(drawn, questions, videos, [question.answer for question in questions])

    @torch.no_grad()
    def rewards(self, questions: Sequence[Question], videos: Sequence[Viewed], read: Read) -> Terms:
        """Every reward term of every rollout, see :func:`~tevo.tasks.rollout_terms.rollout_terms`."""
        told, device, weights = read.rollouts, read.rollouts.mask.device, self.config.rewards
        spans, span_mask = (part.to(device) for part in pad_spans([q.evidence for q in questions]))
        index = [said.index(q.answer) if q.answer in said else -1 for q, said in zip(questions, read.said, strict=True)]
        targets, is_when = Targets(torch.tensor(index, device=device), spans, span_mask), are_when(questions, read)
        limits = torch.tensor([[v.limits.start_s, v.limits.end_s] for v in videos], device=device).unbind(-1)
        zoomed = None
        if weights.zeta > 0:
            right = (told.answers == targets.answer[:, None]) & ~is_when[:, None]
            zoomed = self._zoom(questions, videos, read, right)
        return rollout_terms(
            told, targets, is_when, (limits[0], limits[1]), zoomed, read.parsed, self.config.boundary_penalty, weights,
            self.extra_rewards,
        )  # fmt: skip

    def _zoom(
        self,
        questions: Sequence[Question],
        videos: Sequence[Viewed],
        read: Read,
        right: Bool[Tensor, "prompt group"],
    ) -> Int[Tensor, "prompt group"]:
        """Which option the frozen reference chooses when it reads the frames of a rollout's spans alone; -1: none.

        One forward pass. Asked for right answers to questions with options only: elsewhere the term is not paid.
        """
        chosen = torch.full_like(read.rollouts.answers, -1)
        cases, prompts, choices = [], [], []
        for i, (question, video) in enumerate(zip(questions, videos, strict=True)):
            for j, reading in enumerate(read.replies.readings[i]):
                near = video.zoomed(reading.reply.spans) if question.options and right[i, j] else None
                if near is not None:
                    cases.append((i, j))
                    text = solver_prompt(question, video.limits.length_s, self.templates)
                    prompts.append(Prompt(text, near, "<answer>"))
                    choices.append([f"{letter_of(question, option)}</answer>" for option in question.options])
        if cases:
            with self._model[0].acting(None):
                best = self._model[0].choose(prompts, choices).argmax(-1)
            for (i, j), index in zip(cases, best.tolist(), strict=True):
                chosen[i, j] = index
        return chosen

    def _figures(
        self, terms: Terms, read: Read, gate: Bool[Tensor, "prompt"], is_when: Bool[Tensor, "prompt"]
    ) -> dict[str, float]:
        weights = self.config.rewards
        extra = {name: terms[name] for name in weights.extra}
        total = solver_reward(terms["answer"], terms["iou"], terms["zoom"], terms["format"], weights, is_when, extra)
        replies = max(1, read.parsed.numel())
        return {
            **{f"reward/{name}": float(value.mean()) for name, value in terms.items()},
            **{f"fault/{name}": count / replies for name, count in read.replies.faults.items()},
            "reward": float(total.mean()),
            "dead_groups": float((~gate).float().mean()),
            "zero_variance": float((total.std(1) < 1e-6).float().mean()),
            "tokens": float(read.rollouts.mask.sum()),
        }


def picked(videos: VideoBatch, rows: Int[Tensor, "question"]) -> list[Viewed]:
    """The video that each question is about."""
    views = views_of(videos)
    return [views[row] for row in rows.tolist()]


def are_when(questions: Sequence[Question], read: Read) -> Bool[Tensor, "prompt"]:
    """Questions whose answer is the span."""
    return torch.tensor([q.kind == "when" for q in questions], device=read.rollouts.mask.device)
