"""The main table: does co-evolution without labels close the gap from zero-shot to supervised?

    tevo world runs/world --size full --seed 0 --workers 2
    python benchmarks/coevolution.py --backbone clip_tiny --seeds 0 1 2 --json runs/table_clip.json --resume

Every cell (variant, seed) is saved as it ends, under ``JSON.cells/``; ``--resume`` makes only those that are missing.
``OUT.json`` holds ``{split: {variant: {metric: [one figure a seed]}}}``. Figures are points (0-100).

Variants: ``text_only`` and ``one_frame`` are *supervised* heads that must stay near chance (no shortcut in the world);
``centre_prior``, ``random_span`` and ``whole_video`` answer nothing; ``zero_shot`` takes the best of three span
decodings in its own favour; ``shrunk_spans`` scales its spans by the factor best for its Acc@GQA; ``difficulty_only``
is the same loop and the same updates with learnability and answer reward alone; ``full`` is tevo; ``supervised`` is the
best of cross-entropy and GRPO over three learning rates on the true labels of the same videos (which of the six is best
is found on the first seed, by mIoU + Acc@GQA on test, and made on the others).

    python benchmarks/coevolution.py --seeds 0 1 2 --json runs/table_clip.json --resume --cells full ablations

Ablations (``variants.py``) change one part of ``full`` each; their table says by how much they differ from it.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from controls import one_frame_rows, prior_rows, text_only_rows
from runs import Bench, audit_rounds, fit_run, supervised_rows, zero_shot_rows
from variants import ABLATIONS

from tevo.metrics.evaluation import evaluate_rows, shrunk_control

METRICS = ("mIoU", "acc", "acc_gqa", "acc_iou50")
SPLITS = ("test", "ood")
SUPERVISED = tuple((objective, lr) for objective in ("cross_entropy", "grpo") for lr in (1e-3, 2e-3, 4e-3))
PRIORS = ("centre_prior", "random_span", "whole_video")
SEEDLESS = ("centre_prior", "whole_video", "zero_shot")  # nothing in them is drawn: made once
CELLS = (
    *PRIORS, "zero_shot", "text_only", "one_frame", "difficulty_only", "full",
    *(f"supervised-{objective}-{lr:g}" for objective, lr in SUPERVISED),
)  # fmt: skip


def make_cell(bench: Bench, variant: str, seed: int) -> dict[str, Any]:
    """Rows of predictions for every split, and what else the variant has to tell."""
    extra: dict[str, Any] = {}
    if variant in PRIORS:
        rows = {split: prior_rows(bench, split, variant, seed) for split in SPLITS}
    elif variant == "zero_shot":
        rows, extra = zero_shot_rows(bench, SPLITS)
    elif variant == "text_only":
        rows = text_only_rows(bench, SPLITS, seed)
    elif variant == "one_frame":
        rows = one_frame_rows(bench, SPLITS, seed)
    elif variant.startswith("supervised"):
        _, objective, lr = variant.split("-", 2)
        rows = supervised_rows(bench, SPLITS, objective, float(lr), seed)
    else:
        folder = fit_run(bench, variant, seed)
        rows, extra = bench.answers_of(folder, SPLITS), {"rounds": audit_rounds(bench, folder)}
    return {"rows": rows, **extra}


def save_cell(path: Path, bench: Bench, variant: str, seed: int) -> None:
    """Make one cell, score it, and write it in one step."""
    began = time.perf_counter()
    made = make_cell(bench, variant, seed)
    scores = {split: dict(evaluate_rows(made["rows"][split], bench.questions(split))) for split in SPLITS}
    if variant == "zero_shot":
        scores |= {
            f"{split}/shrunk": dict(shrunk_control(made["rows"][split], bench.questions(split))[1]) for split in SPLITS
        }
    cell = {
        "seconds": round(time.perf_counter() - began, 1),
        "scores": scores,
        **{k: v for k, v in made.items() if k != "rows"},
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(cell))
    part.replace(path)
    print(f"{variant:28s} seed {seed}: {line(scores['test']['overall'])}  [{cell['seconds']:.0f} s]", flush=True)


def line(overall: dict[str, float]) -> str:
    """Metrics in a line."""
    return "  ".join(f"{name} {overall.get(name, float('nan')):5.1f}" for name in METRICS)


def best_supervised(cells: dict[tuple[str, int], dict[str, Any]], seed: int) -> str | None:
    """The supervised cell with the best mIoU + Acc@GQA on test: chosen in its favour."""
    names = [name for name in CELLS if name.startswith("supervised") and (name, seed) in cells]

    def score(name: str) -> float:
        overall = cells[name, seed]["scores"]["test"]["overall"]
        return float(overall["mIoU"] + overall["acc_gqa"])

    return max(names, key=score, default=None)


def collect(cells: dict[tuple[str, int], dict[str, Any]], seeds: list[int]) -> dict[str, Any]:
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


def named_cells(cells: dict[tuple[str, int], dict[str, Any]], first: int) -> dict[str, tuple[str, str]]:
    """Which cell, and which of its scores, each variant of the table is read from."""
    named = {name: (name, "") for name in (*CELLS, *ABLATIONS) if not name.startswith("supervised")}
    named["shrunk_spans"] = ("zero_shot", "/shrunk")
    best = best_supervised(cells, first)
    return named if best is None else named | {"supervised": (best, "")}


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


def show_parts(cells: dict[tuple[str, int], dict[str, Any]], seeds: list[int]) -> None:
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


def show_ablations(cells: dict[tuple[str, int], dict[str, Any]], seeds: list[int]) -> None:
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


def _of_seeds(cells: dict[tuple[str, int], dict[str, Any]], variant: str, seeds: list[int], metric: str) -> list[float]:
    return [cells[variant, seed]["scores"]["test"]["overall"][metric] for seed in seeds]


def show_rounds(cells: dict[tuple[str, int], dict[str, Any]], seeds: list[int]) -> None:
    """Round by round: the test, and the pool's labels against the oracle."""
    print("\nfull, by seed and round: test mIoU, acc_gqa; pseudo-answers right, tIoU of pseudo-evidence, questions")
    for seed in seeds:
        for row in cells.get(("full", seed), {}).get("rounds", []):
            metrics, pool = row["metrics"], f"{row['pool']:6d}"
            audit = f"{row['pseudo_answer_accuracy']:5.1f} {row['pseudo_evidence_iou']:5.1f} {pool}"
            tested = f"{metrics['test/mIoU']:5.1f} {metrics['test/acc_gqa']:5.1f}"
            print(f"  seed {seed} round {row['round']}: {tested}   {audit}")


