"""Zoom-Zero's grounded QA: its evaluation, and beside it the rewards that its training logs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import merged, merged_iou
from tevo.metrics.tables.base import Scored, flags, reached, share, units_of
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS
from tevo.prompts.replies.tags import first_tagged

Column = tuple[float | None, ...]
_NUMBER = r"\d+\.?\d*"
_FORMAT = re.compile(
    r"<think>.*?<time>.*?</time>.*?</think>\s*\n<answer>\(?[A-F]\)?</answer>\s*\n"
    rf"<glue>\s*\[\s*\({_NUMBER},\s*{_NUMBER}\)(?:\s*,\s*\({_NUMBER},\s*{_NUMBER}\))*\s*\]\s*</glue>",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ZoomZero:
    """Set IoU over merged spans, strict thresholds, shares; questions without a row leave the mean.

    One inverted or negative span makes the whole prediction invalid, IoU 0. A prediction and a truth of no length
    have IoU 1.

    Attributes:
        letters: which letter parser reads replies.
    """

    letters: str

    def __call__(self, rows: Sequence[Answered]) -> Scored:
        """The table; where every row has a reply, its rewards are columns too."""
        parse = LETTER_PARSERS[self.letters]
        there = [row.row is not None for row in rows]
        right = flags(
            [row.claimed_right(parse) if ok and row.truth else None for row, ok in zip(rows, there, strict=True)]
        )
        iou: Column = tuple(
            _iou(row, 1.0) if ok and row.true_spans else None for row, ok in zip(rows, there, strict=True)
        )
        columns = {"IoU": iou, "acc": right}
        columns |= {f"IoU@{t}": reached(iou, t, strict=True) for t in (0.3, 0.5, 0.7)}
        figures = {"mIoU": share(iou), "Acc": share(right)}
        figures |= {name: share(column) for name, column in columns.items() if "@" in name}
        if all("response" in (row.row or {}) for row in rows):
            columns |= {
                "answer reward": tuple(float(_exact(row)) for row in rows),
                "format reward": tuple(_format(row.reply) for row in rows),
                "IoU reward": tuple(_iou(row, 0.0) if merged(row.true_spans) else None for row in rows),
            }
        return Scored(units_of(rows), columns, figures)


def _iou(row: Answered, undefined: float) -> float:
    spans = row.pairs(SPAN_PARSERS["zoom_zero"])
    if not spans or any(start > end or start < 0 for start, end in spans):
        return 0.0
    return merged_iou(spans, row.true_spans, undefined)


def _exact(row: Answered) -> bool:
    """Whether ``<answer>`` after the reasoning is the true letter and nothing else but brackets."""
    said = first_tagged(row.reply.split("</think>")[-1], "answer")
    return said is not None and said.strip().replace("(", "").replace(")", "") == row.truth


def _format(reply: str) -> float:
    """1 for reasoning with times, answer and evidence on lines of their own; 0.5 when the spans are invalid."""
    if not _FORMAT.fullmatch(reply.strip()):
        return 0.0
    return 1.0 if SPAN_PARSERS["zoom_zero"](reply, 0.0) else 0.5
