r"""Do subtitles reach an encoder's answers? With none, with true ones, and with true ones at other times.

    python benchmarks/subtitles.py runs/full/hf/round-2/solver --world runs/world --json runs/subtitles.json

Questions of the world's ``test/``, whose videos get a subtitle file that names every event while it happens; in the
control the same words stand at the times of the video's other events. No model was trained with any. mIoU, accuracy and
Acc@GQA in points, and the gain over no subtitles with its 95 % bootstrap interval over videos.
"""

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from long_videos import SHOWN, gains, measure

from tevo.answer import Answerer
from tevo.data.readers.annotations import read_annotations
from tevo.structures import Question
from tevo.tasks.folders import load_solver


def clock(second: float) -> str:
    """A time as SubRip writes it."""
    minutes, rest = divmod(second, 60)
    return f"00:{int(minutes):02d}:{rest:06.3f}".replace(".", ",")


def speak(world: Path, out: Path, number: int, shuffled: bool) -> set[str]:
    """Link the first videos into a folder and write a subtitle file beside each; their names."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in (world / "oracle" / "test.jsonl").read_text().splitlines()[:number]]
    for row in rows:
        target = out / row["vid"]
        if not target.exists():
            target.symlink_to((world / "test" / row["vid"]).absolute())
        spans, words = [event["span"] for event in row["events"]], [event["phrase"] for event in row["events"]]
        if shuffled:
            random.Random(row["vid"]).shuffle(words)
        cues = [
            f"{place}\n{clock(start)} --> {clock(end)}\n{said}\n"
            for place, ((start, end), said) in enumerate(zip(spans, words, strict=True), start=1)
        ]
        target.with_suffix(".srt").write_text("\n".join(cues))
    return {row["vid"] for row in rows}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("solver", type=Path, help="hf/round-N/solver of a run")
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/spoken"), help="folder for links and subtitle files")
    parser.add_argument("--number", type=int, default=60, help="videos")
    parser.add_argument("--cache_dir", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    model = Answerer(*load_solver(options.solver), options.cache_dir)
    found = read_annotations(options.world / "test" / "annotations.jsonl")
    every = [replace(question, video=Path(question.video).name) for question in found.questions]
    results: dict[str, Any] = {}
    scores = {}
    for name, shuffled, spoken in (("none", False, False), ("true", False, True), ("at other times", True, True)):
        folder = options.out / ("shuffled" if shuffled else "true")
        vids = speak(options.world, folder, options.number, shuffled)
        asked: list[Question] = [question for question in every if question.video in vids]
        made = measure(model, asked, folder, "single", spoken)
        scores[name] = made.pop("scores")
        results[name] = made | ({"gain": gains(scores[name], scores["none"])} if spoken else {})
        metrics = " | ".join(f"{made['metrics'][key]:.1f}" for key in SHOWN)
        gain = results[name].get("gain", {})
        told = " | ".join("{:+.1f} ({:+.1f} to {:+.1f})".format(*gain[key]) if gain else "-" for key in ("mIoU", "acc"))
        print(f"| {name} | {metrics} | {told} | {made['cost']:.0f} |", flush=True)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
