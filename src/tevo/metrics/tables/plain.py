"""The ``tevo`` protocol: no traps. Nothing predicted is IoU 0 and wrong, a point earns nothing, unparsed is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tevo.metrics.answered import Answered
from tevo.metrics.evaluation import QuestionScore, score_rows, summarise
from tevo.metrics.overlap import Pair
from tevo.metrics.ranking import MAP_THRESHOLDS, average_precision, hit_at_one, saliency_grid
from tevo.metrics.scores import THRESHOLDS, reaches
from tevo.metrics.tables.base import Figure, Scored, Values, by_group, flags, macro, points, units_of
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS
from tevo.structures import Question, Span

Column = tuple[float | None, ...]
POSITIVE = 4  # lowest rating of a highlight ("Very Good" of QVHighlights)


def plain(rows: Sequence[Answered]) -> Scored:
    """Figures in points: set IoU over merged spans, R1 with ``>=``, accuracy, and both together.

    The same rules as :func:`tevo.metrics.evaluate_rows`, which measures runs. ``acc_macro`` is the mean over tasks.
    """
    scores = score_rows([_prediction(row) for row in rows if row.row is not None], [_question(row) for row in rows])
    iou: Column = tuple(score.iou for score in scores)
    right = flags([score.right for score in scores])
    columns = {"IoU": iou, "IoP": tuple(score.iop for score in scores), "acc": right}
    columns |= {f"R1@{threshold}": _reached(iou, threshold) for threshold in THRESHOLDS}
    columns |= {
        "acc_gqa": _grounded(scores, _reached(columns["IoP"], 0.5)),
        "acc_iou50": _grounded(scores, _reached(iou, 0.5)),
    }
    columns = {name: column for name, column in columns.items() if any(value is not None for value in column)}
    units = units_of(rows)
    figures = {name: Figure(value, 1) for name, value in summarise(scores).items()}
    tasks = {name: value for name, value in by_group(right, units, "task").items() if value == value}
    if len(tasks) > 1:
        figures["acc_macro"] = Figure(100 * macro(tasks), 1)
    return Scored(units, columns, figures)


def plain_highlights(rows: Sequence[Answered]) -> Scored:
    """Ranked windows: R1 of the first, mAP over tIoU .5 to .95; highlights by HIT@1. Without a window all are 0."""
    best = plain([_first_only(row) for row in rows])
    precisions = [
        average_precision([window if len(window) == 3 else (*window, 0.0) for window in _windows(row)], row.true_spans)
        if row.true_spans
        else None
        for row in rows
    ]
    columns = dict(best.columns)
    columns["mAP"] = tuple(None if row is None else sum(row) / len(row) for row in precisions)
    figures = {name: figure for name, figure in best.figures.items() if name != "mIoU"}
    figures["mAP"] = points(columns["mAP"], 1)
    for threshold in (0.5, 0.75):
        place = MAP_THRESHOLDS.index(threshold)
        figures[f"mAP@{threshold}"] = points([None if row is None else row[place] for row in precisions], 1)
    if any("saliency_scores" in row.extra for row in rows):
        columns["HIT@1"] = tuple(_hit(row) for row in rows)
        figures["HIT@1"] = points(columns["HIT@1"], 1)
    return Scored(best.units, columns, figures)


def _windows(row: Answered) -> list[tuple[float, ...]]:
    """Predicted windows that have a length."""
    return [window for window in row.spans(SPAN_PARSERS["tevo"]) if window[1] > window[0]]


def _first_only(row: Answered) -> Answered:
    """The row with its first window, against the annotated span that this one overlaps best."""
    first = _windows(row)[:1]
    true: tuple[Pair, ...] = row.true_spans
    if first and true:
        near = max(true, key=lambda span: min(span[1], first[0][1]) - max(span[0], first[0][0]))
        true = (near,)
    there = None if row.row is None else dict(row.row) | {"pred_relevant_windows": first}
    return Answered(row.qid, row.video, row.task, row.options, row.truth, true, row.duration_s, row.groups, row=there)


def _hit(row: Answered) -> float | None:
    if "saliency_scores" not in row.extra:
        return None
    pred = (row.row or {}).get("pred_saliency_scores")
    grid = saliency_grid(row.duration_s, row.extra["relevant_clip_ids"], row.extra["saliency_scores"])
    return hit_at_one(pred, (grid >= POSITIVE).astype(float)) if pred else 0.0


def _question(row: Answered) -> Question:
    letters = {letter: option for letter, option in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", row.options, strict=False)}
    # A question that has a letter for a truth but no option texts (ReXTime's public copy) is answered by letters.
    lettered = not row.options and len(row.truth) == 1 and row.truth.isupper()
    options = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ") if lettered else row.options
    spans = tuple(Span(start, end) for start, end in row.true_spans if end >= start)
    kind = "when" if row.true_spans and not options else "what"
    truth = row.truth if lettered else letters.get(row.truth, "")
    return Question(row.qid, row.video, "", kind, options, truth, spans)


def _prediction(row: Answered) -> Mapping[str, Any]:
    letter = row.letters(LETTER_PARSERS["tevo"])
    place = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".find(letter) if letter else -1
    answer = letter if not row.options else row.options[place] if 0 <= place < len(row.options) else ""
    return {
        "qid": row.qid,
        "pred_answer": answer,
        "pred_relevant_windows": [list(window) for window in row.spans(SPAN_PARSERS["tevo"])],
    }


def _reached(values: Values, threshold: float) -> Column:
    """Thresholds with the tolerance of :func:`tevo.metrics.scores.reaches`."""
    known = torch.tensor([0.0 if value is None else value for value in values], dtype=torch.float64)
    hits = reaches(known, threshold).tolist()
    return flags([None if value is None else hit for value, hit in zip(values, hits, strict=True)])


def _grounded(scores: Sequence[QuestionScore], reached: Column) -> Column:
    return flags(
        [
            None if score.right is None or hit is None or score.kind == "when" else score.right and hit == 1
            for score, hit in zip(scores, reached, strict=True)
        ]
    )
