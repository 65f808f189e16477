"""Predictions against annotations: one score a question, then tables over kinds, families and lengths."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.errors import TevoError
from tevo.metrics.baselines import shrink
from tevo.metrics.scores import THRESHOLDS, grounded_share, mean_points, recall_at
from tevo.ops import set_iop, set_iou, union_length
from tevo.structures import Question, Span

PROTOCOL = "tevo"
"""Name stored beside every number of this file: IoU and IoP on merged unions of spans, thresholds with ``>=``, a
missing prediction is IoU 0 and a wrong answer, an unparsed answer is wrong, *when* questions count for grounding
only. The benchmarks' own scorers are in :mod:`tevo.metrics.protocols`."""

SPAN_LENGTH_BINS = {"<2 s": 2.0, "2-4 s": 4.0, "4-8 s": 8.0, ">=8 s": math.inf}  # name: upper end, exclusive
SHRINK_FACTORS = tuple(round(0.1 * step, 1) for step in range(1, 11))


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """What one prediction is worth.

    Attributes:
        qid: the question's id.
        video: its video; questions of one video are drawn together in a bootstrap.
        kind: when, what, before, ...
        family: kind of event asked about; empty when the annotation names none.
        length_s: seconds of true evidence; 0 when there is none.
        iou: overlap with the truth, 0..1; None when the annotation has no span.
        iop: share of the prediction inside the truth, 0..1; None likewise.
        right: whether the answer is right; None when the question is not multiple choice.
        missing: nothing was predicted for this question.
        unparsed: something was predicted, but not one of the options.
    """

    qid: str
    video: str
    kind: str
    family: str
    length_s: float
    iou: float | None
    iop: float | None
    right: bool | None
    missing: bool
    unparsed: bool


class Evaluation(TypedDict):
    """The tables of :func:`evaluate_rows`. A metric with nothing to count is absent from its table."""

    protocol: str
    overall: dict[str, float]  # mIoU, R1@0.3, R1@0.5, R1@0.7, acc, acc_gqa, acc_iou50, in points
    by_kind: dict[str, dict[str, float]]
    by_family: dict[str, dict[str, float]]
    by_span_length: dict[str, dict[str, float]]
    counts: dict[str, int]  # questions, predicted, missing, unknown, with_spans, multiple_choice, gqa, unparsed
    missing_qids: list[str]  # annotated, not predicted
    unknown_qids: list[str]  # predicted, not annotated


def evaluate_rows(predictions: Sequence[Mapping[str, Any]], annotations: Sequence[Question]) -> Evaluation:
    """Score rows of ``predictions.jsonl`` against annotated questions.

    Args:
        predictions: rows with ``qid``, ``pred_relevant_windows`` (``[[start, end, score?], ...]``, seconds;
            all of them are the answer, not ranked guesses) and, for multiple choice, ``pred_answer``.
        annotations: the questions with their true answers and evidence.

    Raises:
        TevoError: for a row without ``qid``, a qid predicted twice, or windows that are not pairs of numbers.
    """
    scores = score_rows(predictions, annotations)
    known = {question.id for question in annotations}
    unknown = [str(row["qid"]) for row in predictions if str(row["qid"]) not in known]
    missing = [score.qid for score in scores if score.missing]
    grounded = [score for score in scores if score.iou is not None]
    asked = [score for score in scores if score.right is not None]
    return Evaluation(
        protocol=PROTOCOL,
        overall=summarise(scores),
        by_kind=_tables(scores, lambda score: score.kind),
        by_family=_tables([score for score in scores if score.family], lambda score: score.family),
        by_span_length=_tables(grounded, lambda score: _length_bin(score.length_s), SPAN_LENGTH_BINS),
        counts={
            "questions": len(scores),
            "predicted": len(scores) - len(missing),
            "missing": len(missing),
            "unknown": len(unknown),
            "with_spans": len(grounded),
            "multiple_choice": len(asked),
            "gqa": sum(score.iou is not None and score.kind != "when" for score in asked),
            "unparsed": sum(score.unparsed for score in scores),
        },
        missing_qids=missing,
        unknown_qids=unknown,
    )


def score_rows(predictions: Sequence[Mapping[str, Any]], annotations: Sequence[Question]) -> list[QuestionScore]:
    """One score a question, in the order of the annotations; see :func:`evaluate_rows` for the rows.

    Two runs scored on the same annotations can be compared pair by pair
    (:func:`tevo.metrics.paired_bootstrap`).
    """
    by_qid: dict[str, Mapping[str, Any]] = {}
    for number, row in enumerate(predictions, start=1):
        if "qid" not in row:
            raise TevoError(f"prediction {number} has no `qid`, only {sorted(row)}: give rows of predictions.jsonl")
        if str(row["qid"]) in by_qid:
            raise TevoError(f"qid {row['qid']!r} is predicted twice: keep one row a question")
        by_qid[str(row["qid"])] = row
    rows = [by_qid.get(question.id) for question in annotations]
    true = _padded([question.evidence for question in annotations])
    pred = _padded([windows_of(row) if row is not None else () for row in rows])
    figures = torch.stack([union_length(*true), set_iou(*pred, *true), set_iop(*pred, *true)], dim=1).tolist()
    return [_score(question, row, *three) for question, row, three in zip(annotations, rows, figures, strict=True)]


