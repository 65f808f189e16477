"""lmms-eval itself runs a tevo model; its numbers are those that tevo gives the same replies."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tevo import read_benchmark
from tevo.integrations.lmms_eval import TASKS
from tevo.integrations.lmms_eval.benchmarks import FIGURES
from tevo.metrics import read_predictions, score_predictions
from tevo.structures import Question, Span

from .conftest import CLIP

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("lmms_eval") is None, reason="lmms-eval is not installed: pip install 'tevo[lmms]'"),
]
TOYS = Path(__file__).parent / "toys"
SHIPPED = ("nextgqa", "rextime", "qvhighlights", "vnbench")
OPTIONS = [
    "the blue shape moves right",
    "the blue shape moves down",
    "the yellow shape turns cyan",
    "the red shape grows",
]


def write_toys(folder):
    """Rows of Video-MME and of Charades-STA in lmms-eval's layout, all about one clip."""
    asked = ["first", "last"]
    mme = [
        {
            "video_id": f"{number:03}", "duration": "short", "domain": "Knowledge", "sub_category": "Astronomy",
            "url": "", "videoID": "made", "question_id": f"{number:03}-1", "task_type": "Object Recognition",
            "question": f"What happens {asked[number % 2]}?", "answer": "ABCD"[number % 3], "video": str(CLIP),
            "options": [f"{letter}. {text}" for letter, text in zip("ABCD", turned(OPTIONS, number), strict=True)],
        }
        for number in range(8)
    ]  # fmt: skip
    moments = [
        {"video": str(CLIP), "caption": OPTIONS[number % 3], "timestamp": [2.5 * number, 2.5 * number + 5.5]}
        for number in range(8)
    ]
    for name, rows in {"videomme": mme, "charades": moments}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        shutil.copy(TOYS / f"toy_{name}.yaml", folder)


def turned(options, by):
    return options[by % 4 :] + options[: by % 4]


def run_lmms_eval(model, tasks, benchmarks, folder):
    """lmms-eval's results and samples, by task."""
    (folder / "tasks").mkdir()
    shutil.copytree(TASKS, folder / "tasks" / "tevo")  # lmms-eval takes one --include_path
    write_toys(folder / "tasks")
    command = [
        *(sys.executable, "-m", "lmms_eval", "--model", "tevo", "--tasks", ",".join(tasks)),
        *("--model_args", f"pretrained={model},cache_dir={folder / 'cache'}", "--batch_size", "1"),
        *("--include_path", str(folder / "tasks"), "--log_samples", "--output_path", str(folder / "out")),
    ]
    done = subprocess.run(
        command, env={**os.environ, "TEVO_BENCHMARKS": str(benchmarks)}, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (results,) = (folder / "out").rglob("*_results.json")
    return json.loads(results.read_text())["results"], {task: read_samples(results.parent, task) for task in tasks}


@pytest.fixture(scope="module")
def run(solver_folder, benchmarks, tmp_path_factory):
    """An encoder's Solver on all toy tasks."""
    tasks = [f"tevo_{name}" for name in SHIPPED] + ["toy_videomme", "toy_charades"]
    return run_lmms_eval(solver_folder, tasks, benchmarks, tmp_path_factory.mktemp("lmms"))


@pytest.fixture(scope="module")
def language_run(benchmarks, tmp_path_factory):
    """The shipped tiny Qwen2.5-VL, as it is before it is a Solver."""
    folder = tmp_path_factory.mktemp("qwen")
    return run_lmms_eval("qwen2_5_vl_tiny", ["tevo_rextime", "toy_videomme"], benchmarks, folder)


def read_samples(folder, task):
    """What lmms-eval says it was told."""
    (file,) = folder.glob(f"*_samples_{task}.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def predictions(tmp_path, qids, replies):
    rows = [{"qid": qid, "response": reply} for qid, reply in zip(qids, replies, strict=True)]
    (tmp_path / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_predictions(tmp_path / "predictions.jsonl")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_tasks_give_what_tevo_score_gives(run, name, benchmarks, tmp_path):
    check_shipped(run, name, benchmarks, tmp_path)
    assert run[0][f"tevo_{name}"]["unparsed,none"] == 0


def check_shipped(run, name, benchmarks, tmp_path):
    results, samples = run
    asked = read_benchmark(name, benchmarks / name).questions
    told = samples[f"tevo_{name}"]
    qids = [sample["unparsed"]["prediction"]["qid"] for sample in told]
    assert sorted(qids) == sorted(question.id for question in asked)
    given = predictions(tmp_path, qids, [sample["filtered_resps"] for sample in told])
    for metric, wanted in FIGURES[name].items():
        theirs = results[f"tevo_{name}"][f"{metric},none"]
        if metric != "unparsed":
            report = score_predictions(name, metric.split("_")[0], asked, given)
            assert theirs == pytest.approx(report["figures"][wanted], abs=1e-9)


def test_the_harness_scores_letters_as_tevo_does(run, tmp_path):
    replies, accuracy = check_letters(run, tmp_path)
    assert set(replies) <= set("ABCD")
    assert 0 < accuracy < 100


def check_letters(run, tmp_path):
    results, samples = run
    write_toys(tmp_path)
    asked = read_benchmark("videomme", tmp_path / "videomme.jsonl").questions
    replies = [sample["filtered_resps"] for sample in samples["toy_videomme"]]
    assert len(replies) == len(asked) == 8
    report = score_predictions(
        "videomme", "lmms_eval", asked, predictions(tmp_path, [question.id for question in asked], replies)
    )
    theirs = results["toy_videomme"]["videomme_perception_score,none"]
    assert theirs == pytest.approx(report["figures"]["acc"], abs=1e-9)
    return replies, theirs


def test_the_harness_scores_moments_as_tevo_does(run, tmp_path):
    results, samples = run
    write_toys(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "charades.jsonl").read_text().splitlines()]
    asked = [
        Question(str(number), "made", row["caption"], "when", evidence=(Span(*row["timestamp"]),))
        for number, row in enumerate(rows)
    ]
    replies = [sample["filtered_resps"] for sample in samples["toy_charades"]]
    assert all(reply.startswith("The event happens in the ") for reply in replies) and len(replies) == len(asked) == 8
    report = score_predictions(
        "charades_sta", "lmms_eval", asked, predictions(tmp_path, [question.id for question in asked], replies)
    )
    assert results["toy_charades"]["charades_sta_mIOU,none"] == pytest.approx(report["figures"]["mIOU"], abs=1e-9)
    assert results["toy_charades"]["charades_sta_IOU@3,none"] == pytest.approx(report["figures"]["IOU@3"], abs=1e-9)
    assert report["figures"]["mIOU"] > 0


def test_a_language_model_runs_too(language_run, benchmarks, tmp_path):
    """What cannot be read is empty, and never a letter by chance."""
    check_shipped(language_run, "rextime", benchmarks, tmp_path)
    replies, _ = check_letters(language_run, tmp_path)
    assert set(replies) <= {"", *"ABCD"} and any(replies)
