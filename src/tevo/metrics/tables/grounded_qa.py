"""Answers with evidence: NExT-GQA by its own scorer and by Video-Zero, and ReXTime."""

from collections.abc import Sequence

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import Pair, best_per_truth, nextgqa_best
from tevo.metrics.ranking import best_truth_iou
from tevo.metrics.tables.base import Figure, Scored, both, flags, points, reached, share, units_of
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS

REXTIME_THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
Column = tuple[float | None, ...]


def nextgqa_official(rows: Sequence[Answered]) -> Scored:
    """NExT-GQA's ``eval_ground``: IoU and IoP are each the best over the annotated spans, thresholds ``>=``.

    Acc@GQA is the share with the answer right and IoP >= 0.5. Only questions with a predicted span are counted.
    The first and the last number of a prediction are its span; a point inside the truth has IoP 1. Where the
    prediction file names the true answer itself, that is believed.
    """
    parse = SPAN_PARSERS["tevo"]
    found = [(row, [time for pair in row.pairs(parse) for time in pair]) for row in rows]
    best = [nextgqa_best(times, row.true_spans) if times and row.true_spans else None for row, times in found]
    iou: Column = tuple(None if pair is None else pair[0] for pair in best)
    iop: Column = tuple(None if pair is None else pair[1] for pair in best)
    right = flags([None if pair is None else _claimed(row) for row, pair in zip(rows, best, strict=True)])
    columns = {
        "Acc@GQA": both(right, reached(iop, 0.5)),
        "IoP": iop,
        "IoP@0.3": reached(iop, 0.3),
        "IoP@0.5": reached(iop, 0.5),
        "IoU": iou,
        "IoU@0.3": reached(iou, 0.3),
        "IoU@0.5": reached(iou, 0.5),
    }
    names = ("Acc&GQA", "mIoP", "TIoP@0.3", "TIoP@0.5", "mIoU", "TIoU@0.3", "TIoU@0.5")
    figures = {name: points(column, 1) for name, column in zip(names, columns.values(), strict=True)}
    return Scored(units_of(rows), columns, figures)


def _claimed(row: Answered) -> bool:
    """Whether the answer is right: as the prediction row says, if it does, else as annotated."""
    claim = (row.row or {}).get("true_answer")
    letters = row.letters(LETTER_PARSERS["tevo"])
    return bool(letters) and letters == claim if claim is not None else row.right(LETTER_PARSERS["tevo"])


def nextgqa_video_zero(rows: Sequence[Answered]) -> Scored:
    """Video-Zero's NExT-GQA: mean over annotated spans of the best IoU; R@t and GQA@t by the best of them, ``>=``.

    GQA@t uses IoU where NExT-GQA uses IoP. A missing prediction is wrong and IoU 0. mIoU is a share, the others
    are points.
    """
    letters, parse = LETTER_PARSERS["video_zero/nextgqa"], SPAN_PARSERS["video_zero"]
    right = flags([row.right(letters) if row.truth else None for row in rows])
    kept = [[pair for pair in row.pairs(parse) if pair[1] > pair[0]] for row in rows]
    best = [
        best_per_truth(spans, row.true_spans) if row.true_spans else None for row, spans in zip(rows, kept, strict=True)
    ]
    iou: Column = tuple(None if pair is None else pair[0] for pair in best)
    peak: Column = tuple(None if pair is None else pair[1] for pair in best)
    columns: dict[str, Column] = {"acc": right, "IoU": iou}
    columns |= {f"R@{threshold}": reached(peak, threshold) for threshold in (0.3, 0.5)}
    columns |= {f"GQA@{threshold}": both(right, columns[f"R@{threshold}"]) for threshold in (0.3, 0.5)}
    figures = {"Acc": points(right), "mIoU": share(iou)}
    figures |= {name: points(column) for name, column in columns.items() if "@" in name}
    return Scored(units_of(rows), columns, figures)


def rextime_official(rows: Sequence[Answered]) -> Scored:
    """ReXTime: the first window's hull IoU, R1 ``>=`` in points; VQA and VQA,mIoU@t (both right) as shares.

    mIoU and R1 are rounded to two decimals there.
    """
    letters, parse = LETTER_PARSERS["tevo"], SPAN_PARSERS["tevo"]
    spans = [row.pairs(parse) for row in rows]
    iou: Column = tuple(_first(pairs, row.true_spans) for row, pairs in zip(rows, spans, strict=True))
    right = flags([row.right(letters) if row.truth else None for row in rows])
    columns: dict[str, Column] = {"acc": right, "IoU": iou}
    columns |= {f"R1@{threshold}": reached(iou, threshold) for threshold in REXTIME_THRESHOLDS}
    columns |= {f"GQA@{threshold}": both(right, columns[f"R1@{threshold}"]) for threshold in (0.3, 0.5, 0.7)}
    figures: dict[str, Figure] = {"VQA": share(right), "mIoU": points(iou)}
    figures |= {f"R1@{threshold}": points(columns[f"R1@{threshold}"]) for threshold in REXTIME_THRESHOLDS}
    figures |= {f"VQA,mIoU@{threshold}": share(columns[f"GQA@{threshold}"]) for threshold in (0.3, 0.5, 0.7)}
    return Scored(units_of(rows), columns, figures)


def _first(spans: Sequence[Pair], true: Sequence[Pair]) -> float | None:
    if not true:
        return None
    return best_truth_iou(spans[0], true) if spans else 0.0