def summarise(scores: Sequence[QuestionScore]) -> dict[str, float]:
    """Metrics in points over some questions; those with nothing to count are absent."""
    metrics: dict[str, float] = {}
    ious = torch.tensor([score.iou for score in scores if score.iou is not None], dtype=torch.float64)
    if len(ious):
        metrics["mIoU"] = float(mean_points(ious))
        metrics |= {f"R1@{threshold}": float(recall_at(ious, threshold)) for threshold in THRESHOLDS}
    asked = [score for score in scores if score.right is not None]
    if asked:
        metrics["acc"] = 100 * sum(score.right is True for score in asked) / len(asked)
    both = [score for score in asked if score.iou is not None and score.kind != "when"]
    if both:
        right = torch.tensor([score.right is True for score in both])
        for name, overlaps in (("acc_gqa", [s.iop for s in both]), ("acc_iou50", [s.iou for s in both])):
            metrics[name] = float(grounded_share(right, torch.tensor(overlaps, dtype=torch.float64)))
    return metrics


def shrunk_control(
    predictions: Sequence[Mapping[str, Any]],
    annotations: Sequence[Question],
    factors: Sequence[float] = SHRINK_FACTORS,
) -> tuple[float, Evaluation]:
    """The control that trained models must beat: spans scaled about their centre by the kindest factor.

    The factor is chosen on the very annotations it is scored on, in the control's favour: best Acc@GQA,
    mIoU where no question is multiple choice.

    Returns:
        The factor and the evaluation of the shrunk predictions.
    """
    best: tuple[tuple[float, float], float, Evaluation] | None = None
    for factor in factors:
        rows = [dict(row) | {"pred_relevant_windows": _shrunk(row, factor)} for row in predictions]
        result = evaluate_rows(rows, annotations)
        rank = (result["overall"].get("acc_gqa", 0.0), result["overall"].get("mIoU", 0.0))
        if best is None or rank > best[0]:
            best = (rank, factor, result)
    if best is None:
        raise TevoError("a shrunk-span control needs at least one factor to try, got none")
    return best[1], best[2]


def _shrunk(row: Mapping[str, Any], factor: float) -> list[list[float]]:
    return [[span.start_s, span.end_s] for span in shrink(windows_of(row), factor)]


def _score(question: Question, row: Mapping[str, Any] | None, length_s: float, iou: float, iop: float) -> QuestionScore:
    answer = _normal(str(row.get("pred_answer") or "")) if row is not None else ""
    multiple_choice = bool(question.options) and bool(question.answer)
    return QuestionScore(
        qid=question.id,
        video=question.video,
        kind=question.kind,
        family=question.family,
        length_s=length_s,
        iou=iou if length_s else None,
        iop=iop if length_s else None,
        right=answer == _normal(question.answer) if multiple_choice else None,
        missing=row is None,
        unparsed=multiple_choice and row is not None and answer not in {_normal(text) for text in question.options},
    )


def windows_of(row: Mapping[str, Any]) -> tuple[Span, ...]:
    """Predicted spans; an inverted or infinite one points at nothing and is left out."""
    spans = []
    for window in row.get("pred_relevant_windows") or ():
        try:
            start, end = float(window[0]), float(window[1])
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise TevoError(
                f"prediction {row['qid']!r} has the window {window!r}: give [start, end, score?], in seconds"
            ) from error
        if math.isfinite(start) and math.isfinite(end) and start <= end:
            spans.append(Span(start, end))
    return tuple(spans)


def _padded(sets: Sequence[Sequence[Span]]) -> tuple[Float[Tensor, "question k 2"], Bool[Tensor, "question k"]]:
    """Span sets of different sizes as one tensor, in double precision: annotations have decimals."""
    longest = max((len(spans) for spans in sets), default=0)
    rows = [[[s.start_s, s.end_s] for s in spans] + [[0.0, 0.0]] * (longest - len(spans)) for spans in sets]
    padded = torch.tensor(rows, dtype=torch.float64).reshape(len(sets), longest, 2)
    sizes = torch.tensor([len(spans) for spans in sets], dtype=torch.int64)
    return padded, torch.arange(longest) < sizes[:, None]


def _normal(text: str) -> str:
    """An answer without what says nothing: case and runs of white space."""
    return " ".join(text.casefold().split())


def _length_bin(length_s: float) -> str:
    return next(name for name, upper in SPAN_LENGTH_BINS.items() if length_s < upper)


def _tables(
    scores: Sequence[QuestionScore], group_of: Callable[[QuestionScore], str], order: Iterable[str] = ()
) -> dict[str, dict[str, float]]:
    groups: dict[str, list[QuestionScore]] = {name: [] for name in order}
    for score in scores:
        groups.setdefault(group_of(score), []).append(score)
    return {name: {"count": float(len(group))} | summarise(group) for name, group in groups.items() if group}
