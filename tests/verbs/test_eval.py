"""``tevo eval`` as it is typed: the numbers of a run's own metrics, in NExT-GQA's layout too; what is refused."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from tevo.cli import main
from tevo.data.readers.annotations import json_rows

SETTINGS = """\
  votes: 4
  pool: {agreement_low: 0.0, agreement_high: 1.0}
  questioner: {min_naming: 0.0, group: 3, per_video: 4}
  solver: {group: 4, head: {hidden: 16, attention_heads: 2, relation_layers: 1}}
"""


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    """A short fit of the shipped tiny CLIP on the tiny world."""
    root = tmp_path_factory.mktemp("fit")
    (root / "own.yaml").write_text(
        f"seed_everything: 0\ntrainer: {{default_root_dir: {root}/run, accelerator: cpu, enable_progress_bar: false}}\n"
        f"model:\n  backbone: clip_tiny\n  rounds: 1\n  pseudo_label_epochs: 1\n  grpo_epochs: 0\n{SETTINGS}"
        f"data: {{root: {world}/train, val_annotations: {world}/test/annotations.jsonl, cache_dir: {root}/cache, "
        "max_frames: 24, videos_per_batch: 3, workers: 1, progress: false}\n"
    )
    main(["fit", "--config", str(root / "own.yaml")])
    return root / "run"


@pytest.fixture
def evaluated(run, world, tmp_path, monkeypatch):
    """What `tevo eval` finds of both rounds, and what the run itself has measured of each."""
    monkeypatch.chdir(tmp_path)
    own = {
        f"round-{entry['round']}": {name.removeprefix("test/"): value for name, value in entry["metrics"].items()}
        for entry in json.loads((run / "metrics.json").read_text())["rounds"]
    }

    def make(benchmark, annotations, *words):
        models = ["base", *(str(run / "hf" / f"round-{number}" / "solver") for number in (0, 1))]
        files = ["--annotations", str(annotations), "--videos", str(world / "test")]
        cache = ["--cache_dir", str(run.parent / "cache"), "--evidence", "0"]
        main(["eval", *models, "--benchmark", benchmark, *files, *cache, "--protocols", "tevo", *words])
        results = json.loads(Path("eval/results.json").read_text())
        return results["benchmarks"][0]["protocols"]["tevo"]["models"], own

    return make


def annotated(world):
    return [row for _, row in json_rows(world / "test" / "annotations.jsonl")]


def test_the_numbers_are_those_of_the_runs_own_metrics(evaluated, world, capsys):
    found, own = evaluated("generic", world / "test" / "annotations.jsonl")
    for label, metrics in own.items():
        assert found[label]["figures"] == pytest.approx(
            metrics | {"acc_macro": found[label]["figures"]["acc_macro"]}, abs=1e-3
        )
    assert found["base"]["figures"] == pytest.approx(found["round-0"]["figures"])
    printed = capsys.readouterr().out
    assert f"{own['round-1']['mIoU']:.1f}" in next(line for line in printed.splitlines() if line.startswith("mIoU"))


def test_in_the_layout_of_nextgqa_that_holds_questions_of_when_too(evaluated, world, tmp_path):
    """The copy that VideoChat-R1 made: options in a list, the answer as a letter, spans under ``glue``."""
    rows = [
        {
            "id": row["qid"],
            "video": row["vid"],
            "question": row["query"],
            "options": row["options"],
            "answer": "ABCDEFGH"[row["options"].index(row["answer"])] if row["options"] else None,
            "glue": row["relevant_windows"],
            "duration": row["duration"],
            "type": row["kind"],
        }
        for row in annotated(world)
    ]
    (tmp_path / "nextgqa.json").write_text(json.dumps(rows))
    found, own = evaluated("nextgqa", tmp_path / "nextgqa.json")
    for label, metrics in own.items():
        figures = found[label]["figures"]
        assert {name: figures[name] for name in metrics} == pytest.approx(metrics, abs=1e-3)


def test_in_the_files_that_nextgqa_publishes(evaluated, world, tmp_path):
    """A table of choices and a file of spans: what counts for choices alone is the run's own number."""
    table, spans = tmp_path / "test.csv", {}
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        columns = ["video_id", "frame_count", "width", "height", "question", "answer", "qid", "type"]
        writer.writerow([*columns, *(f"a{number}" for number in range(5))])
        for number, row in enumerate(annotated(world)):
            if row["options"]:
                video = Path(row["vid"]).stem
                options = [*row["options"], *[""] * (5 - len(row["options"]))]
                writer.writerow([video, 900, 96, 96, row["query"], row["answer"], number, row["kind"], *options])
                there = spans.setdefault(video, {"duration": row["duration"], "location": {}})
                there["location"][str(number)] = row["relevant_windows"]
    (tmp_path / "gsub_test.json").write_text(json.dumps(spans))
    found, own = evaluated("nextgqa", table, "--protocols", "tevo", "official")
    for label, metrics in own.items():
        figures = found[label]["figures"]
        for name in ("acc", "acc_gqa", "acc_iou50"):
            assert figures[name] == pytest.approx(metrics[name], abs=1e-3)
    folder = tmp_path / "eval" / "nextgqa" / "round-1"
    main(["score", "nextgqa", str(folder / "predictions.jsonl"), str(table), "--protocol", "official"])
    scored = json.loads(Path("score-nextgqa-official.json").read_text())
    kept = json.loads((folder / "score-nextgqa-official.json").read_text())
    assert scored["figures"] == kept["figures"] and scored["by"] == kept["by"]


