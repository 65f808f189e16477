"""Builds the pool: the Questioner writes, the Solver votes, and every question is kept or dropped by name."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.data.datasets import VideoBatch
from tevo.heads.queries import pad_spans
from tevo.metrics.results import NUM_BINS, Signals
from tevo.objectives.consensus import DROP_REASONS, KEPT, PoolRule, drop_reasons
from tevo.ops import coverage, set_iop, set_iou
from tevo.structures import Question, Span, Verdict
from tevo.tasks.examination import Examination

DIFFERENT = "answers differ"
TOO_COMMON = "answer too common"
RAW_REPLIES = 3  # of a question's votes that are kept as they were written
WITNESSES = ("solver", "both", "questioner")
"""Who vouches for a pseudo-label.

``solver``: the majority's answer, whatever the Questioner thinks (VZ, EV). ``both``: the same, when it is the
Questioner's own answer too. ``questioner`` (assumed; window view only): the Questioner's answer and span, which the
Solver did not make itself, when the share of votes that give it lies in the agreement band. The majority of a Solver
that cannot yet do a kind of question is noise, and its span lies elsewhere: the other two rules drop just what it
should learn.
"""


def judge_pool(
    seen: Examination,
    questions: Sequence[Question],
    rows: Tensor,
    videos: VideoBatch,
    rule: PoolRule,
    witness: str,
    round: int,
) -> list[Verdict]:
    """The verdict on each question (ALGORITHM 4).

    Args:
        seen: what the Solver made of the questions.
        questions: as the Questioner wrote them.
        rows: row of each question's video.
        videos: the batch.
        rule: the bars.
        witness: whose answer and span are the label, see :data:`WITNESSES`.
        round: from 1.
    """
    vote = seen.consensus
    reasons = _reasons(seen, questions, rows, videos, rule)
    share = own_share(seen, questions)
    scores = {"score_with": seen.with_video, "score_without": seen.without_video, "own_share": share} | seen.signals()
    signals = {name: values.tolist() for name, values in scores.items()}
    verdicts = []
    for index, question in enumerate(questions):
        chosen, meanings = int(vote.answer[index]), seen.meanings(index, question)
        answer, reason = meanings[chosen] if 0 <= chosen < len(meanings) else "", reasons[index]
        if witness == "both" and not reason and question.options and answer != question.answer:
            reason = DIFFERENT
        if witness == "questioner" and question.window is not None:
            answer, reason = question.answer, _own_reason(signals["own_share"][index], rule)
        spans = zip(vote.spans[index].tolist(), vote.span_mask[index].tolist(), strict=True)
        consensus = tuple(Span(start, end) for (start, end), real in spans if real)
        verdicts.append(
            Verdict(
                question=question,
                kept=not reason,
                reason=reason,
                agreement=float(vote.agreement[index]),
                votes=_votes(question, seen, index),
                pseudo_answer=answer,
                pseudo_evidence=question.evidence if question.window is not None else consensus,
                signals={name: values[index] for name, values in signals.items() if math.isfinite(values[index])},
                round=round,
                replies=seen.texts[index][:RAW_REPLIES] if seen.texts else (),
            )
        )
    return verdicts


def balance_answers(verdicts: Sequence[Verdict], max_ratio: float) -> list[Verdict]:
    """Drop questions that a guess without the video would get right: one answer of their kind is far too common.

    Only kinds whose options are always the same (count, duration) have such a guess. An answer may be ``max_ratio``
    times as common as the second of its kind (and once where there is no other); which are kept is chance, by their id.

    Args:
        verdicts: of a whole pool.
        max_ratio: at least 1.
    """
    fixed = {
        kind
        for kind in {verdict.question.kind for verdict in verdicts}
        if len({v.question.options for v in verdicts if v.question.kind == kind}) == 1
    }
    by_answer: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        if verdict.kept and verdict.question.options and verdict.question.kind in fixed:
            by_answer[verdict.question.kind][verdict.pseudo_answer] += 1
    left = {
        (kind, counts.most_common(1)[0][0]): max(1, int(max_ratio * (sorted(counts.values())[-2:-1] or [0])[0]))
        for kind, counts in by_answer.items()
    }
    dropped: set[str] = set()
    for verdict in sorted(verdicts, key=lambda v: crc32(v.question.id.encode())):
        place = (verdict.question.kind, verdict.pseudo_answer)
        if verdict.kept and place in left:
            left[place] -= 1
            if left[place] < 0:
                dropped.add(verdict.question.id)
    return [replace(v, kept=False, reason=TOO_COMMON) if v.question.id in dropped else v for v in verdicts]


def _reasons(
    seen: Examination, questions: Sequence[Question], rows: Tensor, videos: VideoBatch, rule: PoolRule
) -> list[str]:
    """Why the Solver's vote alone would drop each question; empty where it would not."""
    vote, device = seen.consensus, seen.votes.device
    rows = rows.to(device)
    spans, mask = (part.to(device) for part in pad_spans([question.evidence for question in questions]))
    window, whole = (part.to(device) for part in pad_spans([(q.window or q.evidence[0],) for q in questions]))
    codes = drop_reasons(
        vote,
        coverage(vote.spans, vote.span_mask, (videos.end_s - videos.start_s)[rows]),
        torch.tensor([q.window is not None for q in questions], device=device),
        set_iop(vote.spans, vote.span_mask, window, whole) > 0,
        set_iou(vote.spans, vote.span_mask, spans, mask),
        rule,
    )
    return ["" if code == KEPT else DROP_REASONS[code] for code in codes.tolist()]


