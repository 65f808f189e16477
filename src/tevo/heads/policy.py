"""The Solver's policy on a backbone without a language model: spans first, then the answer read from them.

A completion is ``start, end, (go on? start, end, ...), answer``; rollouts are samples, log-probabilities are exact.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tevo.heads.answer import AnswerHead
from tevo.heads.evidence import Evidence, HeadConfig, HierarchicalEvidenceHead, VideoState
from tevo.heads.queries import Queries
from tevo.heads.spans import SpanDraws, draw_spans, least_risk_spans, score_spans, to_seconds
from tevo.objectives.grounding import grid_iou
from tevo.structures import Role, Rollouts, VideoTokens


@dataclass(frozen=True, slots=True)
class Sampled:
    """Rollouts with what is needed to score them again: token indices of their spans."""

    rollouts: Rollouts
    index: Int[Tensor, "question group span 2"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The policy's best answer to each question."""

    spans: Float[Tensor, "question span 2"]  # seconds
    span_mask: Bool[Tensor, "question span"]
    span_scores: Float[Tensor, "question span"]  # probability of the first span's neighbourhood (IoU >= 0.5)
    option_probs: Float[Tensor, "question option"]


class GroundedPolicy(nn.Module):
    """Evidence head and answer head as one policy.

    Args:
        dim: of the backbone's tokens.
        joint: of the space shared with text.
        config: of the heads.
    """

    def __init__(self, dim: int, joint: int, config: HeadConfig) -> None:
        super().__init__()
        self.evidence = HierarchicalEvidenceHead(dim, joint, config)
        self.answer = AnswerHead(joint, config)

    def watch(self, tokens: VideoTokens, joint: Float[Tensor, "batch token joint"]) -> VideoState:
        """The question-free side of a batch of videos."""
        return self.evidence.watch(tokens, joint)

    def rollout(
        self,
        state: VideoState,
        queries: Queries,
        group: int,
        generator: torch.Generator | None = None,
        greedy: bool = False,
        evidence: Evidence | None = None,
    ) -> Sampled:
        """Sample ``group`` completions a question."""
        evidence = self.evidence(state, queries) if evidence is None else evidence
        draws = draw_spans(evidence.logits, queries.max_spans, group, generator, greedy)
        spans = to_seconds(draws.index, draws.mask, state.tokens.spans[queries.rows])
        logits = self.answer(state, evidence, queries, spans, draws.mask)
        if greedy:
            answers = logits.argmax(-1)
        else:
            drawn = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1, generator=generator)
            answers = drawn.view(logits.shape[:2])
        return Sampled(self._assemble(draws, spans, logits, answers, queries), draws.index)

    def log_probs(self, state: VideoState, queries: Queries, sampled: Sampled) -> Rollouts:
        """The same completions under the present weights, with gradients."""
        evidence = self.evidence(state, queries)
        old = sampled.rollouts
        draws = score_spans(evidence.logits, queries.max_spans, sampled.index, old.span_mask)
        logits = self.answer(state, evidence, queries, old.spans, old.span_mask)
        return self._assemble(draws, old.spans, logits, old.answers, queries)

    def _assemble(self, draws: SpanDraws, spans: Tensor, logits: Tensor, answers: Tensor, queries: Queries) -> Rollouts:
        has_options = queries.option_mask.any(-1)
        chosen = answers.clamp(min=0)[..., None]
        log_answer = logits.log_softmax(-1).gather(-1, chosen) * has_options[:, None, None]
        log_probs = torch.cat([draws.log_probs, log_answer], -1)
        roles = torch.full_like(log_probs, Role.EVIDENCE, dtype=torch.long)
        roles[..., -1] = Role.ANSWER
        mask = torch.cat([draws.actions, has_options[:, None, None].expand_as(log_answer)], -1)
        answers = torch.where(has_options[:, None], answers, -1)
        return Rollouts(log_probs, roles, mask, answers, spans, draws.mask)

    def answer_probs(
        self,
        state: VideoState,
        queries: Queries,
        num_samples: int,
        generator: torch.Generator | None = None,
        evidence: Evidence | None = None,
    ) -> Float[Tensor, "question option"]:
        """``p(answer)``: the mean of ``p(answer | spans)`` over sampled spans (no sampling noise in the answer)."""
        evidence = self.evidence(state, queries) if evidence is None else evidence
        draws = draw_spans(evidence.logits, queries.max_spans, num_samples, generator)
        spans = to_seconds(draws.index, draws.mask, state.tokens.spans[queries.rows])
        logits: Tensor = self.answer(state, evidence, queries, spans, draws.mask)
        return logits.softmax(-1).mean(1)

    def span_probs(
        self,
        state: VideoState,
        queries: Queries,
        target: Float[Tensor, "question 2"],
        min_iou: float = 0.5,
        evidence: Evidence | None = None,
    ) -> Float[Tensor, "question"]:
        """Exact probability that the (first) span has IoU of at least ``min_iou`` with a target span."""
        evidence = self.evidence(state, queries) if evidence is None else evidence
        pairs = evidence.logits.pairs
        near = grid_iou(state.tokens.spans[queries.rows], target) >= min_iou
        probs = pairs.flatten(1).softmax(-1).view_as(pairs)
        mass: Tensor = (probs * near).sum((-1, -2)) * evidence.logits.mask.any(-1)
        return mass

    def predict(self, state: VideoState, queries: Queries) -> Prediction:
        """The span of least risk (of several, the most probable in turn), and the answer read from it."""
        evidence = self.evidence(state, queries)
        best = self.rollout(state, queries, 1, greedy=True, evidence=evidence)
        index, mask = best.index, best.rollouts.span_mask
        token_spans, alone = state.tokens.spans[queries.rows], queries.max_spans == 1
        risk = least_risk_spans(evidence.logits.pairs, token_spans)
        index[:, 0, 0] = torch.where(alone[:, None], risk, index[:, 0, 0])
        spans = to_seconds(index, mask, token_spans)
        probs = self.answer(state, evidence, queries, spans, mask).softmax(-1)[:, 0]
        confidence = [self.span_probs(state, queries, spans[:, 0, k], evidence=evidence) for k in range(mask.shape[-1])]
        return Prediction(spans[:, 0], mask[:, 0], torch.stack(confidence, -1) * mask[:, 0], probs)
