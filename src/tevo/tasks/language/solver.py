"""The Solver as a language-model policy: learns from the pool, by likelihood of the pseudo-labels or by GRPO."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.backbones.language import Completions, LanguageModel, Prompt, Sampling
from tevo.errors import TevoError
from tevo.heads.queries import pad_spans
from tevo.objectives.credit import advantages, outcome_gate
from tevo.objectives.policy import grpo_loss
from tevo.objectives.rewards import (
    SolverWeights,
    alignment_reward,
    answer_reward,
    solver_reward,
    when_reward,
    zoom_reward,
)
from tevo.prompts.solver import STOP, SolverReply, letter_of, solver_prompt, write_reply
from tevo.prompts.templates import load_templates
from tevo.structures import Question
from tevo.tasks.language.reading import Read, read_completions
from tevo.tasks.language.viewed import Viewed

Terms = dict[str, Float[Tensor, "prompt group"]]


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class LanguageSolverConfig:
    """How a Solver that speaks learns."""

    templates: str = "tiny"  # tiny | instruct, or a YAML file of the same texts
    group: int = 8  # G, rollouts a question
    max_new_tokens: int = 256  # length bound of a reply
    temperature: float = 1.0  # of the policy, in rollout and update alike
    credit: str = "token"  # token | sequence | decoupled | token_zz
    boundary_penalty: bool = False  # multiply the alignment reward by EvoGround's boundary term
    kl: float = 1e-2  # beta, weight of the KL to the reference in the GRPO loss
    outcome_gate: bool = True  # groups without a right answer, or without variance, give no update
    max_mismatch: float = 0.05  # assumed; largest |log-prob in rollout - in update| that the first step may show
    lr: float = 1e-4  # learning rate of the pseudo-label objective
    grpo_lr: float = 2e-5  # learning rate of GRPO
    rewards: SolverWeights = field(default_factory=SolverWeights)

    @property
    def sampling(self) -> Sampling:
        """Of the replies."""
        return Sampling(self.max_new_tokens, self.temperature, STOP)


class LanguageSolver:
    """Answers and points at the evidence in words.

    Args:
        model: both roles' model.
        role: name of this one.
        config: see :class:`LanguageSolverConfig`.
    """

    def __init__(self, model: LanguageModel, role: str, config: LanguageSolverConfig) -> None:
        self.model, self.role, self.config = model, role, config
        self.templates = load_templates(config.templates)
        self._checked = False  # the first update has shown that rollout and update agree

    def prompts(self, questions: Sequence[Question], videos: Sequence[Viewed]) -> list[Prompt]:
        """What the Solver is asked about each video."""
        return [
            Prompt(solver_prompt(question, video.limits.length_s, self.templates), video.watched)
            for question, video in zip(questions, videos, strict=True)
        ]

    def pseudo_label_loss(
        self, questions: Sequence[Question], videos: Sequence[Viewed]
    ) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy on the reply that gives y_hat and tau_hat (ALGORITHM 5): a mean over its tokens.

        Args:
            questions: whose ``answer`` and ``evidence`` are the labels to learn from.
            videos: that each is about.
        """
        replies = [
            [write_reply(SolverReply(letter_of(q, q.answer), q.evidence), q.kind, v.watched.origin_s)]
            for q, v in zip(questions, videos, strict=True)
        ]
        wanted = self.model.encode_reply(replies)
        with self.model.acting(self.role):
            scores = self.model.log_probs(self.prompts(questions, videos), wanted)
        loss = -scores.log_probs[wanted.mask].mean()
        return loss, {"loss/reply": float(loss.detach()), "entropy": float(scores.entropy[wanted.mask].mean())}

    def policy_loss(
        self, questions: Sequence[Question], videos: Sequence[Viewed], generator: torch.Generator
    ) -> tuple[Tensor | None, dict[str, float]]:
        """One GRPO step (ALGORITHM 5 and 6): G rollouts a question, rewards, credit per token, clipped loss.

        Groups that the outcome gate closes are left out before the update; None where it closes all of them.

        Args:
            questions: whose ``answer`` and ``evidence`` are the pseudo-labels.
            videos: that each is about.
            generator: of the rollouts.

        Raises:
            TevoError: when the first update's log-probs differ from the rollout's: they would not be one policy.
        """
        config, prompts = self.config, self.prompts(questions, videos)
        with torch.no_grad(), self.model.acting(self.role):
            drawn = self.model.sample(prompts, config.group, config.sampling, generator)
        read = read_completions(drawn, questions, videos, [question.answer for question in questions])
        terms = self.rewards(questions, videos, read)
        is_when = torch.tensor([q.kind == "when" for q in questions], device=drawn.mask.device)
        gate = outcome_gate(terms["answer"], terms["iou"], is_when)
        figures = self._figures(terms, read, gate, is_when)
        live = (gate if config.outcome_gate else torch.ones_like(gate)).nonzero()[:, 0].tolist()
        if not live:
            return None, figures
        credit = advantages(
            config.credit, terms["answer"], terms["iou"], terms["zoom"], terms["format"], config.rewards,
            read.rollouts.roles, drawn.mask, is_when,
        )  # fmt: skip
        loss, more = self._update([prompts[i] for i in live], drawn.take(live), credit[live])
        return loss, figures | more

    def _update(
        self, prompts: list[Prompt], drawn: Completions, credit: Float[Tensor, "prompt group token"]
    ) -> tuple[Tensor, dict[str, float]]:
        config = self.config
        reference = None
        if config.kl:
            with torch.no_grad(), self.model.acting(None):
                reference = self.model.log_probs(prompts, drawn, config.temperature).log_probs
        with self.model.acting(self.role):
            scores = self.model.log_probs(prompts, drawn, config.temperature)
        mismatch = float((scores.log_probs.detach() - drawn.log_probs)[drawn.mask].abs().max())
        if not self._checked and mismatch > config.max_mismatch:
            raise TevoError(
                f"rollout and update differ by {mismatch:.3g} in the log-probability of a token, more than "
                f"model.solver.max_mismatch {config.max_mismatch}: they are not one policy. In half precision raise "
                "the bound a little; otherwise something between sampling and scoring is wrong"
            )
        self._checked = True
        result = grpo_loss(scores.log_probs, None, reference, credit, drawn.mask, beta=config.kl)
        return result.loss, {
            "kl": float(result.kl),
            "ratio": float(result.ratio_mean),
            "mismatch": mismatch,
            "entropy": float(scores.entropy[drawn.mask].mean()),
        }

    @torch.no_grad()
    def rewards(self, questions: Sequence[Question], videos: Sequence[Viewed], read: Read) -> Terms:
        """Every reward term of every rollout, each by itself."""
        told, device = read.rollouts, read.rollouts.mask.device
        spans, span_mask = (part.to(device) for part in pad_spans([q.evidence for q in questions]))
        index = [said.index(q.answer) if q.answer in said else -1 for q, said in zip(questions, read.said, strict=True)]
        y_hat = torch.tensor(index, device=device)
        pair = (told.spans, told.span_mask, spans, span_mask)
        is_when = torch.tensor([q.kind == "when" for q in questions], device=device)
        right = torch.where(is_when[:, None], when_reward(*pair), answer_reward(told.answers, y_hat))
        length_s = torch.tensor([video.limits.length_s for video in videos], device=device)
        iou = alignment_reward(*pair, length_s, self.config.boundary_penalty)
        zoomed = torch.zeros_like(iou)
        if self.config.rewards.zeta > 0:
            zoomed = zoom_reward(self._zoom(questions, videos, read, right), y_hat, told.span_mask.any(-1))
        return {"answer": right, "iou": iou, "zoom": zoomed, "format": read.parsed}

    def _zoom(self, questions: Sequence[Question], videos: Sequence[Viewed], read: Read, right: Tensor) -> Tensor:
        """Which option the frozen reference chooses when it reads the frames of a rollout's spans alone; -1: none.

        One forward pass. Asked for right answers to questions with options only: elsewhere the term is not paid.
        """
        chosen = torch.full_like(read.rollouts.answers, -1)
        cases, prompts, choices = [], [], []
        for i, (question, video) in enumerate(zip(questions, videos, strict=True)):
            for j, reading in enumerate(read.readings[i]):
                near = video.zoomed(reading.reply.spans) if question.options and right[i, j] > 0 else None
                if near is not None:
                    cases.append((i, j))
                    text = solver_prompt(question, video.limits.length_s, self.templates)
                    prompts.append(Prompt(text, near, "<answer>"))
                    choices.append([f"{letter_of(question, option)}</answer>" for option in question.options])
        if cases:
            with self.model.acting(None):
                best = self.model.choose(prompts, choices).argmax(-1)
            for (i, j), index in zip(cases, best.tolist(), strict=True):
                chosen[i, j] = index
        return chosen

    def _figures(self, terms: Terms, read: Read, gate: Tensor, is_when: Tensor) -> dict[str, float]:
        total = solver_reward(
            terms["answer"], terms["iou"], terms["zoom"], terms["format"], self.config.rewards, is_when
        )
        replies = max(1, read.parsed.numel())
        faults = {f"fault/{name}": count / replies for name, count in read.faults.items()}
        return {
            **{f"reward/{name}": float(value.mean()) for name, value in terms.items()},
            **faults,
            "reward": float(total.mean()),
            "dead_groups": float((~gate).float().mean()),
            "zero_variance": float((total.std(1) < 1e-6).float().mean()),
            "tokens": float(read.rollouts.mask.sum()),
        }