def own_share(seen: Examination, questions: Sequence[Question]) -> Float[Tensor, "question"]:
    """Share of the votes that give the Questioner's own answer; for *when*, that point into its window."""
    offered = [seen.meanings(index, question) for index, question in enumerate(questions)]
    own = [texts.index(q.answer) if q.answer in texts else -2 for q, texts in zip(questions, offered, strict=True)]
    same = seen.votes == torch.tensor(own, device=seen.votes.device)[:, None]
    window, whole = (part.to(same.device) for part in pad_spans([(q.window or q.evidence[0],) for q in questions]))
    into = set_iop(seen.spans, seen.span_mask, window[:, None], whole[:, None]) > 0
    timed = torch.tensor([q.kind == "when" for q in questions], device=same.device)[:, None]
    return torch.where(timed, into, same).float().mean(-1)


def _own_reason(share: float, rule: PoolRule) -> str:
    """The agreement band, read on the Questioner's own answer."""
    if share < rule.agreement_low - 1e-6:
        return "too hard"
    return "too easy" if share > rule.agreement_high + 1e-6 else ""


def _votes(question: Question, seen: Examination, index: int) -> dict[str, int]:
    """Votes by answer; for *when* questions, those near the consensus span and those elsewhere."""
    if question.kind == "when":
        agreed = int(seen.consensus.agrees[index].sum())
        return {"agree": agreed, "elsewhere": seen.votes.shape[1] - agreed}
    counts = Counter(seen.votes[index].tolist())
    offered = enumerate(seen.meanings(index, question))
    return {option: counts[number] for number, option in offered if counts[number]}


@dataclass
class SignalTally:
    """Adds up the unlabelled signals of a round over many batches (ALGORITHM 7)."""

    asked: int = 0
    faults: Counter[str] = field(default_factory=Counter)  # tries that made no question, by what was wrong
    sums: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
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
        vote = seen.consensus
        self.sums["heldout_answer"] += float(own_share(seen, questions).sum())
        self.sums["heldout_iou"] += float(set_iou(vote.spans, vote.span_mask, spans, mask).sum())
        _count(self.agreement, seen.consensus.agreement)
        _count(self.coverage, coverage(spans, mask, duration))
        _count(self.start, (spans[:, 0, 0] - start) / duration)

    @staticmethod
    def sum(tallies: "Sequence[SignalTally]") -> "SignalTally":
        """All of them as one, added in their order, so that floats come out as if one had counted everything."""
        total = SignalTally()
        for tally in tallies:
            total.asked += tally.asked
            total.faults += tally.faults
            total.dependent += tally.dependent
            for name, value in tally.sums.items():
                total.sums[name] += value
            total.agreement = [a + b for a, b in zip(total.agreement, tally.agreement, strict=True)]
            total.coverage = [a + b for a, b in zip(total.coverage, tally.coverage, strict=True)]
            total.start = [a + b for a, b in zip(total.start, tally.start, strict=True)]
        return total

    @property
    def failure_rate(self) -> float:
        """Share of the Questioner's tries that made no question."""
        failed = self.faults.total()
        return failed / max(1, self.asked + failed)

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
            heldout_answer=mean["heldout_answer"],
            heldout_iou=mean["heldout_iou"],
            parse_failure_rate=self.failure_rate,
            agreement_hist=list(self.agreement),
            coverage_hist=list(self.coverage),
            start_hist=list(self.start),
            asked=self.asked,
        )


def _count(bins: list[int], shares: Float[Tensor, "question"]) -> None:
    for share in shares.tolist():
        bins[min(NUM_BINS - 1, max(0, int(share * NUM_BINS)))] += 1


def pool_signals(verdicts: Sequence[Verdict], faults: Mapping[str, int]) -> Signals:
    """What only a pool tells: kept, dropped by reason, kinds, levels, diversity, and tries that made no question."""
    kept = [verdict.question for verdict in verdicts if verdict.kept]
    distinct = len({(q.video, q.kind, q.text) for q in kept})
    return Signals(
        parse_failure_rate=SignalTally(len(verdicts), Counter(faults)).failure_rate,
        faults=dict(faults),
        asked=len(verdicts),
        kept=len(kept),
        drops=dict(Counter(verdict.reason for verdict in verdicts if not verdict.kept)),
        kinds=dict(Counter(question.kind for question in kept)),
        levels={str(level): number for level, number in sorted(Counter(q.level for q in kept).items())},
        diversity=distinct / max(len(kept), 1),
    )
