r"""The main table: does co-evolution without labels close the gap from zero-shot to supervised?

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

    python benchmarks/coevolution.py --seeds 0 1 2 --videos 400 --json runs/ablations.json --resume \
        --cells full ablations

Ablations (``variants.py``) change one part of ``full`` each; their table says by how much they differ from it. A run of
six rounds tells of every shorter one: no round looks at how many come after it.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from audits import audit_rounds
from controls import one_frame_rows, prior_rows, text_only_rows
from runs import Bench, fit_run, supervised_rows, zero_shot_rows
from tables import SPLITS, best_supervised, collect, line, read_cells, show_tables
from variants import ABLATIONS, CELLS, PRIORS, SEEDLESS

from tevo.metrics.evaluation import evaluate_rows, shrunk_control


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
        rows, extra = bench.answers_of(folder, SPLITS), {"rounds": audit_rounds(bench.world, folder)}
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
    parser.add_argument("--videos", type=int, help="of train/ to learn from; all when not given")
    parser.add_argument(
        "--cells", nargs="+", default=list(CELLS), choices=[*CELLS, *ABLATIONS, "ablations"],
        help="variants to make; ablations: all of them", metavar="CELL",
    )  # fmt: skip
    args = parser.parse_args()
    wanted = [name for cell in args.cells for name in (ABLATIONS if cell == "ablations" else [cell])]
    torch.set_num_threads(1)
    folder = args.json.with_suffix(".cells")
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(args.backbone, args.world, args.cache, folder, args.videos)
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
    show_tables(table, cells, args.seeds)


if __name__ == "__main__":
    main()
