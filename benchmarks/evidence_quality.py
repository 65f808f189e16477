r"""Does evidence quality, which reads no label, rank with the true overlap?

    tevo world runs/world --size full --seed 0 --workers 2
    tevo fit --config conf/quickstart.yaml --data.root runs/world/train \
        --data.val_annotations runs/world/test/annotations.jsonl --trainer.default_root_dir runs/quality
    python benchmarks/evidence_quality.py runs/quality --world runs/world --json runs/quality.json

For the predictions of a run, judged by each of the rounds named: the mean of every term (shares), the same for spans
dealt to other questions about the same video (the bar: within 0.1 of 0), and Spearman's rank correlation with the true
IoU over questions (the bar: 0.3 or more), with a 95 % bootstrap interval over videos, and by kind of question. Round 0
is the untrained judge; the last is the one that made the predictions.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torchmetrics.functional import spearman_corrcoef

import tevo
from tevo.answer import Answerer
from tevo.heads.queries import pad_spans
from tevo.metrics.baselines import dealt_windows
from tevo.metrics.evaluation import windows_of
from tevo.metrics.evidence_quality import TERMS
from tevo.ops import set_iou

DRAWS = 1000  # of the bootstrap


def true_iou(rows: list[dict[str, Any]]) -> torch.Tensor:
    """IoU of each prediction with the truth, which stands in the same row."""
    true = [windows_of({"qid": row["qid"], "pred_relevant_windows": row["relevant_windows"]}) for row in rows]
    return set_iou(*pad_spans([windows_of(row) for row in rows]), *pad_spans(true))


def judged_terms(judge: Answerer, rows: list[dict[str, Any]], videos: Path, seed: int) -> dict[str, torch.Tensor]:
    """Every term of every prediction."""
    judged = judge.evidence_quality(rows, videos, seed=seed)
    missing = [f"{one.qid}: {one.reason}" for one in judged if one.reason]
    if missing:
        raise SystemExit(f"{len(missing)} predictions cannot be judged, first {missing[0]}")
    return {name: torch.tensor([one.terms[name] for one in judged]) for name in TERMS}


def interval(quality: torch.Tensor, iou: torch.Tensor, videos: list[str], seed: int) -> list[float]:
    """95 % of the rank correlations when videos are drawn with replacement."""
    names = sorted(set(videos))
    members = {name: [index for index, video in enumerate(videos) if video == name] for name in names}
    generator = torch.Generator().manual_seed(seed)
    draws = []
    for _ in range(DRAWS):
        drawn = torch.randint(len(names), (len(names),), generator=generator).tolist()
        index = torch.tensor([one for number in drawn for one in members[names[number]]])
        draws.append(float(spearman_corrcoef(quality[index], iou[index])))
    return torch.quantile(torch.tensor(draws), torch.tensor([0.025, 0.975])).tolist()


def measure(judge: Answerer, rows: list[dict[str, Any]], videos: Path, seed: int) -> dict[str, Any]:
    """One judge's figures."""
    iou, terms = true_iou(rows), judged_terms(judge, rows, videos, seed)
    shuffled = judged_terms(judge, dealt_windows(rows, seed), videos, seed)
    kinds = sorted({row["kind"] for row in rows})
    of_kind = {kind: torch.tensor([row["kind"] == kind for row in rows]) for kind in kinds}
    return {
        "questions": len(rows),
        "mean": {name: float(values.mean()) for name, values in terms.items()},
        "shuffled": {name: float(values.mean()) for name, values in shuffled.items()},
        "spearman": {name: float(spearman_corrcoef(terms[name], iou)) for name in TERMS if name != "localisation"},
        "spearman_interval": interval(terms["quality"], iou, [row["vid"] for row in rows], seed),
        "spearman_by_kind": {k: float(spearman_corrcoef(terms["quality"][m], iou[m])) for k, m in of_kind.items()},
    }


def show(name: str, found: dict[str, Any]) -> None:
    """The figures in lines."""
    low, high = found["spearman_interval"]
    print(f"\n{name}, {found['questions']} questions" + "".join(f"{term:>14}" for term in TERMS))
    for row in ("mean", "shuffled", "spearman"):
        print(f"{row:<28}" + "".join(f"{found[row].get(term, float('nan')):>14.3f}" for term in TERMS))
    print(f"spearman of quality {found['spearman']['quality']:.3f} [{low:.3f}, {high:.3f}]; by kind:", end=" ")
    print(", ".join(f"{kind} {value:.2f}" for kind, value in found["spearman_by_kind"].items()))
    held = found["spearman"]["quality"] >= 0.3 and abs(found["shuffled"]["quality"]) <= 0.1
    print("both bars are met" if held else "a bar is NOT met")


def main() -> None:
    """Judge the predictions of a run by some of its rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run with predictions.jsonl and hf/")
    parser.add_argument("--world", type=Path, default=Path("runs/world"), help="folder of `tevo world`")
    parser.add_argument("--split", default="test", help="whose videos the predictions are about")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of index and features")
    parser.add_argument("--rounds", type=int, nargs="+", help="judges; round 0 and the last when not given")
    parser.add_argument("--seed", type=int, default=0, help="of the random places and the dealing")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in (args.run / "predictions.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row.get("relevant_windows")]
    there = sorted(int(path.name.removeprefix("round-")) for path in (args.run / "hf").glob("round-*"))
    figures = {}
    for number in args.rounds or sorted({0, there[-1]}):
        began = time.perf_counter()
        judge = tevo.load(args.run / "hf" / f"round-{number}" / "solver", cache_dir=args.cache)
        figures[f"round {number}"] = measure(judge, rows, args.world / args.split, args.seed)
        show(f"judged by round {number}", figures[f"round {number}"])
        print(f"[{time.perf_counter() - began:.0f} s]", flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
