"""Vectors of spans: overlap of pairs and sets, rewards, and tables of single moments."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import best_per_truth, hull_iou, lita_iou, merged_iou, nextgqa_overlap
from tevo.metrics.tables import moments
from tevo.metrics.tables.onethinker import onethinker
from tevo.metrics.tables.zoom_zero import ZoomZero
from tevo.prompts.replies import SPAN_PARSERS, times
from vector_checks.parsing import known, note
from vector_checks.vector import Compared, Outcome, Vector, number_or_nan


def or_nan(pred: tuple[float, float], true: tuple[float, float]) -> float:
    return hull_iou(pred, true, undefined=math.nan)


PAIRS = {
    "timechat": or_nan,
    "time_r1": or_nan,
    "2dtan": or_nan,
    "onethinker": hull_iou,
    "lmms": hull_iou,
    "lita": lita_iou,
    "vstar": hull_iou,
}


def pair_cases(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """IoU of two spans; where the oracle raised or gave no number, ours is NaN."""
    for case in vector.expected["cases"]:
        for column, theirs in case.items():
            iou = known(PAIRS, column)
            if column not in ("gt", "pred") and iou is None:
                note(outcome, column)
            elif iou is not None:
                ours = iou(tuple(case["pred"]), tuple(case["gt"]))
                yield Compared(f"{column} of {case['pred']}, {case['gt']}", ours, number_or_nan(theirs))


def nextgqa_cases(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """IoU and IoP of NExT-GQA's scorer, signed."""
    for case in vector.expected:
        ours = nextgqa_overlap(case["pred"], tuple(case["gt"]))
        for name, value in zip(("IoU", "IoP"), ours, strict=True):
            yield Compared(f"{name} of {case['pred']}, {case['gt']}", value, case[name])


def set_cases(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """IoU of two sets of spans."""
    for case in vector.expected:
        pred, true = ([tuple(span) for span in case[side]] for side in ("pred", "gt"))
        mean, peak = best_per_truth(pred, true)
        ours = {"videozero mIoU": mean} | {f"videozero R@{t}": float(peak >= t) for t in (0.3, 0.5, 0.7)}
        ours |= {
            "cgbench_official_intervals_iou": merged_iou(pred, true),
            "zoomzero_compute_iou": merged_iou(pred, true, undefined=1.0),
        }
        theirs = {f"videozero {name}": value for name, value in case["videozero"].items()}
        theirs |= {name: value for name, value in case.items() if name not in ("pred", "gt", "videozero")}
        for name, value in theirs.items():
            if name in ours:
                yield Compared(f"{name} of {pred}, {true}", ours[name], number_or_nan(value))
            else:
                note(outcome, name)


def zoom_zero(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Zoom-Zero's evaluation and its rewards on whole replies."""
    for case in vector.expected:
        true = tuple(tuple(span) for span in case["gt_glue"])
        row = Answered("q", truth=case["gt_answer"], true_spans=true, row={"response": case["text"]})
        columns = ZoomZero("zoom_zero/nextgqa")([row]).columns
        ours = {"eval_acc": "acc", "eval_iou": "IoU", "reward_answer": "answer reward"}
        ours |= {"reward_format": "format reward", "reward_iou": "IoU reward"}
        for name, value in case.items():
            if name in ours:
                yield Compared(f"{name} of {case['text']!r}", columns[ours[name]][0], value)
            elif name.startswith(("eval", "reward")):
                note(outcome, name)


def boundary(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Recalls where IoUs lie on the thresholds."""
    given = vector.expected
    rows = list(zip(given["gt"], given["pred"], strict=True))
    yield from tables(given, rows, outcome)


def charades(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Tables of single moments."""
    pred = vector.pred
    yield from tables(vector.expected, [(row["gt"], pred.get(key)) for key, row in vector.gt.items()], outcome)


def sentence(span: Any) -> str:
    """How a model says a span to lmms-eval."""
    return f"The event happens in the {span[0]} - {span[1]} seconds." if span else "I do not know."


def tables(given: dict[str, Any], pairs: list[tuple[Any, Any]], outcome: Outcome) -> Iterator[Compared]:
    """Every oracle's table over the same spans."""
    structured = [_row(key, gt, {"pred_relevant_windows": [p] if p else []}) for key, (gt, p) in enumerate(pairs)]
    spoken = [_row(key, gt, {"response": sentence(p)}) for key, (gt, p) in enumerate(pairs)]
    oracles: dict[str, Callable[[], dict[str, float]]] = {
        "timechat": lambda: _names(moments.TIMECHAT(structured).values(), "R1@", "IOU "),
        "time_r1": lambda: _names(moments.TIME_R1(structured).values(), "R1@", ""),
        "onethinker": lambda: onethinker(structured).values(),
        "lmms_eval_charades": lambda: moments.LMMS_CHARADES(spoken).values(),
        "lmms_charades": lambda: moments.LMMS_CHARADES(spoken).values(),
        "lmms_eval_extremewhenbench": lambda: moments.LMMS_EXTREMEWHENBENCH(spoken).values(),
    }
    for column, theirs in given.items():
        table = known(oracles, column)
        if table is None:
            if column not in ("n", "gt", "pred", "note"):
                note(outcome, column)
            continue
        ours = table()
        if isinstance(theirs, str):  # what the scorer printed
            found = re.findall(r"^(IOU [\d.]+): ([\d.]+)$", theirs, re.MULTILINE)
            theirs = {name: float(value) for name, value in found}
        for name, value in theirs.items():
            yield Compared(f"{column} {name}", ours.get(name), value)


def _names(table: dict[str, float], old: str, new: str) -> dict[str, float]:
    return {name.replace(old, new): value for name, value in table.items()}


def _row(key: int, gt: list[float], row: dict[str, Any]) -> Answered:
    return Answered(str(key), true_spans=((gt[0], gt[1]),), row=row)


def anet_rtl(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """LITA: spans out of text, IoU a row, and means over videos."""
    given, rows = vector.expected, []
    for number, case in enumerate(given["rows"]):
        span = times.lita(case["output"], case["duration"])[0]
        row, true = {"response": case["output"]}, (tuple(case["gt"]),)
        rows.append(Answered(str(number), str(case["vid"]), true_spans=true, duration_s=case["duration"], row=row))
        yield Compared(f"row {number} span", list(span), case["pred"])
    scored = moments.lita(rows)
    for number, (iou, case) in enumerate(zip(scored.columns["IoU"], given["rows"], strict=True)):
        yield Compared(f"row {number} IoU", iou, case["iou"])
    for name, value in scored.values().items():
        yield Compared(name, value, given[name])


def vstar(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """V-STaR's temporal part and its joint figures."""
    given = vector.expected
    rows = []
    for number, case in enumerate(given["rows"]):
        row = {"pred_relevant_windows": SPAN_PARSERS["official/vstar"](case["pred"], 0.0)}
        rows.append(_row(number, case["gt"], row))
    scored = moments.VSTAR(rows)
    for number, (ours, theirs) in enumerate(zip(scored.columns["IoU"], given["tiou"], strict=True)):
        yield Compared(f"row {number} IoU", ours, theirs)
    for name, value in scored.values().items():
        yield Compared(name, value, given[name])
    am_key = next(key for key in given if key.startswith("AM("))
    accuracy, spatial = (float(value) for value in re.findall(r"=([\d.]+)", am_key))
    joint = moments.arithmetic_and_geometric(accuracy, scored.values()["m_tIoU"], spatial)
    for name, value in zip((am_key, "LGM"), joint, strict=True):
        yield Compared(name, value, number_or_nan(given[name]))
