"""Puts questions to a frozen policy, with the video and without what it should rest on (ALGORITHM 3 and 8)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.backbones.base import TextEncoder
from tevo.data.datasets import VideoBatch
from tevo.heads.evidence import Evidence, VideoState
from tevo.heads.policy import GroundedPolicy
from tevo.heads.queries import Queries, encode_queries, pad_spans
from tevo.objectives.consensus import Consensus, pseudo_labels
from tevo.structures import Question, Rollouts, VideoTokens
from tevo.tasks.examination import Examination
from tevo.tasks.role import Examiner
from tevo.video.interventions import keep_spans, mask_spans, no_video, random_span

CONTROL_SAMPLES = 4  # span samples a control pass averages the answer over


def jitter(tokens: VideoTokens, rate: float, generator: torch.Generator | None) -> VideoTokens:
    """A view: each token is left out with probability ``rate`` (other frame times of the same video)."""
    if rate <= 0:
        return tokens
    drop = torch.rand(tokens.mask.shape, generator=generator).to(tokens.mask.device) < rate
    kept = tokens.mask & ~drop
    alive = kept.any(-1, keepdim=True)
    return VideoTokens(tokens.values, tokens.spans, torch.where(alive, kept, tokens.mask))


class Judge(Examiner):
    """A policy that answers, behind one call; nothing of it is trained here.

    Args:
        policy: answers.
        encoder: projects tokens into the text's space.
        num_votes: M, answers a question gets.
        views: jittered views that share the votes.
        view_jitter: share of tokens that a view leaves out.
        see: the videos as the policy sees them, where it does not look through the frozen backbone.
    """

    def __init__(
        self,
        policy: GroundedPolicy,
        encoder: TextEncoder,
        num_votes: int = 10,
        views: int = 2,
        view_jitter: float = 0.1,
        see: Callable[[VideoBatch], VideoBatch] | None = None,
    ) -> None:
        self.see = see
        self.policy, self.encoder = policy, encoder
        self.num_votes, self.views, self.view_jitter = num_votes, views, view_jitter

    def put(
        self,
        videos: VideoBatch,
        questions: Sequence[Question],
        rows: Int[Tensor, "question"],
        generator: torch.Generator,
        controls: bool = True,
    ) -> Examination:
        """See :meth:`Examiner.put`."""
        device = videos.tokens.values.device
        queries = encode_queries(questions, rows.to(device), self.encoder)
        spans, mask = pad_spans([question.evidence for question in questions])
        return self.examine(videos, queries, spans.to(device), mask.to(device), generator, controls)

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
            controls: False leaves out the two dear ones (shuffled, evidence removed), whose scores are then NaN; no
                video, evidence alone and a random span alone look at so few tokens that they cost next to nothing.
        """
        was_training = self.policy.training
        self.policy.eval()
        videos = videos if self.see is None else self.see(videos)
        seen = [self._look(videos, queries, share, generator) for share in self._shares()]
        votes = [
            torch.cat(part, 1) for part in zip(*((v.answers, v.spans, v.span_mask) for _, _, v in seen), strict=True)
        ]
        consensus = pseudo_labels(votes[0], queries.option_mask.sum(-1), votes[1], votes[2], queries.is_when)
        views = [self._score(state, queries, consensus, generator, found) for state, found, _ in seen]
        own = replace(queries, rows=torch.arange(len(queries), device=queries.rows.device))
        tokens = videos.tokens.take(queries.rows)
        elsewhere = self._elsewhere(videos, queries, evidence, evidence_mask, generator)
        one = torch.ones_like(elsewhere[..., 0], dtype=torch.bool)
        few = {
            "without_video": no_video(tokens),
            "key": keep_spans(tokens, evidence, evidence_mask),
            "random": keep_spans(tokens, elsewhere, one),
        }
        scores = {
            name: self._score(self._watch(compact(part)), own, consensus, generator) for name, part in few.items()
        }
        unknown = torch.full_like(views[0], torch.nan)
        scores |= {"shuffled": unknown, "masked": unknown}
        if controls:
            scores["shuffled"] = self._score(self._watch(videos.shuffled), queries, consensus, generator)
            hidden = self._watch(mask_spans(tokens, evidence, evidence_mask))
            scores["masked"] = self._score(hidden, own, consensus, generator)
        self.policy.train(was_training)
        return Examination(
            consensus, votes[0], votes[1], votes[2], torch.stack(views).mean(0),
            scores["without_video"], scores["shuffled"],
            scores["masked"], scores["key"], scores["random"],
        )  # fmt: skip

    def _shares(self) -> list[int]:
        """Votes of each view."""
        return [self.num_votes // self.views + (view < self.num_votes % self.views) for view in range(self.views)]

    def _watch(self, tokens: VideoTokens) -> VideoState:
        return self.policy.watch(tokens, self.encoder.project(tokens.values))

    def _look(
        self, videos: VideoBatch, queries: Queries, votes: int, generator: torch.Generator
    ) -> tuple[VideoState, Evidence, Rollouts]:
        """One view of the videos, what the policy finds in it, and its votes."""
        state = self._watch(jitter(videos.tokens, self.view_jitter, generator))
        found = self.policy.evidence(state, queries)
        return state, found, self.policy.rollout(state, queries, votes, generator, evidence=found).rollouts

    @staticmethod
    def _elsewhere(
        videos: VideoBatch, queries: Queries, evidence: Tensor, evidence_mask: Tensor, generator: torch.Generator
    ) -> Float[Tensor, "question 1 2"]:
        """A random span as long as the evidence, clear of it where there is room."""
        whole = (videos.end_s - videos.start_s)[queries.rows]
        length = ((evidence[..., 1] - evidence[..., 0]) * evidence_mask).sum(-1)
        return random_span(whole, length, generator, (evidence, evidence_mask), videos.start_s[queries.rows])[:, None]

    def _score(
        self,
        state: VideoState,
        queries: Queries,
        consensus: Consensus,
        generator: torch.Generator,
        found: Evidence | None = None,
    ) -> Float[Tensor, "question"]:
        """Probability of the majority answer; of a span near the consensus for *when* questions."""
        found = self.policy.evidence(state, queries) if found is None else found
        probs = self.policy.answer_probs(state, queries, CONTROL_SAMPLES, generator, found)
        answered = probs.gather(-1, consensus.answer.clamp(min=0)[:, None])[:, 0] * (consensus.answer >= 0)
        when = queries.is_when.nonzero()[:, 0]
        placed = self.policy.span_probs(state, queries.take(when), consensus.spans[when, 0], evidence=found.take(when))
        return answered.index_copy(0, when, placed)


def compact(tokens: VideoTokens) -> VideoTokens:
    """The valid tokens of each row moved to its front, and the rest cut off: what is hidden costs nothing."""
    longest = max(1, int(tokens.mask.sum(-1).max()))
    order = tokens.mask.to(torch.int8).sort(dim=-1, descending=True, stable=True).indices[:, :longest]
    rows = torch.arange(len(order), device=order.device)[:, None]
    return VideoTokens(tokens.values[rows, order], tokens.spans[rows, order], tokens.mask[rows, order])
