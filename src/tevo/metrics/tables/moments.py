"""One moment a query: Charades-STA, ActivityNet Captions, TVGBench, ANet-RTL, V-STaR (its temporal part)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import PairIoU, hull_iou, lita_iou
from tevo.metrics.tables.base import Figure, Scored, by_group, mean, reached, units_of
from tevo.prompts.replies import SPAN_PARSERS

THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class Moments:
    """How a scorer of single moments differs from the next. The first predicted span is the prediction.

    Attributes:
        spans: which span parser reads replies.
        iou: overlap of two spans.
        strict: whether an IoU on the threshold is a miss.
        scale: 100 for points, 1 for shares.
        names: how the mean and the recalls are called.
        tenths: whether a recall is named by tenths ("IOU@3").
        average: adds the mean of mIoU and the recalls (Time-R1).
        failures: adds the share of replies without a span (ExtremeWhenBench).
    """

    spans: str
    iou: PairIoU = hull_iou
    strict: bool = False
    scale: float = 100.0
    names: tuple[str, str] = ("mIoU", "R1@")
    tenths: bool = False
    average: bool = False
    failures: bool = False

    def __call__(self, rows: Sequence[Answered]) -> Scored:
        """The table; a missing prediction is IoU 0, and a row without annotated span is left out."""
        parse = SPAN_PARSERS[self.spans]
        predicted = [row.pairs(parse) for row in rows]
        ious: list[float | None] = []
        for row, spans in zip(rows, predicted, strict=True):
            best = max((self.iou(spans[0], true) for true in row.true_spans), default=None) if spans else 0.0
            ious.append(best if row.true_spans else None)
        columns = {"IoU": tuple(ious)}
        figures = {self.names[0]: self._figure(ious)}
        for threshold in THRESHOLDS:
            name = f"{self.names[1]}{int(10 * threshold) if self.tenths else threshold}"
            columns[f"R1@{threshold}"] = reached(ious, threshold, self.strict)
            figures[name] = self._figure(columns[f"R1@{threshold}"])
        if self.average:
            figures["avg"] = Figure(sum(figure.value for figure in figures.values()) / len(figures))
        if self.failures:
            figures["parse_fail"] = self._figure([float(not spans) for spans in predicted])
        return Scored(units_of(rows), columns, figures)

    def _figure(self, values: Sequence[float | None]) -> Figure:
        return Figure(self.scale * mean(values), 2 if self.scale == 100 else 4, self.scale == 100)


TIMECHAT = Moments("tevo", iou=lambda pred, true: hull_iou(pred, true, undefined=math.nan))
TIME_R1 = Moments("official/time_r1", TIMECHAT.iou, strict=True, average=True)
ONETHINKER = Moments("onethinker", scale=1.0, names=("mean tIoU", "R@"))
LMMS_CHARADES = Moments("lmms_eval/charades_sta", names=("mIOU", "IOU@"), tenths=True)
LMMS_TIMELENS = Moments("lmms_eval/timelens", names=("mIOU", "IOU@"), tenths=True)
LMMS_EXTREMEWHENBENCH = Moments("lmms_eval/extremewhenbench", scale=1.0, names=("mIoU", "R@"), failures=True)
VSTAR = Moments("official/vstar", scale=1.0, names=("m_tIoU", "R1@"))


def lita(rows: Sequence[Answered]) -> Scored:
    """ANet-RTL by LITA: IoU and P@0.5 are means inside each video first, then over videos."""
    parse = SPAN_PARSERS["official/anet_rtl"]
    ious = []
    for row in rows:
        spans = row.pairs(parse) or [(0.0, row.duration_s)]  # no answer at all is the whole video, as no times are
        ious.append(lita_iou(_inside(spans[0], row.duration_s), row.true_spans[0]) if row.true_spans else None)
    columns = {"IoU": tuple(ious), "P@0.5": reached(ious, 0.5)}
    units = units_of(rows)
    return Scored(units, columns, {"mIoU": over_videos(rows, ious), "P@0.5": over_videos(rows, columns["P@0.5"])})


def _inside(span: tuple[float, float], duration_s: float) -> tuple[float, float]:
    start, end = sorted(min(max(time, 0.0), duration_s) for time in span)
    return start, end


def over_videos(rows: Sequence[Answered], values: Sequence[float | None]) -> Figure:
    """Mean over videos of the means inside each, as a share."""
    videos = [unit for unit in units_of(rows)]
    labelled = [type(unit)(unit.qid, unit.video, {"video": (unit.video,)}) for unit in videos]
    means = [value for value in by_group(values, labelled, "video").values() if not math.isnan(value)]
    return Figure(mean(means), 4, points=False)


def arithmetic_and_geometric(accuracy: float, temporal: float, spatial: float) -> tuple[float, float]:
    """V-STaR's joint figures of three shares: AM, their mean, and LGM = -sum ln(1 - x) / 3, infinite at 1."""
    shares = (accuracy, temporal, spatial)
    logarithms = [math.inf if share >= 1 else -math.log(1 - share) for share in shares]
    return sum(shares) / 3, sum(logarithms) / 3
