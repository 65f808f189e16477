"""Questions a second of evaluation: tevo beside lmms-eval's own Qwen2.5-VL, the same tiny model on the same rows.

    pip install 'tevo[lmms]' decord
    tevo world runs/world-small --size small
    python benchmarks/lmms_throughput.py --world runs/world-small --json lmms_throughput.json

The same weights (random ones with --random) in float32, the same prompts, as many frames of a video at the same size,
at most as many new tokens, greedy, one thread; the lines run one after the other in one process, each after a question
to warm up with, and nothing else is cached before. Loading the model is left out on both sides; decoding the videos and
answering are in. tevo reads more out of a reply (a confidence, probabilities of options) and pays for it. A test video
of the world has six questions, as those of NExT-GQA have; ``--per-video 1`` is the case in which nothing is shared
between questions.

``seconds`` is processor time, which other users of a machine do not change; ``wall_s`` stands beside it. The class of
lmms-eval loads bfloat16, which a CPU is slow at; it is made float32 after loading.
"""

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {"HF_HUB_OFFLINE": "1"}  # before torch
SIDE_PX = 64  # of a frame of the world
TASK = """
task: throughput
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_visual: !function tevo.integrations.lmms_eval.benchmarks.videos_of
doc_to_text: prompt
doc_to_target: letter
process_results: !function lmms_throughput.is_right
generation_kwargs: {{max_new_tokens: {tokens}, temperature: 0, do_sample: false, until: []}}
metric_list:
  - {{metric: right, aggregation: mean, higher_is_better: true}}
"""


def is_right(row: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """What lmms-eval scores a reply with."""
    from tevo.prompts.replies import plain_letter

    return {"right": float(bool(row["letter"]) and plain_letter(results[0], row["options"]) == row["letter"])}


def prepare(folder: Path, spec: Mapping[str, Any]) -> None:
    """The model in the hub's layout, and the rows with their prompts."""
    from tevo import build_backbone
    from tevo.prompts.solver import LETTERS, letter_of, solver_prompt
    from tevo.prompts.templates import load_templates

    built: Any = build_backbone("qwen2_5_vl_tiny", **({"pretrained": False} if spec["random"] else {}))
    built.model.save_pretrained(folder / "model")
    built.processor.save_pretrained(folder / "model")
    templates, rows = load_templates("tiny"), []
    for question in questions(spec):
        letter = letter_of(question, question.answer)
        rows.append(
            {
                "video": question.video,
                "prompt": solver_prompt(question, question.duration_s, templates),
                "options": list(question.options),
                "letter": letter if letter in LETTERS else "",
            }
        )
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "throughput.yaml").write_text(TASK.format(rows=folder / "rows.jsonl", tokens=spec["tokens"]))


def questions(spec: Mapping[str, Any]) -> list[Any]:
    """The first videos' first questions of the world's test set."""
    from tevo import read_benchmark

    test, kept, counts = Path(spec["world"]).absolute() / "test", [], Counter[str]()
    for question in read_benchmark("generic", test / "annotations.jsonl", test).questions:
        if question.video in counts or len(counts) < spec["videos"]:
            counts[question.video] += 1
            kept += [question] if counts[question.video] <= spec["per_video"] else []
    return kept


def timed(work: Callable[[], None]) -> dict[str, float]:
    """Seconds of processor time, of processes started as well, and of wall time."""
    before = os.times()
    work()
    after = os.times()
    return {"seconds": sum(after[:4]) - sum(before[:4]), "wall_s": after.elapsed - before.elapsed}


