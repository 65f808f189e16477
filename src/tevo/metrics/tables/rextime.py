"""ReXTime: the first window and the answer, each alone and both together; and what Zoom-Zero hands to its scorer."""

from collections.abc import Sequence
from dataclasses import replace

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import Pair
from tevo.metrics.ranking import best_truth_iou
from tevo.metrics.tables.base import Figure, Scored, both, flags, points, reached, share, units_of
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS
from tevo.prompts.replies.tags import first_tagged

THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
JOINT = (0.3, 0.5, 0.7)  # thresholds of VQA,mIoU@t
FALLBACK = "C"  # what Zoom-Zero answers for a reply without <answer>


def official(rows: Sequence[Answered]) -> Scored:
    """The first window's hull IoU, R1 ``>=`` in points; VQA and VQA,mIoU@t (both right) as shares.

    mIoU and R1 are rounded to two decimals there. Its scorer refuses a file that lacks a question; here it is
    IoU 0 and wrong.
    """
    letters, parse = LETTER_PARSERS["tevo"], SPAN_PARSERS["tevo"]
    iou: tuple[float | None, ...] = tuple(_first(row.pairs(parse), row.true_spans) for row in rows)
    right = flags([row.right(letters) if row.truth else None for row in rows])
    columns = {"acc": right, "IoU": iou}
    columns |= {f"R1@{threshold}": reached(iou, threshold) for threshold in THRESHOLDS}
    columns |= {f"GQA@{threshold}": both(right, columns[f"R1@{threshold}"]) for threshold in JOINT}
    figures: dict[str, Figure] = {"VQA": share(right), "mIoU": points(iou)}
    figures |= {f"R1@{threshold}": points(columns[f"R1@{threshold}"]) for threshold in THRESHOLDS}
    figures |= {f"VQA,mIoU@{threshold}": share(columns[f"GQA@{threshold}"]) for threshold in JOINT}
    return Scored(units_of(rows), columns, figures)


def _first(spans: Sequence[Pair], true: Sequence[Pair]) -> float | None:
    if not true:
        return None
    return best_truth_iou(spans[0], true) if spans else 0.0


def zoom_zero(rows: Sequence[Answered]) -> Scored:
    """The same scorer on what Zoom-Zero submits: no ``<answer>`` is C, and no valid spans are the row's before.

    The answer must be the letter alone; rows before the first valid spans are lost there, and wrong here.
    """
    submitted, before = [], None
    for row in rows:
        spans = row.pairs(SPAN_PARSERS["zoom_zero"])
        before = [list(span) for span in spans] if spans else before
        answer = (row.row or {}).get("pred_answer")
        said = first_tagged(row.reply, "answer")
        answer = answer if answer is not None else FALLBACK if said is None else said if len(said) == 1 else ""
        filled = {"pred_answer": answer, "pred_relevant_windows": before}
        submitted.append(replace(row, row=None if row.row is None or before is None else filled))
    return official(submitted)
