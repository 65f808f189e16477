"""Tables of saved cells: means over seeds, shares of the gap that is closed, ablations, rounds, signals."""

import json
from pathlib import Path
from typing import Any

from variants import ABLATIONS, CELLS

SIGNALS = ("video_dependent_share", "dependency_gap", "order_gap", "necessity", "specificity")
METRICS = ("mIoU", "acc", "acc_gqa", "acc_iou50")
SPLITS = ("test", "ood")
Cells = dict[tuple[str, int], dict[str, Any]]
"""What was saved of each (cell, seed)."""


def read_cells(folder: Path, seeds: list[int]) -> Cells:
    """Every cell that has been made."""
    paths = {(variant, seed): folder / f"{variant}-{seed}.json" for seed in seeds for variant in (*CELLS, *ABLATIONS)}
    return {place: json.loads(path.read_text()) for place, path in paths.items() if path.exists()}


def line(overall: dict[str, float]) -> str:
    """Metrics in a line."""
    return "  ".join(f"{name} {overall.get(name, float('nan')):5.1f}" for name in METRICS)


def best_supervised(cells: Cells, seed: int) -> str | None:
    """The supervised cell with the best mIoU + Acc@GQA on test: chosen in its favour."""
    names = [name for name in CELLS if name.startswith("supervised") and (name, seed) in cells]

    def score(name: str) -> float:
        overall = cells[name, seed]["scores"]["test"]["overall"]
        return float(overall["mIoU"] + overall["acc_gqa"])

    return max(names, key=score, default=None)


def collect(cells: Cells, seeds: list[int]) -> dict[str, Any]:
    """``{split: {variant: {metric: [one figure a seed]}}}``."""
    table: dict[str, Any] = {split: {} for split in SPLITS}
    for seed in seeds:
        for variant, (cell, suffix) in named_cells(cells, seeds[0]).items():
            if (cell, seed) not in cells:
                continue
            for split in SPLITS:
                overall = cells[cell, seed]["scores"][split + suffix]["overall"]
                for metric in METRICS:
                    table[split].setdefault(variant, {}).setdefault(metric, []).append(overall.get(metric))
    return table


def named_cells(cells: Cells, first: int) -> dict[str, tuple[str, str]]:
    """Which cell, and which of its scores, each variant of the table is read from."""
    named = {name: (name, "") for name in (*CELLS, *ABLATIONS) if not name.startswith("supervised")}
    named["shrunk_spans"] = ("zero_shot", "/shrunk")
    best = best_supervised(cells, first)
    return named if best is None else named | {"supervised": (best, "")}


def show_tables(table: dict[str, Any], cells: Cells, seeds: list[int]) -> None:
    """All that there is to say of the cells that were made."""
    show(table)
    show_parts(cells, seeds)
    show_ablations(cells, seeds)
    show_rounds(cells, seeds, "full")
    show_rounds(cells, seeds, "rounds_6")


def show(table: dict[str, Any]) -> None:
    """Means over seeds, and the share of the gap that is closed."""
    for split, variants in table.items():
        print(f"\n{split:16s}" + "".join(f"{metric:>12s}" for metric in METRICS))
        means = {v: {m: sum(x) / len(x) for m, x in row.items() if None not in x} for v, row in variants.items()}
        for variant, row in means.items():
            print(f"{variant:16s}" + "".join(f"{row.get(metric, float('nan')):12.1f}" for metric in METRICS))
        if {"zero_shot", "supervised", "full"} <= means.keys():
            for metric in ("mIoU", "acc_gqa"):
                low, high = means["zero_shot"][metric], means["supervised"][metric]
                for variant in ("full", "difficulty_only"):
                    if variant in means and high != low:
                        share = 100 * (means[variant][metric] - low) / (high - low)
                        print(f"  gap closed on {metric} by {variant}: {share:.0f} %")


def show_parts(cells: Cells, seeds: list[int]) -> None:
    """Mean IoU and accuracy on test by event family, question kind and span length, means over seeds."""
    named = named_cells(cells, seeds[0])
    shown = {v: named[v][0] for v in ("zero_shot", "difficulty_only", "full", "supervised") if v in named}
    for part in ("by_family", "by_kind", "by_span_length"):
        scores = {v: [cells[c, s]["scores"]["test"][part] for s in seeds if (c, s) in cells] for v, c in shown.items()}
        names = sorted({name for rows in scores.values() for row in rows for name in row})
        print(f"\n{part + ' (mIoU / acc)':28s}" + "".join(f"{variant:>18s}" for variant in shown))
        for name in names:
            print(f"{name:28s}" + "".join(f"{_cell(rows, name):>18s}" for rows in scores.values()))


def _cell(rows: list[dict[str, Any]], name: str) -> str:
    found = [[row[name].get(metric) for row in rows if name in row] for metric in ("mIoU", "acc")]
    means = [sum(x) / len(x) if x and None not in x else None for x in found]
    return " / ".join("-" if mean is None else f"{mean:.1f}" for mean in means)


def show_ablations(cells: Cells, seeds: list[int]) -> None:
    """What each ablation adds to ``full`` on test, seed by seed: the mean and the range of the differences."""
    rows = {name: [seed for seed in seeds if {(name, seed), ("full", seed)} <= cells.keys()] for name in ABLATIONS}
    if any(rows.values()):
        print(f"\n{'minus full, on test':28s}" + "".join(f"{metric:>26s}" for metric in METRICS))
    for name, paired in rows.items():
        if not paired:
            continue
        parts = []
        for metric in METRICS:
            own, full = (_of_seeds(cells, variant, paired, metric) for variant in (name, "full"))
            found = [a - b for a, b in zip(own, full, strict=True)]
            parts.append(f"{sum(found) / len(found):+.1f} ({min(found):+.1f} to {max(found):+.1f})")
        print(f"{name:28s}" + "".join(f"{part:>26s}" for part in parts))


def _of_seeds(cells: Cells, variant: str, seeds: list[int], metric: str) -> list[float]:
    return [cells[variant, seed]["scores"]["test"]["overall"][metric] for seed in seeds]


def show_rounds(cells: Cells, seeds: list[int], variant: str) -> None:
    """Round by round: the test, the pool's labels against the oracle, and what the round says of itself.

    The signals are those of the Questioner's questions about held-out videos, judged by round 0's Solver: what changes
    from round to round is the Questioner.
    """
    rows = [(seed, row) for seed in seeds for row in cells.get((variant, seed), {}).get("rounds", [])]
    if not rows:
        return
    told = ("mIoU", "acc_gqa", "answers %", "tIoU", "pool", *(name.split("_share")[0] for name in SIGNALS))
    print(f"\n{variant:18s}" + "".join(f"{name:>16s}" for name in told))
    for seed, row in rows:
        tested = [row["metrics"][f"test/{name}"] for name in ("mIoU", "acc_gqa")]
        audit = [row["pseudo_answer_accuracy"], row["pseudo_evidence_iou"], row["pool"]]
        signals = [100 * row.get("signals_frozen", {}).get(name, float("nan")) for name in SIGNALS]
        line = "".join(f"{value:16.1f}" for value in (*tested, *audit, *signals))
        print(f"seed {seed} round {row['round']:3d}  {line}")
