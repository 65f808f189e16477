"""Do the encoders of full size go through a whole round on a CPU, and in how much memory?

    tevo world runs/world-small --size small
    python benchmarks/full_size.py --videos runs/world-small/train --json runs/full_size.json

Each of ``conf/full/``'s encoders in a process of its own, through ``tevo fit`` as a user would run it: one round, one
step of each kind, then a question about a video that it has not met, asked of the Solver that the round left. Weights
are random (``pretrained: false``), so nothing is fetched and nothing is found: windows are drawn at random and names
are not asked to be sure. Layers, widths, picture sizes and all other settings are the config's; fewer are the videos
(``--number``), the frames of each (``--frames``) and the clauses of the phrase bank (``--clauses``), for time alone:
texts go through a tower one by one on a CPU, and 64 frames fill a chunk of every tower.

Seconds are processor time of the process, all its threads. The peak is of the memory resident in the phase (Linux;
elsewhere of the process so far); the processes that probe the files are not in it, they hold no torch. Words after
``--`` are options of ``tevo fit``, e.g. ``-- --model.solver.tower.trainable lora``.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BACKBONES = ("clip_vit_b32", "videomae_base", "internvid_b16")
BAR_GB = 12.0


def rows_of(backbone: str, words: list[str]) -> list[dict[str, Any]]:
    """The phases of one backbone, each printed as soon as it is over."""
    rows: list[dict[str, Any]] = []
    process = subprocess.Popen(
        [sys.executable, __file__, "--row", backbone, *words], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"phase"'):
            rows.append({"backbone": backbone, **json.loads(line)})
            print(backbone, line.strip(), flush=True)
    if process.wait():
        raise SystemExit(f"{backbone} failed after {rows[-1]['phase'] if rows else 'nothing'}: see above")
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line a phase, seconds and gigabytes of each backbone."""
    names = list(dict.fromkeys(row["backbone"] for row in rows))
    lines = ["| phase | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    most = max(names, key=lambda name: sum(row["backbone"] == name for row in rows))  # not all have a phase 0
    for phase in dict.fromkeys(row["phase"] for row in rows if row["backbone"] == most):
        cells = []
        for name in names:
            some = [row for row in rows if (row["backbone"], row["phase"]) == (name, phase)]
            cpu_s, peak = sum(row["cpu_s"] for row in some), max((row["peak_gb"] for row in some), default=0.0)
            cells.append(f"{cpu_s:.2f} s, {peak:.1f} GB" if some else "-")
        lines.append(f"| {phase} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Each backbone that is not in the file of results yet, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="a folder of .mp4 files; the smallest are taken")
    parser.add_argument("--json", type=Path, help="keeps what is finished; backbones that it holds are not run again")
    parser.add_argument("--only", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    parser.add_argument("--number", type=int, default=2, help="videos to learn from")
    parser.add_argument("--frames", type=int, default=64, help="most of a video, at the base rate")
    parser.add_argument("--clauses", type=int, default=64, help="of the general phrase bank; it has 1,914")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("fit", nargs="*", help="options of tevo fit, after --")
    given = parser.parse_args()
    if given.row:
        from full_size_rows import measure

        measure(given.row, given)
        return
    rows: list[dict[str, Any]] = json.loads(given.json.read_text()) if given.json and given.json.is_file() else []
    for backbone in given.only:
        if backbone not in {row["backbone"] for row in rows}:
            rows += rows_of(backbone, sys.argv[1:])
            if given.json:
                given.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    peak = max(row["peak_gb"] for row in rows)
    print(f"{'within' if peak <= BAR_GB else 'NOT within'} {BAR_GB:g} GB: {peak:.1f}")


if __name__ == "__main__":
    main()
