"""A prediction file against a benchmark's questions, under a named protocol: one report, from files alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from tevo.errors import TevoError
from tevo.metrics.answered import Answered, answered
from tevo.metrics.bootstrap import paired_bootstrap
from tevo.metrics.predictions import Predictions
from tevo.metrics.protocols import scorer
from tevo.metrics.results import dump_json, write_atomic
from tevo.metrics.tables.base import Scored, Unit, Values, mean
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS
from tevo.structures import Question

LENGTHS = {"<1 min": 60.0, "1-3 min": 180.0, "3-10 min": 600.0, "10-30 min": 1800.0, "30-60 min": 3600.0}
LONGEST = ">=60 min"
"""Bins of the video's length where the benchmark has none of its own: name and upper end in seconds, exclusive."""
NUM_SAMPLES = 2000  # bootstrap draws


class ScoreReport(TypedDict):
    """What ``tevo score`` writes."""

    benchmark: str
    protocol: str
    figures: dict[str, float]  # the scorer's own names and scale, unrounded
    printed: dict[str, str]  # the same as the scorer prints them
    intervals: dict[str, dict[str, float]]  # metric -> mean, low, high in points; videos are drawn
    confidence: float  # of the intervals, 0..1
    by: dict[str, dict[str, dict[str, float]]]  # group -> label -> count and metrics in points
    counts: dict[str, int]
    missing_qids: list[str]  # annotated, not predicted
    unknown_qids: list[str]  # predicted, not annotated
    duplicate_qids: list[str]  # predicted more than once; the last counts
    other_truth_qids: list[str]  # the prediction names another true answer than the annotation
    unparsed_qids: list[str]  # a reply in which the tevo parsers find neither an option nor a span
    problems: list[str]  # prediction rows that could not be used
    spec: dict[str, Any]  # what was scored: files, version, and what became of every annotation row
    evidence: NotRequired[dict[str, Any]]  # how good the evidence is, where a model was asked


def score_predictions(
    benchmark: str,
    protocol: str,
    questions: Sequence[Question],
    predictions: Predictions,
    fractions: bool = False,
    confidence: float = 0.95,
    spec: Mapping[str, Any] | None = None,
) -> ScoreReport:
    """Score predictions; nothing is left out without being named.

    Args:
        benchmark: its name; one that is not in :data:`tevo.metrics.protocols.SCORERS` has the ``tevo`` protocol.
        protocol: one of :data:`tevo.metrics.protocols.PROTOCOLS`.
        questions: what was asked, with the right answers and evidence.
        predictions: what was predicted.
        fractions: whether predicted spans are shares of the video's length; they are multiplied with it and
            rounded to a tenth of a second, as NExT-GQA's scorer does.
        confidence: of the intervals, 0..1.
        spec: kept in the report as it is.

    Raises:
        TevoError: when there is no such scorer, no question, two questions with one id, or not one prediction
            for any of them.
    """
    table = scorer(benchmark, protocol)
    rows = _rows(questions, predictions, fractions)
    scored = table(rows)
    known = {row.qid for row in rows}
    named = {
        "missing": [row.qid for row in rows if row.row is None],
        "unknown": [qid for qid in predictions.rows if qid not in known],
        "duplicate": list(predictions.duplicates),
        "other_truth": [row.qid for row in rows if row.claim and row.truth and row.claim != row.truth],
        "unparsed": [row.qid for row in rows if _is_unparsed(row)],
        "unusable": list(predictions.problems),
    }
    return ScoreReport(
        benchmark=benchmark,
        protocol=protocol,
        figures=scored.values(),
        printed={name: f"{figure.value:.{figure.decimals}f}" for name, figure in scored.figures.items()},
        intervals=_intervals(scored, confidence),
        confidence=confidence,
        by=_breakdowns(scored, rows),
        counts=_counts(rows, scored) | {name: len(found) for name, found in named.items()},
        missing_qids=named["missing"],
        unknown_qids=named["unknown"],
        duplicate_qids=named["duplicate"],
        other_truth_qids=named["other_truth"],
        unparsed_qids=named["unparsed"],
        problems=named["unusable"],
        spec={"predictions": str(predictions.path), "fractions": fractions, **(spec or {})},
    )


