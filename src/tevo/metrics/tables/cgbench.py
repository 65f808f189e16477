"""CG-Bench by its own repository and by VLMEvalKit: three replies a question (long, clue, intervals).

A prediction row has ``long_acc``, ``clue_acc`` and ``miou``, each a reply; ``response`` or ``pred_answer`` stand
for ``long_acc``, ``pred_relevant_windows`` for ``miou``.
"""

import json
import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import Pair, merged_iou
from tevo.metrics.tables.base import Figure, Scored, Unit, both, groups_of, mean, reached
from tevo.prompts.replies import LETTER_PARSERS
from tevo.prompts.replies.letters import json_block

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
MINUTES = {"0 ~ 10": 10, "10 ~ 20": 20, "20 ~ 30": 30, "30 ~ 40": 40, "40 ~ 50": 50, "50 ~ 60": 60, "60+": math.inf}
"""Length of the video in minutes: name and upper end, inclusive."""
Column = tuple[float | None, ...]


def repository(rows: Sequence[Answered]) -> Scored:
    """The repository's figures: thresholds ``>=``; a reply that is not parsed is not counted.

    A ``miou`` reply without any number is an empty prediction, IoU 0; one with an odd count of them is not parsed.
    """
    iou: Column = tuple(_overlap(row, _pairs_repository) for row in rows)
    long_acc, clue_acc = _answers(rows, "long_acc"), _answers(rows, "clue_acc")
    grounded = [both(long_acc, reached(iou, threshold)) for threshold in THRESHOLDS]
    recalled = [reached(iou, threshold) for threshold in THRESHOLDS]
    columns = {"long_acc": long_acc, "clue_acc": clue_acc, "IoU": iou, "R1@0.5": reached(iou, 0.5)}
    figures = {
        "long_acc": _share(mean(long_acc)),
        "clue_acc": _share(mean(clue_acc)),
        "mIoU": _share(mean(iou)),
        "acc@iou": _share(sum(map(mean, grounded)) / len(THRESHOLDS)),
        "rec@iou": _share(sum(map(mean, recalled)) / len(THRESHOLDS)),
    }
    return Scored(_units(rows), columns, figures)


def vlmevalkit(rows: Sequence[Answered]) -> Scored:
    """VLMEvalKit's figures: thresholds strictly ``>``, four decimals at every step, and a bin of minutes.

    A reply that is not parsed leaves the mean, intervals too; intervals whose numbers are all at most 1 are
    multiplied by the length of the video.
    """
    iou: Column = tuple(_overlap(row, _pairs_vlmevalkit) for row in rows)
    columns = {"long_acc": _answers(rows, "long_acc"), "clue_acc": _answers(rows, "clue_acc"), "IoU": iou}
    columns["R1@0.5"] = reached(iou, 0.5, strict=True)
    figures = {name: _share(value) for name, value in vlmevalkit_figures(columns).items()}
    return Scored(_units(rows), columns, figures)


def vlmevalkit_figures(columns: dict[str, Column]) -> dict[str, float]:
    """The six figures over some questions; a metric with nothing to count is 0, or NaN for CRR."""
    long_acc, clue_acc, iou = columns["long_acc"], columns["clue_acc"], columns["IoU"]
    long_mean, clue_mean = mean(long_acc), mean(clue_acc)
    counted = [(a, i) for a, i in zip(long_acc, iou, strict=True) if a is not None and i is not None]
    seen = [value for value in iou if value is not None]
    grounded = [_part([right == 1 and i > t for right, i in counted]) for t in THRESHOLDS]
    recalled = [_part([i > t for i in seen]) for t in THRESHOLDS]
    return {
        "long_acc": _zero(long_mean),
        "clue_acc": _zero(clue_mean),
        "miou": _zero(mean(iou)),
        "CRR": float(np.round(min(long_mean, clue_mean) / clue_mean, 4)) if clue_mean else 0.0,
        "acc@iou": round(sum(grounded) / len(THRESHOLDS), 4),
        "rec@iou": round(sum(recalled) / len(THRESHOLDS), 4),
    }


def minutes(duration_s: float) -> str:
    """The bin of a video's length."""
    return next(name for name, upper in MINUTES.items() if duration_s / 60 <= upper)


def _part(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


def _zero(value: float) -> float:
    return 0.0 if math.isnan(value) else float(np.round(value, 4))


def _share(value: float) -> Figure:
    return Figure(value, 4, points=False)


def _units(rows: Sequence[Answered]) -> tuple[Unit, ...]:
    return tuple(Unit(row.qid, row.video, {"duration": (minutes(row.duration_s),)} | groups_of(row)) for row in rows)


def _answers(rows: Sequence[Answered], mode: str) -> Column:
    """1 and 0 for parsed replies of one mode, None for the others."""
    parse = LETTER_PARSERS["official/cgbench"]
    found: list[float | None] = []
    for row in rows:
        there = row.row or {}
        if mode in there:
            letters = parse(str(there[mode] or ""), row.options)
        else:
            letters = row.letters(parse) if mode == "long_acc" else ""
        found.append(float(row.truth in letters) if letters else None)
    return tuple(found)


def _overlap(row: Answered, pairs_of: Callable[[str, float], list[Pair] | None]) -> float | None:
    there = row.row or {}
    if not row.true_spans:
        return None
    if "miou" in there or "pred_relevant_windows" not in there:
        pairs = pairs_of(str(there.get("miou") or ""), row.duration_s)
    else:
        pairs = [(float(window[0]), float(window[1])) for window in there["pred_relevant_windows"] or ()]
    return None if pairs is None else merged_iou(pairs, row.true_spans)


_NO_JSON = object()


def _listed(reply: str) -> object:
    """``result`` of the JSON block; a mark of its own where there is no block or no such JSON."""
    try:
        return json.loads(json_block(reply))["result"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _NO_JSON


def _as_pairs(value: object) -> list[Pair] | None:
    """A list of pairs of numbers, or None."""
    if not isinstance(value, list) or not all(isinstance(item, list) and len(item) == 2 for item in value):
        return None
    if not all(isinstance(time, int | float) for item in value for time in item):
        return None
    return [(float(item[0]), float(item[1])) for item in value]


def _numbers(reply: str) -> list[float]:
    return [float(said) for said in re.findall(r"-?\d+\.?\d*", reply)]


def _pairs_repository(reply: str, duration_s: float) -> list[Pair] | None:
    if not reply:
        return None
    value = _listed(reply)
    pairs = _as_pairs(value if value else [])  # null, 0 and {} are an empty prediction there
    if pairs is not None:
        return pairs
    numbers = _numbers(reply)
    return None if len(numbers) % 2 else list(zip(numbers[::2], numbers[1::2], strict=True))


def _pairs_vlmevalkit(reply: str, duration_s: float) -> list[Pair] | None:
    value = _listed(reply)
    if value is not _NO_JSON and not isinstance(value, list):
        return None
    pairs = _as_pairs([value] if isinstance(value, list) and value and not isinstance(value[0], list) else value)
    if pairs:
        if all(start <= 1 and end <= 1 for start, end in pairs):
            pairs = [(start * duration_s, end * duration_s) for start, end in pairs]
        return pairs
    numbers = _numbers(reply)
    return list(zip(numbers[::2], numbers[1::2], strict=False)) if len(numbers) > 1 else None
