"""Answers with evidence: NExT-GQA by its own scorer and by Video-Zero."""

from collections.abc import Sequence

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import best_per_truth, nextgqa_best
from tevo.metrics.tables.base import Scored, both, flags, points, reached, share, units_of
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS

Column = tuple[float | None, ...]


def official(rows: Sequence[Answered]) -> Scored:
    """NExT-GQA's ``eval_ground``: IoU and IoP are each the best over the annotated spans, thresholds ``>=``.

    Acc@GQA is the share with the answer right and IoP >= 0.5. Only questions with a predicted span are counted.
    The first and the last number of a prediction are its span; a point inside the truth has IoP 1. Where the
    prediction file names the true answer itself, that is believed.
    """
    letters, parse = LETTER_PARSERS["tevo"], SPAN_PARSERS["tevo"]
    found = [(row, [time for pair in row.pairs(parse) for time in pair]) for row in rows]
    best = [nextgqa_best(times, row.true_spans) if times and row.true_spans else None for row, times in found]
    iou: Column = tuple(None if pair is None else pair[0] for pair in best)
    iop: Column = tuple(None if pair is None else pair[1] for pair in best)
    right = flags([None if pair is None else row.claimed_right(letters) for row, pair in zip(rows, best, strict=True)])
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


def video_zero(rows: Sequence[Answered]) -> Scored:
    """Video-Zero's NExT-GQA: mean over annotated spans of the best IoU; R@t and GQA@t by the best of them, ``>=``.

    GQA@t uses IoU where NExT-GQA uses IoP. A missing prediction is wrong and IoU 0. mIoU is a share, the others
    are points. True answers are taken from the prediction file as by the official scorer.
    """
    letters, parse = LETTER_PARSERS["video_zero/nextgqa"], SPAN_PARSERS["video_zero"]
    right = flags([row.claimed_right(letters) if row.truth else None for row in rows])
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
