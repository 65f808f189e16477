"""The Solver: answers and points at the evidence; learns from the pool, never from a label."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tevo.backbones.base import TextEncoder
from tevo.backbones.tuning import TunedTower
from tevo.data.datasets import VideoBatch
from tevo.heads.evidence import VideoState
from tevo.heads.policy import GroundedPolicy, Prediction
from tevo.heads.queries import LONGEST_COMPLETION, Queries, encode_queries
from tevo.objectives.credit import advantages, outcome_gate
from tevo.objectives.grounding import answer_loss, saliency_loss
from tevo.objectives.registry import Reward
from tevo.objectives.rewards import solver_reward
from tevo.structures import FrameBatch, Question, Rollouts, Span, VideoTokens
from tevo.tasks.asking import read_prediction
from tevo.tasks.judge import Judge, jitter
from tevo.tasks.matching import as_backbone
from tevo.tasks.role import Answers, Paid, ParameterGroup, Said, Step
from tevo.tasks.rollout_terms import Targets, in_words, paid, rollout_terms
from tevo.tasks.solving import Experience, SolverConfig
from tevo.tasks.span_losses import span_losses


class Solver(Answers):
    """Answers questions about videos from frozen tokens.

    Args:
        dim: of the backbone's tokens.
        joint: width of the space shared with text.
        encoder: embeds questions and projects tokens.
        config: see :class:`SolverConfig`.
        extra_rewards: the functions that ``config.rewards.extra`` names; needed for GRPO alone.
    """

    def __init__(
        self,
        dim: int,
        joint: int,
        encoder: TextEncoder,
        config: SolverConfig,
        extra_rewards: Mapping[str, Reward] | None = None,
    ) -> None:
        super().__init__()
        self.config, self.extra_rewards = config, dict(extra_rewards or {})
        self.policy = GroundedPolicy(dim, joint, config.head)
        self.reference = copy.deepcopy(self.policy).requires_grad_(False)  # round 0: the zero-shot backbone
        self._encoder = (encoder,)  # in a tuple: it is frozen and owned by the co-evolution, not a submodule here
        self.tower = None if config.tower.trainable == "none" else TunedTower(as_backbone(encoder), config.tower)
        self.needs_frames = self.tower is not None

    # --- as the co-evolution knows it ---

    def parts(self) -> dict[str, nn.Module]:
        """See :meth:`Learner.parts`: the policy, and the video tower where it learns too."""
        return {"policy": self.policy} | ({} if self.tower is None else {"tower": self.tower})

    def groups(self) -> list[ParameterGroup]:
        """See :meth:`Learner.groups`."""
        own: list[ParameterGroup] = [
            {"params": list(self.policy.parameters()), "lr": self.config.lr, "name": "solver"},
        ]
        if self.tower is not None:
            own.append({"params": list(self.tower.parameters()), "lr": self.config.tower.lr, "name": "tower"})
        return own

    def judge(self, votes: int, views: int, frozen: bool = False) -> Judge:
        """See :meth:`Answers.judge`."""
        policy, see = (self.reference, None) if frozen else (self.policy, self.see)
        return Judge(policy, self._encoder[0], votes, views, see=see)

    def fit_labels(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator
    ) -> Step:
        """See :meth:`Answers.fit_labels`."""
        targets = Targets.of(questions, self.device)
        return self.pseudo_label_loss(videos, self.queries(questions, rows), targets, generator)

    def roll(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator
    ) -> Experience:
        """See :meth:`Answers.roll`; the round-0 policy reads the zoomed spans."""
        targets = Targets.of(questions, self.device)
        return self.gather(videos, self.queries(questions, rows), targets, self.reference, generator)

    @torch.no_grad()
    def pay(self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator) -> Paid:
        """See :meth:`Answers.pay`."""
        queries, targets = self.queries(questions, rows), Targets.of(questions, self.device)
        was_training = self.policy.training
        self.policy.eval()
        rollouts = self.policy.rollout(
            self.watch(self.see(videos).tokens), queries, self.config.group, generator
        ).rollouts
        self.policy.train(was_training)
        terms = self.rewards(videos, queries, targets, rollouts, self.reference)
        return paid(terms, self.config.rewards, queries.is_when, in_words(rollouts, questions))

    def say(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, limits: Sequence[Span]
    ) -> list[Said]:
        """See :meth:`Answers.say`."""
        was_training = self.policy.training
        self.policy.eval()
        best = self.predict_questions(videos, self.queries(questions, rows))
        self.policy.train(was_training)
        return [read_prediction(q, best, index, limits[index]) for index, q in enumerate(questions)]

    # --- on tokens ---

    def see(self, videos: VideoBatch) -> VideoBatch:
        """The videos as the Solver's own tower sees them, in order and shuffled; the same where it has none.

        The dense view stays the frozen backbone's: only the round-0 judge reads it.
        """
        if self.tower is None:
            return videos
        pairs = zip(videos.frames, videos.orders, strict=True)
        mixed = (FrameBatch(video.frames[order], video.times_s) for video, order in pairs)
        return replace(videos, tokens=self._own(videos), shuffled=self.tower.look(mixed, videos.shuffled))

    def watch(self, tokens: VideoTokens, policy: GroundedPolicy | None = None) -> VideoState:
        """The question-free side of a batch of videos."""
        return (policy or self.policy).watch(tokens, self._encoder[0].project(tokens.values))

    def _own(self, videos: VideoBatch) -> VideoTokens:
        """The tokens to learn from; with gradients into the Solver's own tower where it has one."""
        return videos.tokens if self.tower is None else self.tower.look(videos.frames, videos.tokens)

    def queries(self, questions: Sequence[Question], rows: Int[Tensor, "question"]) -> Queries:
        """Questions as tensors."""
        return encode_queries(questions, rows, self._encoder[0])

    def predict_questions(self, videos: VideoBatch, queries: Queries) -> Prediction:
        """Best spans and answer probabilities."""
        with torch.no_grad():
            return self.policy.predict(self.watch(self._own(videos)), queries)

    def pseudo_label_loss(
        self, videos: VideoBatch, queries: Queries, targets: Targets, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy on y_hat, likelihood of tau_hat, saliency (ALGORITHM 5 and 8). Loss and figures to log."""
        state = self.watch(jitter(self._own(videos), self.config.view_jitter, generator))
        evidence = self.policy.evidence(state, queries)
        spans, logits = state.tokens.spans[queries.rows], evidence.logits
        likelihood, stop = span_losses(logits, queries, targets, spans)
        salient = saliency_loss(logits.inside, spans, logits.mask, targets.spans, targets.span_mask)
        options = self.policy.answer(state, evidence, queries, targets.spans[:, None], targets.span_mask[:, None])[:, 0]
        answered = targets.answer >= 0
        answer = answer_loss(options, targets.answer, answered)
        parts = {"span": likelihood + stop, "saliency": salient, "answer": answer}
        config = self.config
        total = config.span_loss * parts["span"] + config.saliency_loss * salient + config.answer_loss * answer
        figures = {f"loss/{name}": float(part.detach().mean()) for name, part in parts.items()}
        right = (options.argmax(-1) == targets.answer)[answered]
        return total.mean(), figures | {"pool_accuracy": float(right.float().mean()) if len(right) else 0.0}

    def policy_loss(
        self, videos: VideoBatch, queries: Queries, targets: Targets, judge: GroundedPolicy, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """One GRPO step on rollouts of its own: :meth:`gather`, then :meth:`update`. Loss and figures to log."""
        return self.update(self.gather(videos, queries, targets, judge, generator))

    @torch.no_grad()
    def gather(
        self, videos: VideoBatch, queries: Queries, targets: Targets, judge: GroundedPolicy, generator: torch.Generator
    ) -> Experience:
        """G rollouts a question, their rewards, and the credit of each token (ALGORITHM 5 and 6).

        Args:
            videos: the batch.
            queries: its pooled questions.
            targets: their pseudo-labels.
            judge: the frozen round-0 policy that reads the zoomed span.
            generator: of the view and the rollouts.
        """
        tokens = jitter(self._own(videos), self.config.view_jitter, generator)
        frozen = replace(tokens, values=videos.tokens.values)  # what round 0 sees in the same view
        weights, was_training = self.config.rewards, self.policy.training
        self.policy.eval()  # the rollout and the update see the same network: dropout off in both
        self.reference.eval()
        sampled = self.policy.rollout(self.watch(tokens), queries, self.config.group, generator)
        self.policy.train(was_training)
        terms = self.rewards(videos, queries, targets, sampled.rollouts, judge)
        reference = self.reference.log_probs(self.watch(frozen, self.reference), queries, sampled)
        extra = {name: terms[name] for name in weights.extra}
        own = (terms["answer"], terms["iou"], terms["zoom"], terms["format"])
        gate = outcome_gate(terms["answer"], terms["iou"], queries.is_when, extra)
        kept = gate if self.config.outcome_gate else torch.ones_like(gate)
        roles, mask = sampled.rollouts.roles, sampled.rollouts.mask
        credit = advantages(self.config.credit, *own, weights, roles, mask, queries.is_when, extra)
        figures = {f"reward/{name}": float(value.mean()) for name, value in terms.items()} | {
            "reward": float(solver_reward(*own, weights, queries.is_when, extra).mean()),
            "dead_groups": float((~gate).float().mean()),
        }
        live = mask & kept[:, None, None]
        return Experience(videos, tokens, queries, sampled, reference.log_probs, credit, live, figures)

    def update(self, experience: Experience, fresh: bool = True) -> tuple[Tensor, dict[str, float]]:
        """The policy loss on rollouts, and figures to log.

        Args:
            experience: of :meth:`gather`.
            fresh: the policy is still the one that sampled; False once it has taken a step on these rollouts.
        """
        was_training, rollouts = self.policy.training, experience.sampled.rollouts
        self.policy.eval()
        tokens = replace(experience.tokens, values=self._own(experience.videos).values)  # a tower that learns does here
        again = self.policy.log_probs(self.watch(tokens), experience.queries, experience.sampled)
        self.policy.train(was_training)
        result = self.config.policy.loss(
            again.log_probs, None if fresh else rollouts.log_probs, experience.reference, experience.credit,
            experience.mask, self.config.kl, LONGEST_COMPLETION,
        )  # fmt: skip
        figures = experience.figures | {"kl": float(result.kl), "clip_fraction": float(result.clip_fraction)}
        if fresh:
            mismatch = (again.log_probs.detach() - rollouts.log_probs)[again.mask].abs()
            figures["mismatch"] = float(mismatch.max()) if mismatch.numel() else 0.0
        return result.loss, figures

    def rewards(
        self, videos: VideoBatch, queries: Queries, targets: Targets, rollouts: Rollouts, judge: GroundedPolicy
    ) -> dict[str, Float[Tensor, "question group"]]:
        """Every reward term of every rollout, see :func:`~tevo.tasks.rollout_terms.rollout_terms`."""
        paid, limits = self.config.rewards, (videos.start_s[queries.rows], videos.end_s[queries.rows])
        zoomed = self._zoom(videos, queries, rollouts, judge) if paid.zeta > 0 else None
        return rollout_terms(
            rollouts, targets, queries.is_when, limits, zoomed, torch.ones_like(rollouts.answers, dtype=torch.float32),
            self.config.boundary_penalty, paid, self.extra_rewards,
        )  # fmt: skip

    def _zoom(
        self, videos: VideoBatch, queries: Queries, rollouts: Rollouts, judge: GroundedPolicy
    ) -> Int[Tensor, "question group"]:
        """What the frozen round-0 policy answers when it sees the denser frames of the predicted spans alone.

        One forward pass: the answer head reads the given spans; no span is searched for.
        """
        state = judge.watch(videos.dense, self._encoder[0].project(videos.dense.values))
        evidence = judge.evidence(state, queries)
        logits = judge.answer(state, evidence, queries, rollouts.spans, rollouts.span_mask)
        return torch.where(queries.option_mask.any(-1)[:, None], logits.argmax(-1), -1)
