"""What one GRPO step costs on a tiny Qwen-VL with many video tokens: tevo beside TRL, on one CPU thread.

    pip install 'tevo[bench]'
    python benchmarks/grpo_step.py --json grpo_step.json

The same random weights (their hash is in every row), the same frames (16 of 224 px), G completions of exactly C tokens,
one group a step, float32, AdamW, beta 0, the vision tower frozen unless said. Seconds are process time of a step, the
median, the first one dropped; every row is a process of its own, one after the other. TRL 1.16 reads frames as images
only: one line with as many frames, one with as many tokens (a video token stands for two frames). It is not made for
video.

``floor``: ``(P + G C) + 3 (P + G C)`` token-forwards of the language model, whose unit is one batched forward pass of
as many tokens without gradients, in this run. ``memory_ratio``: growth of the peak above what was resident at step 1.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__)
FRAMES, GROUP, TOKENS = 16, 8, 64


def specs(steps: int) -> dict[str, dict[str, Any]]:
    """Every row's settings by its name."""
    base = {"family": "qwen2_5_vl", "frames": FRAMES, "group": GROUP, "tokens": TOKENS, "steps": steps}
    tevo, trl = base | {"row": "tevo"}, base | {"row": "trl"}
    made = {
        "equality": base | {"row": "equality"},
        "equality_qwen3": base | {"row": "equality", "family": "qwen3_vl"},
        "tevo": tevo,
        "tevo_cached": tevo | {"cached": True},
        "tevo_train_vision": tevo | {"train_vision": True},
        "tevo_qwen3": tevo | {"family": "qwen3_vl"},
        "floor": base | {"row": "floor"},
        **{f"tevo_cached_g{g}": tevo | {"group": g, "cached": True} for g in (4, 16)},
        "tevo_64_frames": tevo | {"frames": 4 * FRAMES},
    }
    return made | {
        "trl_frame_matched": trl,
        "trl_token_matched": trl | {"frames": FRAMES // 2},
        "trl_qwen3_frame_matched": trl | {"family": "qwen3_vl"},
    }


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Run a row in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE), "--row", json.dumps(spec)], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"failed": done.stderr.strip().splitlines()[-1:] or ["no result"]}
    return dict(json.loads(lines[-1]))


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The figures asked for; those whose rows failed are left out."""
    found = {}

    def ratio(name: str, above: str, below: str, key: str = "seconds", times: float = 1.0) -> None:
        if key in rows.get(above, {}) and key in rows.get(below, {}):
            found[name] = round(times * rows[above][key] / rows[below][key], 3)

    ratio("speedup_frame_matched", "trl_frame_matched", "tevo")
    ratio("speedup_token_matched", "trl_token_matched", "tevo")
    ratio("speedup_frame_matched_cached", "trl_frame_matched", "tevo_cached")
    ratio("speedup_token_matched_cached", "trl_token_matched", "tevo_cached")
    ratio("speedup_frame_matched_qwen3", "trl_qwen3_frame_matched", "tevo_qwen3")
    ratio("memory_ratio", "tevo", "trl_frame_matched", "growth_mb")
    ratio("memory_ratio_token_matched", "tevo", "trl_token_matched", "growth_mb")
    ratio("floor_ratio", "tevo_cached", "floor", times=1 / 4)
    ratio("scaling_16_over_4", "tevo_cached_g16", "tevo_cached_g4")
    for key in ("max_dlogp", "rel_dgrad"):
        values = [rows[name][key] for name in ("equality", "equality_qwen3") if key in rows.get(name, {})]
        if values:
            found[key] = max(values)
    return found


def main() -> None:
    """Parse the command line; run all rows, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where the result goes")
    parser.add_argument("--steps", type=int, default=6, help="steps a row; the first one is dropped")
    parser.add_argument("--only", nargs="*", help="names of rows")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        import torch
        from grpo_rows import ROWS

        torch.set_num_threads(1)
        spec = json.loads(args.row)
        print(json.dumps(ROWS[spec["row"]](spec)))
        return
    rows: dict[str, dict[str, Any]] = {}
    for name, spec in specs(args.steps).items():
        if args.only is None or name in args.only:
            rows[name] = spec | measure(spec)
            print(name, {k: v for k, v in rows[name].items() if k not in spec}, flush=True)
    result = summary(rows) | {"rows": rows}
    print(json.dumps(summary(rows), indent=2))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
