"""Puts questions to a frozen policy, with the video and without what it should rest on (ALGORITHM 3 and 8)."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.backbones.base import TextEncoder
from tevo.data.datasets import VideoBatch
from tevo.heads.policy import GroundedPolicy
from tevo.heads.queries import Queries
from tevo.objectives.consensus import Consensus, pseudo_labels
from tevo.structures import VideoTokens
from tevo.video.interventions import keep_spans, mask_spans, no_video, random_span

CONTROL_SAMPLES = 4  # span samples a control pass averages the answer over


@dataclass(frozen=True, slots=True)
class Examination:
    """What a policy made of each question. A score is the mean probability of the with-video majority answer."""

    consensus: Consensus
    votes: Float[Tensor, "question vote"]  # option index, or -1
    spans: Float[Tensor, "question vote span 2"]  # seconds
    span_mask: Bool[Tensor, "question vote span"]
    with_video: Float[Tensor, "question"]
    without_video: Float[Tensor, "question"]
    shuffled: Float[Tensor, "question"]
    masked: Float[Tensor, "question"]  # the evidence removed
    key: Float[Tensor, "question"]  # the evidence alone
    random: Float[Tensor, "question"]  # a random span of the same length alone

    def signals(self) -> dict[str, Float[Tensor, "question"]]:
        """The unlabelled signals of ALGORITHM 7, one number a question."""
        return {
            "dependency": self.with_video - self.without_video,
            "order": self.with_video - self.shuffled,
            "necessity": self.with_video - self.masked,
            "specificity": self.key - self.random,
        }


def jitter(tokens: VideoTokens, rate: float, generator: torch.Generator | None) -> VideoTokens:
    """A view: each token is left out with probability ``rate`` (other frame times of the same video)."""
    if rate <= 0:
        return tokens
    drop = torch.rand(tokens.mask.shape, generator=generator).to(tokens.mask.device) < rate
    kept = tokens.mask & ~drop
    alive = kept.any(-1, keepdim=True)
    return VideoTokens(tokens.values, tokens.spans, torch.where(alive, kept, tokens.mask))


class Judge:
    """A policy that answers, behind one call; nothing of it is trained here.

    Args:
        policy: answers.
        encoder: projects tokens into the text's space.
        num_votes: M, answers a question gets.
        views: jittered views that share the votes.
        view_jitter: share of tokens that a view leaves out.
    """

    def __init__(
        self, policy: GroundedPolicy, encoder: TextEncoder, num_votes: int = 10, views: int = 2, view_jitter: float = 0.1
    ) -> None:
        self.policy, self.encoder = policy, encoder
        self.num_votes, self.views, self.view_jitter = num_votes, views, view_jitter

    @torch.no_grad()
    def examine(
        self,
        videos: VideoBatch,
        queries: Queries,
        evidence: Float[Tensor, "question span 2"],
        evidence_mask: Bool[Tensor, "question span"],
        generator: torch.Generator,
        controls: bool = True,
    ) -> Examination:
        """Vote on every question and score the majority answer under every intervention.

        Args:
            videos: the batch the questions are about.
            queries: the questions.
            evidence: the asker's spans, seconds, padded.
            evidence_mask: True where a span is valid.
            generator: of the samples.
            controls: False leaves out the interventions (their scores are zero): the pool's vote alone.
        """
        was_training = self.policy.training
        self.policy.eval()
        votes = self._vote(videos, queries, generator)
        consensus = pseudo_labels(*votes, queries.is_when)
        with_video = self._score(videos.tokens, queries, consensus, generator, shared=True)
        zero = torch.zeros_like(with_video)
        scores = {name: zero for name in ("without_video", "shuffled", "masked", "key", "random")}
        if controls:
            own = videos.tokens.take(queries.rows)
            whole = (videos.end_s - videos.start_s)[queries.rows]
            length = ((evidence[..., 1] - evidence[..., 0]) * evidence_mask).sum(-1)
            starts = videos.start_s[queries.rows]
            elsewhere = random_span(whole, length, generator, (evidence, evidence_mask), starts)[:, None]
            one = torch.ones_like(elsewhere[..., 0], dtype=torch.bool)
            scores = {
                "without_video": self._score(no_video(own), queries, consensus, generator),
                "shuffled": self._score(videos.shuffled, queries, consensus, generator, shared=True),
                "masked": self._score(mask_spans(own, evidence, evidence_mask), queries, consensus, generator),
                "key": self._score(keep_spans(own, evidence, evidence_mask), queries, consensus, generator),
                "random": self._score(keep_spans(own, elsewhere, one), queries, consensus, generator),
            }
        self.policy.train(was_training)
        answers, _, spans, span_mask = votes
        return Examination(consensus, answers, spans, span_mask, with_video, **scores)

    def _vote(self, videos: VideoBatch, queries: Queries, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """M answers a question, shared out over the views: answers, option counts, spans, their mask."""
        shares = [self.num_votes // self.views + (view < self.num_votes % self.views) for view in range(self.views)]
        parts = []
        for share in shares:
            tokens = jitter(videos.tokens, self.view_jitter, generator)
            state = self.policy.watch(tokens, self.encoder.project(tokens.values))
            parts.append(self.policy.rollout(state, queries, share, generator).rollouts)
        answers = torch.cat([part.answers for part in parts], 1)
        spans = torch.cat([part.spans for part in parts], 1)
        mask = torch.cat([part.span_mask for part in parts], 1)
        return answers, queries.option_mask.sum(-1), spans, mask

    def _score(
        self, tokens: VideoTokens, queries: Queries, consensus: Consensus, generator: torch.Generator, shared: bool = False
    ) -> Float[Tensor, "question"]:
        """Probability of the majority answer; of a span near the consensus for *when* questions.

        ``shared``: the tokens are the batch's, one row a video; otherwise one row a question.
        """
        if not shared:
            queries = replace(queries, rows=torch.arange(len(queries), device=queries.rows.device))
        state = self.policy.watch(tokens, self.encoder.project(tokens.values))
        evidence = self.policy.evidence(state, queries)
        probs = self.policy.answer_probs(state, queries, CONTROL_SAMPLES, generator, evidence)
        answered = probs.gather(-1, consensus.answer.clamp(min=0)[:, None])[:, 0] * (consensus.answer >= 0)
        placed = self.policy.span_probs(state, queries, consensus.spans[:, 0], evidence=evidence)
        return torch.where(queries.is_when, placed, answered)
