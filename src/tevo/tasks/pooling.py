"""Builds the pool: the Questioner writes, the Solver votes, and every question is kept or dropped by name."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.data.datasets import VideoBatch
from tevo.heads.queries import encode_queries, pad_spans
from tevo.metrics.results import NUM_BINS, Signals
from tevo.objectives.consensus import DROP_REASONS, KEPT, PoolRule, drop_reasons
from tevo.ops import coverage, set_iop, set_iou
from tevo.structures import Question, Span, Verdict
from tevo.tasks.judge import Examination, Judge

DIFFERENT = "answers differ"


def examine_questions(
    judge: Judge, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator, controls: bool = True
) -> Examination:
    """Put the Questioner's questions to a judge, against the evidence that the Questioner names."""
    device = videos.tokens.values.device
    queries = encode_queries(questions, rows.to(device), judge.encoder)
    spans, mask = pad_spans([question.evidence for question in questions])
    return judge.examine(videos, queries, spans.to(device), mask.to(device), generator, controls)


def judge_pool(
    seen: Examination, questions: Sequence[Question], rows: Tensor, videos: VideoBatch, rule: PoolRule, two_witnesses: bool, round: int
) -> list[Verdict]:
    """The verdict on each question (ALGORITHM 4).

    Args:
        seen: what the Solver made of the questions.
        questions: as the Questioner wrote them.
        rows: row of each question's video.
        videos: the batch.
        rule: the bars.
        two_witnesses: keep a question only when the Solver's majority gives the Questioner's own answer (assumed: the
            Solver alone is circular; the two look at different things).
        round: from 1.
    """
    vote = seen.consensus
    spans, mask = (part.to(vote.spans.device) for part in pad_spans([question.evidence for question in questions]))
    windows = [q.window or q.evidence[0] for q in questions]
    window, whole = (part.to(vote.spans.device) for part in pad_spans([(w,) for w in windows]))
    rows = rows.to(vote.spans.device)
    codes = drop_reasons(
        vote,
        coverage(vote.spans, vote.span_mask, (videos.end_s - videos.start_s)[rows]),
        torch.tensor([q.window is not None for q in questions], device=rows.device),
        set_iop(vote.spans, vote.span_mask, window, whole) > 0,
        set_iou(vote.spans, vote.span_mask, spans, mask),
        rule,
    ).tolist()
    signals = {name: values.tolist() for name, values in seen.signals().items()}
    scores = {"score_with": seen.with_video.tolist(), "score_without": seen.without_video.tolist()}
    verdicts = []
    for index, question in enumerate(questions):
        own = [Span(a, b) for (a, b), real in zip(vote.spans[index].tolist(), vote.span_mask[index].tolist(), strict=True) if real]
        chosen = int(vote.answer[index])
        answer = question.options[chosen] if 0 <= chosen < len(question.options) else ""
        reason = DROP_REASONS[codes[index]] if codes[index] != KEPT else ""
        if not reason and two_witnesses and question.options and answer != question.answer:
            reason = DIFFERENT
        verdicts.append(
            Verdict(
                question=question,
                kept=not reason,
                reason=reason,
                agreement=float(vote.agreement[index]),
                votes=_votes(question, seen, index),
                pseudo_answer=answer,
                pseudo_evidence=question.evidence if question.window is not None else tuple(own),
                signals={k: v[index] for k, v in (signals | scores).items() if math.isfinite(v[index])},
                round=round,
            )
        )
    return verdicts


def _votes(question: Question, seen: Examination, index: int) -> dict[str, int]:
    """Votes by answer; for *when* questions, those near the consensus span and those elsewhere."""
    if not question.options:
        agreed = int(seen.consensus.agrees[index].sum())
        return {"agree": agreed, "elsewhere": seen.votes.shape[1] - agreed}
    counts = Counter(seen.votes[index].tolist())
    return {option: counts[number] for number, option in enumerate(question.options) if counts[number]}


@dataclass
class SignalTally:
    """Adds up the unlabelled signals of a round over many batches (ALGORITHM 7)."""

    asked: int = 0
    unrenderable: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    dependent: int = 0
    agreement: list[int] = field(default_factory=lambda: [0] * NUM_BINS)
    coverage: list[int] = field(default_factory=lambda: [0] * NUM_BINS)
    start: list[int] = field(default_factory=lambda: [0] * NUM_BINS)

    def add(self, seen: Examination, questions: Sequence[Question], rows: Tensor, videos: VideoBatch) -> None:
        """Count a batch of examined questions."""
        self.asked += len(questions)
        for name, values in seen.signals().items():
            self.sums[name] += float(values.sum())
        self.dependent += int((seen.with_video > seen.without_video).sum())
        duration, start = (videos.end_s - videos.start_s)[rows], videos.start_s[rows]
        spans, mask = (part.to(duration.device) for part in pad_spans([question.evidence for question in questions]))
        _count(self.agreement, seen.consensus.agreement)
        _count(self.coverage, coverage(spans, mask, duration))
        _count(self.start, (spans[:, 0, 0] - start) / duration)

    @property
    def failure_rate(self) -> float:
        """Share of the questions sampled that could not be put into words."""
        return self.unrenderable / max(1, self.asked + self.unrenderable)

    def signals(self) -> Signals:
        """Means and histograms; what was not measured is absent."""
        if not self.asked:
            return Signals(asked=0)
        mean = {name: total / self.asked for name, total in self.sums.items()}
        return Signals(
            video_dependent_share=self.dependent / self.asked,
            dependency_gap=mean["dependency"],
            order_gap=mean["order"],
            necessity=mean["necessity"],
            specificity=mean["specificity"],
            parse_failure_rate=self.failure_rate,
            agreement_hist=list(self.agreement),
            coverage_hist=list(self.coverage),
            start_hist=list(self.start),
            asked=self.asked,
        )


def _count(bins: list[int], shares: Float[Tensor, "question"]) -> None:
    for share in shares.tolist():
        bins[min(NUM_BINS - 1, max(0, int(share * NUM_BINS)))] += 1


def pool_signals(verdicts: Sequence[Verdict]) -> Signals:
    """What only the verdicts tell: kept, dropped by reason, kinds, levels, diversity."""
    kept = [verdict.question for verdict in verdicts if verdict.kept]
    distinct = len({(q.video, q.kind, q.text) for q in kept})
    return Signals(
        kept=len(kept),
        drops=dict(Counter(verdict.reason for verdict in verdicts if not verdict.kept)),
        kinds=dict(Counter(question.kind for question in kept)),
        levels={str(level): number for level, number in sorted(Counter(q.level for q in kept).items())},
        diversity=distinct / max(len(kept), 1),
    )
