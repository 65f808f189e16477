"""Names of the figures as people read them, and the rounds table as text."""

import math
from collections.abc import Iterable, Mapping, Sequence

from tevo.metrics.results import RunResults, Signals

METRIC_NAMES = {
    "mIoU": "mIoU",
    "R1@0.3": "R@1 0.3",
    "R1@0.5": "R@1 0.5",
    "R1@0.7": "R@1 0.7",
    "acc": "Accuracy",
    "acc_gqa": "Acc@GQA",
    "acc_iou50": "Right, IoU ≥ .5",
}
SHORT_NAMES = {  # of the text table: a round fits 80 columns
    "R1@0.3": "R1@.3",
    "R1@0.5": "R1@.5",
    "R1@0.7": "R1@.7",
    "acc": "Acc",
    "acc_iou50": "Acc@IoU.5",
    "video_dependent_share": "with video",
    "dependency_gap": "dependency",
    "order_gap": "order",
    "necessity": "necessity",
    "specificity": "specificity",
}
CONTROL_NAMES = {
    "shrunk_spans": "shrunk spans",
    "centre_prior": "centre prior",
    "random_span": "random span",
    "whole_video": "whole video",
    "text_only": "text only",
    "one_frame": "one frame",
}
SIGNAL_NAMES = {
    "video_dependent_share": "Video-dependent",
    "dependency_gap": "Dependency gap",
    "order_gap": "Order gap",
    "necessity": "Necessity",
    "specificity": "Specificity",
    "parse_failure_rate": "Parse failures",
    "zero_variance_share": "Zero variance",
    "diversity": "Diversity",
}


def splits(results: RunResults) -> list[str]:
    """Labelled sets in the order they were measured, e.g. ``["test"]``; ``""`` for names without one."""
    return list(dict.fromkeys(key.rpartition("/")[0] for entry in results.rounds for key in entry.metrics))


def control_label(name: str, row: Mapping[str, float]) -> str:
    """A control as people read it, with the factor it was scaled by where it has one."""
    factor = f" × {row['factor']:g}" if "factor" in row else ""
    return CONTROL_NAMES.get(name, name.replace("_", " ")) + factor


def of_split(metrics: Mapping[str, float], split: str) -> dict[str, float]:
    """Figures of one labelled set, by bare name."""
    found = {key.rpartition("/")[2]: value for key, value in metrics.items() if key.rpartition("/")[0] == split}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def metric_columns(rows: Iterable[Mapping[str, float]]) -> list[str]:
    """Names that occur, the known ones first in their usual order."""
    seen = dict.fromkeys(name for row in rows for name in row)
    return [name for name in METRIC_NAMES if name in seen] + [name for name in seen if name not in METRIC_NAMES]


def signal(signals: Signals, name: str) -> float | None:
    """A share or score difference of a round in points (0..100), None where it was not measured."""
    value = signals.get(name)
    return 100 * float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def rounds_table(results: RunResults) -> str:
    """The end of a fit as text: metrics of every round beside zero-shot and the controls, then the signals.

    Figures are points (0..100); a figure that was not measured is a dash.
    """
    blocks = [_metrics_block(results, split) for split in splits(results)]
    if any(entry.signals for entry in results.rounds):
        blocks.append(_signals_block(results))
    return "\n\n".join(blocks) if blocks else "no round was measured"


def round_label(number: int, best: int | None) -> str:
    """``0 zero-shot``, ``2 best``."""
    marks = [mark for mark, applies in (("zero-shot", number == 0), ("best", number == best)) if applies]
    return " ".join([str(number), *marks])


def _metrics_block(results: RunResults, split: str) -> str:
    rows = [(round_label(r.round, results.best_round), of_split(r.metrics, split)) for r in results.rounds]
    rows += [(control_label(name, row), of_split(row, split)) for name, row in results.controls.items()]
    columns = metric_columns(row for _, row in rows)
    heads = [SHORT_NAMES.get(name, METRIC_NAMES.get(name, name)) for name in columns]
    body = [[label, *(_figure(row.get(name)) for name in columns)] for label, row in rows if row]
    title = f"{split or 'metrics'}, points, protocol {results.spec.get('protocol', 'not named')}"
    return f"{title}\n{aligned([['round', *heads], *body])}"


def _signals_block(results: RunResults) -> str:
    measured = {name for r in results.rounds for name in r.signals}
    names = [name for name in SIGNAL_NAMES if name in measured and name in SHORT_NAMES]
    body = [
        [
            round_label(r.round, results.best_round),
            *(_figure(signal(r.signals, name)) for name in names),
            f"{r.signals['kept']}/{r.signals.get('asked', '-')}" if "kept" in r.signals else "-",
        ]
        for r in results.rounds
        if r.signals
    ]
    heads = ["round", *(SHORT_NAMES[name] for name in names), "kept/asked"]
    return f"signals without labels, points\n{aligned([heads, *body])}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest cell, the first to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