def _counts(rows: Sequence[Answered], scored: Scored) -> dict[str, int]:
    values = zip(*scored.columns.values(), strict=True)
    return {
        "questions": len(rows),
        "predicted": sum(row.row is not None for row in rows),
        "with_spans": sum(bool(row.true_spans) for row in rows),
        "with_answer": sum(bool(row.truth) for row in rows),
        "counted": sum(any(value is not None for value in of_unit) for of_unit in values),
    }


def write_scores(path: str | Path, report: ScoreReport) -> Path:
    """Write a report as JSON in one step; a figure that is not finite is ``null``."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_atomic(file, dump_json(dict(report)))


def _rows(questions: Sequence[Question], predictions: Predictions, fractions: bool) -> list[Answered]:
    rows = [answered(question, predictions.rows.get(question.id)) for question in questions]
    if not rows:
        raise TevoError("there is no question to score: give the benchmark's annotations")
    seen: set[str] = set()
    for row in rows:
        if row.qid in seen:
            raise TevoError(f"two questions have the id {row.qid!r}: give every question an id of its own")
        seen.add(row.qid)
    if all(row.row is None for row in rows):
        ours, theirs = list(predictions.rows)[:3], [row.qid for row in rows[:3]]
        raise TevoError(
            f"no prediction is for a question of these annotations: the predictions have ids such as "
            f"{', '.join(map(repr, ours))}, the questions {', '.join(map(repr, theirs))}; give the ids of the questions"
        )
    return [_in_seconds(row) for row in rows] if fractions else rows


def _in_seconds(row: Answered) -> Answered:
    """Predicted shares of the video as seconds, rounded to a tenth."""
    windows = (row.row or {}).get("pred_relevant_windows")
    if not windows:
        return row
    if row.duration_s <= 0:
        raise TevoError(f"the length of the video of {row.qid!r} is not annotated: give spans in seconds")
    scaled = [[*np.round(np.asarray(w[:2]) * row.duration_s, 1).tolist(), *w[2:]] for w in windows]
    return replace(row, row={**(row.row or {}), "pred_relevant_windows": scaled})


def _is_unparsed(row: Answered) -> bool:
    """Whether something was predicted and, as tevo reads it, an answer or a span that was asked for is not in it."""
    if row.row is None:
        return False
    if row.options and row.truth:
        return not row.letters(LETTER_PARSERS["tevo"])
    return bool(row.true_spans) and not row.truth and not row.spans(SPAN_PARSERS["tevo"])


def _intervals(scored: Scored, confidence: float) -> dict[str, dict[str, float]]:
    """Mean and bootstrap interval of every column, in points; units of one video are drawn together."""
    found = {}
    for name, column in scored.columns.items():
        counted = [(100 * value, unit) for value, unit in zip(column, scored.units, strict=True) if value is not None]
        if not counted or any(math.isnan(value) for value, _ in counted):
            continue
        values = [value for value, _ in counted]
        groups = [unit.video or unit.qid for _, unit in counted]
        interval = paired_bootstrap(values, [0.0] * len(values), groups, num_samples=NUM_SAMPLES, confidence=confidence)
        found[name] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return found


def _breakdowns(scored: Scored, rows: Sequence[Answered]) -> dict[str, dict[str, dict[str, float]]]:
    """Every column over the units of each label of each group, and over lengths of video."""
    durations = {row.qid: row.duration_s for row in rows}
    units = [_with_length(unit, durations.get(unit.qid, 0.0)) for unit in scored.units]
    found: dict[str, dict[str, list[int]]] = {}
    for place, unit in enumerate(units):
        for group, labels in unit.groups.items():
            for label in labels:
                found.setdefault(group, {}).setdefault(label, []).append(place)
    return {
        group: {label: _means(scored.columns, places) for label, places in labels.items()}
        for group, labels in found.items()
    }


def _means(columns: Mapping[str, Values], places: Sequence[int]) -> dict[str, float]:
    means = {name: 100 * mean([column[place] for place in places]) for name, column in columns.items()}
    return {"count": float(len(places))} | {name: value for name, value in means.items() if not math.isnan(value)}


def _with_length(unit: Unit, duration_s: float) -> Unit:
    if "duration" in unit.groups or duration_s <= 0:
        return unit
    label = next((name for name, upper in LENGTHS.items() if duration_s < upper), LONGEST)
    return Unit(unit.qid, unit.video, {**unit.groups, "duration": (label,)})
