"""What one GRPO step costs on a tiny Qwen-VL with many video tokens: tevo beside TRL, on one CPU thread.

    pip install 'tevo[bench]'
    python benchmarks/grpo_step.py --json grpo_step.json

The same random weights (their hash is in every row), the same frames (16 of 224 px), G completions of exactly C tokens,
one group a step, float32, AdamW, beta 0, the vision tower frozen unless said. Seconds are process time of a step, the
median, the first one dropped; every row is a process of its own, one after the other. TRL 1.16 reads frames as images
only: one line with as many frames, one with as many tokens (a video token stands for two frames). It is not made for
video.

The floor is ``(P + G C) + 3 (P + G C)`` token-forwards of the language model: four times its unit, one batched forward
pass of as many tokens without gradients, taken after every step of ``tevo_cached``. ``memory_ratio``: growth of the
peak above what was resident at step 1.
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
    qwen3 = {"family": "qwen3_vl"}
    return {
        "tevo_cached": tevo | {"cached": True, "floor": True},
        "tevo": tevo,
        "trl_frame_matched": trl,
        "trl_token_matched": trl | {"frames": FRAMES // 2},
        **{f"tevo_cached_g{g}": tevo | {"group": g, "cached": True} for g in (4, 16)},
        "equality": base | {"row": "equality"},
        "equality_qwen3": base | {"row": "equality"} | qwen3,
        **{
            f"equality_trained_{name}": base | {"row": "equality", "trained": f"{name}_tiny", "max_tokens": 512}
            for name in ("qwen2_5_vl", "qwen3_vl")
        },
        "tevo_train_vision": tevo | {"train_vision": True},
        "tevo_qwen3": tevo | qwen3,
        "tevo_qwen3_cached": tevo | qwen3 | {"cached": True, "floor": True},
        "trl_qwen3_frame_matched": trl | qwen3,
        "tevo_64_frames": tevo | {"frames": 4 * FRAMES},
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

    def ratio(name: str, above: str, below: str, key: str = "seconds") -> None:
        if key in rows.get(above, {}) and key in rows.get(below, {}):
            found[name] = round(rows[above][key] / rows[below][key], 3)

    ratio("speedup_frame_matched", "trl_frame_matched", "tevo")
    ratio("speedup_token_matched", "trl_token_matched", "tevo")
    ratio("speedup_frame_matched_cached", "trl_frame_matched", "tevo_cached")
    ratio("speedup_token_matched_cached", "trl_token_matched", "tevo_cached")
    ratio("speedup_frame_matched_qwen3", "trl_qwen3_frame_matched", "tevo_qwen3")
    ratio("memory_ratio", "tevo", "trl_frame_matched", "growth_mb")
    ratio("memory_ratio_token_matched", "tevo", "trl_token_matched", "growth_mb")
    for name, row in (("floor_ratio", "tevo_cached"), ("floor_ratio_qwen3", "tevo_qwen3_cached")):
        if "unit_seconds" in rows.get(row, {}):
            found[name] = round(rows[row]["seconds"] / (4 * rows[row]["unit_seconds"]), 3)
    ratio("scaling_16_over_4", "tevo_cached_g16", "tevo_cached_g4")
    for key in ("max_dlogp", "rel_dgrad"):
        values = [row[key] for name, row in rows.items() if name.startswith("equality") and key in row]
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
            if args.json:  # after every row: what is there stays if the run is stopped
                args.json.write_text(json.dumps(summary(rows) | {"rows": rows}, indent=2) + "\n")
    print(json.dumps(summary(rows), indent=2))


if __name__ == "__main__":
    main()