def test_what_subtitles_add(tmp_path, monkeypatch):
    """The same model with and without: a file beside the video names an event while it happens."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).parents[1] / "data" / "videos" / "made" / "events7_vfr.mp4", "clip.mp4")
    Path("clip.srt").write_text("1\n00:00:14,000 --> 00:00:18,000\nthe red circle grows\n")
    asked = {"qid": "a", "vid": "clip.mp4", "query": "When does this happen: the red circle grows?"}
    Path("asked.jsonl").write_text(json.dumps(asked | {"relevant_windows": [[14, 18]], "duration": 23.4}))
    found = {}
    for subtitles in ("false", "true"):
        files = ["--benchmark", "generic", "--annotations", "asked.jsonl", "--videos", ".", "--out", subtitles]
        rest = ["--protocols", "tevo", "--evidence", "0", "--cache_dir", "cache", "--subtitles", subtitles]
        main(["eval", "clip_tiny", *files, *rest])
        results = json.loads((Path(subtitles) / "results.json").read_text())
        (model,) = results["benchmarks"][0]["protocols"]["tevo"]["models"].values()
        found[results["spec"]["subtitles"]] = model["figures"]["mIoU"]
    assert found[True] > found[False] + 10


def test_a_suite_and_what_cannot_be_evaluated(run, world, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    annotations = world / "test" / "annotations.jsonl"
    Path("suite.yaml").write_text(f"- {{benchmark: generic, annotations: {annotations}, videos: {world}/test}}\n")
    cache = ["--cache_dir", str(run.parent / "cache")]
    main(["eval", str(run), "--suite", "suite.yaml", "--limit", "3", "--evidence", "2", *cache])
    said = capsys.readouterr()
    assert "evidence, judged by round-" in said.out and "of other questions" in said.out
    assert "--limit leaves" in said.err
    files = ["--benchmark", "generic", "--annotations", str(annotations)]
    for words, message in [
        ([str(run)], "no --benchmark, --annotations, --videos"),
        ([str(run), *files], "no --videos"),
        ([str(run), "--suite", "suite.yaml", *files], "give it alone"),
        (["base", *files, "--videos", str(world)], "give the hf/round-N/solver folder of one too"),
        ([str(run), *files, "--videos", "absent"], "no folder of videos at absent"),
        ([str(run), *files, "--videos", str(world / "test"), "--protocols", "mine"], "not scored under 'mine'"),
        ([str(run), *files, "--videos", str(world / "test"), "--limit", "0"], "--limit is 0"),
    ]:
        with pytest.raises(SystemExit) as end:
            main(["eval", *words, "--out", "elsewhere"])
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error
    assert not Path("elsewhere").exists()
