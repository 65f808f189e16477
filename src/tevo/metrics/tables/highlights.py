"""QVHighlights: moments by R1 and mAP over lengths, highlights by HIT@1 and mAP over ratings."""

from collections.abc import Sequence

from tevo.errors import TevoError
from tevo.metrics.answered import Answered
from tevo.metrics.overlap import Pair
from tevo.metrics.ranking import (
    MAP_THRESHOLDS,
    average_precision,
    best_truth_iou,
    highlight_ap,
    hit_at_one,
    saliency_grid,
)
from tevo.metrics.tables.base import Figure, Scored, mean, points, reached, units_of
from tevo.prompts.replies import SPAN_PARSERS

LENGTHS = {"short": (0.0, 10.0), "middle": (10.0, 30.0), "long": (30.0, 150.0), "full": (0.0, 150.0)}
"""Lengths of annotated windows in seconds, above the first and up to the second; ``full`` keeps all."""
RATINGS = {"Fair": 2, "Good": 3, "VeryGood": 4}  # lowest rating that counts as a highlight
Column = tuple[float | None, ...]


def qvhighlights(rows: Sequence[Answered]) -> Scored:
    """The official table. Every figure is rounded to two decimals there.

    In a range of lengths the other annotated windows are taken away, and with them the queries that have none
    left; predictions stay.

    Raises:
        TevoError: for a query without a predicted window, which the official scorer does not accept.
    """
    columns: dict[str, Column] = {}
    figures: dict[str, Figure] = {}
    windows = [_ranked(row) for row in rows]
    for name, (low, high) in LENGTHS.items():
        kept = [
            row.true_spans if name == "full" else [s for s in row.true_spans if low < s[1] - s[0] <= high]
            for row in rows
        ]
        figures |= _moments(name, windows, kept, columns)
    if all("pred_saliency_scores" in (row.row or {}) and "saliency_scores" in row.extra for row in rows):
        for name, lowest in RATINGS.items():
            figures |= _highlights(name, lowest, rows, columns)
    return Scored(units_of(rows), columns, figures)


def _ranked(row: Answered) -> list[tuple[float, ...]]:
    windows = row.spans(SPAN_PARSERS["tevo"])
    if not windows:
        raise TevoError(
            f"query {row.qid!r} has no predicted window, and QVHighlights' scorer wants at least one for every query: "
            "add one, or score with --protocol tevo, which counts it as IoU 0"
        )
    return [window if len(window) == 3 else (*window, 0.0) for window in windows]


def _moments(
    name: str,
    windows: Sequence[Sequence[tuple[float, ...]]],
    true: Sequence[Sequence[Pair]],
    columns: dict[str, Column],
) -> dict[str, Figure]:
    """R1 and mAP at every threshold, over queries that have a window of the length."""
    iou = tuple(best_truth_iou(w[0], t) if t else None for w, t in zip(windows, true, strict=True))
    precisions = [average_precision(w, t) if t else None for w, t in zip(windows, true, strict=True)]
    figures: dict[str, Figure] = {}
    for place, threshold in enumerate(MAP_THRESHOLDS):
        column: Column = tuple(None if row is None else row[place] for row in precisions)
        figures[f"{name} mAP@{threshold}"] = points(column)
    overall: Column = tuple(None if row is None else sum(row) / len(row) for row in precisions)
    figures[f"{name} mAP"] = Figure(
        sum(figures[f"{name} mAP@{threshold}"].value for threshold in MAP_THRESHOLDS) / len(MAP_THRESHOLDS)
    )
    figures |= {f"{name} R1@{threshold}": points(reached(iou, threshold)) for threshold in MAP_THRESHOLDS}
    if name == "full":
        columns |= {"mAP": overall, "IoU": iou, "R1@0.5": reached(iou, 0.5), "R1@0.7": reached(iou, 0.7)}
    return figures


def _highlights(name: str, lowest: int, rows: Sequence[Answered], columns: dict[str, Column]) -> dict[str, Figure]:
    hits, precisions = [], []
    for row in rows:
        grid = saliency_grid(row.duration_s, row.extra["relevant_clip_ids"], row.extra["saliency_scores"])
        positive = (grid >= lowest).astype(float)
        pred = (row.row or {})["pred_saliency_scores"]
        hits.append(hit_at_one(pred, positive))
        precisions.append(mean(highlight_ap(pred, positive)))
    columns |= {f"HL-{name} mAP": tuple(precisions), f"HL-{name} HIT@1": tuple(hits)}
    return {f"HL-{name} mAP": points(precisions), f"HL-{name} HIT@1": points(hits)}