def main() -> None:
    """Make the cells that are asked for, then the table of all there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="clip_tiny")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path, required=True, help="the table to write")
    parser.add_argument("--resume", action="store_true", help="keep the cells that are there")
    parser.add_argument("--world", type=Path, default=Path("runs/world"), help="folder of `tevo world`")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/cache"), help="folder of the index and of the features"
    )
    parser.add_argument(
        "--cells", nargs="+", default=list(CELLS), choices=[*CELLS, *ABLATIONS, "ablations"],
        help="variants to make; ablations: all of them", metavar="CELL",
    )  # fmt: skip
    args = parser.parse_args()
    wanted = [name for cell in args.cells for name in (ABLATIONS if cell == "ablations" else [cell])]
    torch.set_num_threads(1)
    folder = args.json.with_suffix(".cells")
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(args.backbone, args.world, args.cache, folder)
    for variant, seed in ((variant, seed) for seed in args.seeds for variant in wanted):
        path = folder / f"{variant}-{seed}.json"
        first = folder / f"{variant}-{args.seeds[0]}.json"
        if variant in SEEDLESS and first != path and first.exists():
            path.write_bytes(first.read_bytes())
            continue
        best = best_supervised(read_cells(folder, args.seeds[:1]), args.seeds[0])
        settled = seed != args.seeds[0] and variant.startswith("supervised") and variant != best
        if not settled and not (args.resume and path.exists()):
            save_cell(path, bench, variant, seed)
    cells = read_cells(folder, args.seeds)
    table = collect(cells, args.seeds)
    args.json.write_text(json.dumps(table, indent=1))
    show(table)
    show_parts(cells, args.seeds)
    show_ablations(cells, args.seeds)
    show_rounds(cells, args.seeds)


def read_cells(folder: Path, seeds: list[int]) -> dict[tuple[str, int], dict[str, Any]]:
    """Every cell that has been made."""
    paths = {(variant, seed): folder / f"{variant}-{seed}.json" for seed in seeds for variant in (*CELLS, *ABLATIONS)}
    return {place: json.loads(path.read_text()) for place, path in paths.items() if path.exists()}


if __name__ == "__main__":
    main()