def run_lmms(folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """lmms-eval's Qwen2.5-VL in lmms-eval."""
    from lmms_eval import evaluator
    from lmms_eval.models import get_model
    from lmms_eval.tasks import TaskManager

    sizes = {"min_pixels": 16 * 16, "max_pixels": SIDE_PX * SIDE_PX, "max_num_frames": spec["frames"]}
    model = get_model("qwen2_5_vl")(
        str(folder / "model"), device="cpu", device_map="cpu", batch_size=spec["batch"], **sizes
    )
    model._model.float()
    tokens: Counter[str] = Counter()
    generate, answer = model._model.generate, model.generate_until

    def count(**inputs: Any) -> Any:  # noqa: ANN401 (of lmms-eval)
        out = generate(**inputs)
        tokens["video"] += int((inputs["input_ids"] == model.config.video_token_id).sum())
        tokens["new"] += (out.shape[1] - inputs["input_ids"].shape[1]) * len(out)
        return out

    def answer_timed(requests: Any) -> Any:  # noqa: ANN401 (of lmms-eval)
        answer(requests[:1])  # to warm up
        tokens.clear()
        replies: list[Any] = []
        found.update(timed(lambda: replies.extend(answer(requests))))
        return replies

    found: dict[str, Any] = {}
    model._model.generate, model.generate_until = count, answer_timed
    tasks = TaskManager(include_path=str(folder), include_defaults=False)
    result = evaluator.simple_evaluate(
        model=model, tasks=["throughput"], task_manager=tasks, bootstrap_iters=0, log_samples=False
    )
    return found | {"questions": result["n-samples"]["throughput"]["effective"], "tokens": dict(tokens)}


def run_tevo(folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same by tevo."""
    import torch

    from tevo.answer import Answerer
    from tevo.backbones.qwen_vl.adapter import QwenVL
    from tevo.data.views import ViewPlan
    from tevo.tasks.casting import cast_solver
    from tevo.tasks.folders import Release
    from tevo.tasks.matching import describe_backbone
    from tevo.tasks.solving import SolverConfig
    from tevo.tasks.words import Words

    budget = spec["frames"] // 2 * (SIDE_PX // 16) ** 2  # a token is a cell of 16 px in two frames
    model = QwenVL(str(folder / "model"))
    plan = ViewPlan(model.spec.fps, spec["frames"], 1, 0, torch.float32, budget)
    config = SolverConfig(words=Words("tiny", max_new_tokens=spec["tokens"]))
    solver = cast_solver(model, describe_backbone(model), config)
    tokens: Counter[str] = Counter()
    best = model.best

    def count(prompts: Any, *args: Any) -> Any:  # noqa: ANN401 (as of the model)
        told = best(prompts, *args)
        tokens["video"] += sum(prompt.video.num_tokens for prompt in prompts)
        tokens["new"] += int(told.completions.mask.sum())
        return told

    model.best = count
    asked = questions(spec)
    release = Release(model, {}, plan, ())
    Answerer(solver, release, folder / "warm").answer_all(asked[:1], progress=False)
    tokens.clear()
    answerer, replies = Answerer(solver, release, folder / "cache"), list[Any]()
    found = timed(lambda: replies.extend(answerer.answer_all(asked, progress=False)))
    return found | {"questions": sum(reply.answer is not None for reply in replies), "tokens": dict(tokens)}


def main() -> None:
    """Parse the command line; run all lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, help="a world of `tevo world`")
    parser.add_argument("--videos", type=int, default=20, help="of its test set")
    parser.add_argument("--per-video", type=int, default=6, help="questions of each")
    parser.add_argument("--frames", type=int, default=32, help="of a video")
    parser.add_argument("--tokens", type=int, default=32, help="bound of a reply")
    parser.add_argument("--random", action="store_true", help="random weights")
    parser.add_argument("--json", type=Path, help="where the result goes")
    args = parser.parse_args()
    shared = {name: getattr(args, name) for name in ("videos", "per_video", "frames", "tokens", "random")}
    shared["world"] = str(args.world)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as made:
        prepare(Path(made), shared)
        for line, batch in (("lmms_eval_1", 1), ("lmms_eval_8", 8), ("tevo", 0)):
            run = run_tevo if line == "tevo" else run_lmms
            found[line] = row = run(Path(made), shared | {"batch": batch})
            row |= {"per_s": row["questions"] / row["seconds"], "per_wall_s": row["questions"] / row["wall_s"]}
            print(line, row, flush=True)
    best = max(row["per_s"] for name, row in found.items() if name != "tevo")
    result = {"spec": shared, "lines": found, "ratio": round(found["tevo"]["per_s"] / best, 2)}
    print(f"tevo: {result['ratio']} times as many questions a second as the faster line of lmms-eval")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
