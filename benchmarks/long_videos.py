r"""Do a closer look, or a look at every chunk, pay on long videos? Against one look at the whole, at several budgets.

    python benchmarks/long_videos.py runs/full/hf/round-2/solver --videos runs/long --json runs/long_videos.json

Videos of the procedural world as in ``test/``, but 5 to 8 minutes long and with about 9 events, so that what a question
rests on is about one hundredth of the video; truth is exact. For every budget (tokens that one look at a video may
have) and every way to answer: mIoU, accuracy, Acc@GQA and "right and IoU >= 0.5" in points, the gain over a single pass
of the same budget with its 95 % bootstrap interval over videos, and the cost: mean token-forwards a question, each
counted as if it were the only one, over all of its looks. The last line is a single pass with every frame that the
model would read of a short video, however many.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import tevo
from tevo.answer import WAYS, Answerer
from tevo.data.world.generate import FRAME_SIDE_PX, Part, make_scene
from tevo.data.world.questions import ask_about
from tevo.data.world.render import write_video
from tevo.metrics.bootstrap import paired_bootstrap
from tevo.metrics.evaluation import QuestionScore, score_rows, summarise
from tevo.structures import Question, Span
from tevo.tasks.folders import load_solver

LONG = Part("long", "seen", (300.0, 480.0), (8.0,), questions=6)
SHOWN = ("mIoU", "acc", "acc_gqa", "acc_iou50")


def make_videos(folder: Path, number: int, seed: int) -> list[Question]:
    """The long videos and their questions; those that are there already are not drawn again."""
    folder.mkdir(parents=True, exist_ok=True)
    questions = []
    for index in range(number):
        scene, rng = make_scene(LONG, seed, index)
        path = folder / f"{index:06d}.mp4"
        if not path.is_file():
            unfinished = path.with_name(f"{path.stem}.unfinished.mp4")
            write_video(scene, unfinished, FRAME_SIDE_PX)
            unfinished.rename(path)
        for place, row in enumerate(ask_about(rng, scene, LONG.questions)):
            evidence = tuple(Span(*window) for window in row["relevant_windows"])
            own = {"text": row["query"], "kind": row["kind"], "family": row["family"], "answer": row["answer"]}
            name = f"long-{index:06d}-{place}"
            questions.append(Question(name, path.name, options=tuple(row["options"]), evidence=evidence, **own))
    return questions


def measure(
    model: Answerer, questions: list[Question], root: Path, way: str, subtitles: bool = False
) -> dict[str, Any]:
    """Scores, costs and paths of one way to answer."""
    began = time.process_time()
    replies = model.answer_all(questions, root, answering=way, subtitles=subtitles)
    seconds = time.process_time() - began
    failed = [f"{reply.question.id}: {reply.reason}" for reply in replies if reply.answer is None]
    if failed:
        raise SystemExit(f"{len(failed)} questions have no answer, first {failed[0]}")
    answers = [reply.answer for reply in replies if reply.answer is not None]
    rows = [
        {
            "qid": question.id,
            "pred_answer": answer.answer or "",
            "pred_relevant_windows": [[span.start_s, span.end_s] for span in answer.spans],
        }
        for question, answer in zip(questions, answers, strict=True)
    ]
    paths: dict[str, int] = {}
    for answer in answers:
        paths[answer.path] = paths.get(answer.path, 0) + 1
    cost = sum(answer.token_forwards for answer in answers) / len(answers)
    scores = score_rows(rows, questions)
    return {"scores": scores, "metrics": summarise(scores), "cost": cost, "paths": paths, "cpu_s": seconds}


def gains(ours: list[QuestionScore], theirs: list[QuestionScore]) -> dict[str, list[float]]:
    """Mean difference and its interval, in points, of IoU and accuracy."""
    found = {}
    for name, value in (("mIoU", lambda s: s.iou), ("acc", lambda s: None if s.right is None else float(s.right))):
        pairs = [(value(a), value(b), a.video) for a, b in zip(ours, theirs, strict=True) if value(a) is not None]
        columns = list(zip(*pairs, strict=True))
        gain = paired_bootstrap(columns[0], columns[1], columns[2])
        found[name] = [100 * gain.mean, 100 * gain.low, 100 * gain.high]
    return found


def table(results: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| budget | way | mIoU | accuracy | Acc@GQA | right and IoU >= 0.5 | gain: mIoU | gain: accuracy | tokens |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in results:
        metrics = " | ".join(f"{entry['metrics'][name]:.1f}" for name in SHOWN)
        gain = " | ".join(
            "{:+.1f} ({:+.1f} to {:+.1f})".format(*entry["gain"][name]) if "gain" in entry else "-"
            for name in ("mIoU", "acc")
        )
        way = entry["way"].replace("_", " ")
        lines.append(f"| {entry['budget']} | {way} | {metrics} | {gain} | {entry['cost']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Draw, measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("solver", type=Path, help="hf/round-N/solver of a run")
    parser.add_argument("--videos", type=Path, required=True, help="folder for the long videos")
    parser.add_argument("--number", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budgets", type=int, nargs="+", default=[64, 128, 256, 512], help="tokens of one look")
    parser.add_argument("--cache_dir", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    questions = make_videos(options.videos, options.number, options.seed)
    solver, release = load_solver(options.solver)
    results = []
    for budget in [*options.budgets, 10**6]:
        plan = replace(release.plan, max_frames=budget)
        model = Answerer(solver, replace(release, plan=plan), options.cache_dir)
        single: list[QuestionScore] = []
        for way in WAYS if budget < 10**6 else ("single",):
            found = measure(model, questions, options.videos, way)
            scores = found.pop("scores")
            single = scores if way == "single" else single
            entry = {"budget": budget if budget < 10**6 else "all", "way": way, **found}
            if way != "single":
                entry["gain"] = gains(scores, single)
            by_kind = {score.kind: [] for score in scores}
            for score in scores:
                by_kind[score.kind].append(score)
            entry["by_kind"] = {kind: summarise(some) for kind, some in by_kind.items()}
            results.append(entry)
            print(table([entry]).splitlines()[-1], flush=True)
    print(f"\n{len(questions)} questions about {options.number} videos, tevo {tevo.__version__}\n\n{table(results)}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"questions": len(questions), "results": results}, indent=1))


if __name__ == "__main__":
    main()
