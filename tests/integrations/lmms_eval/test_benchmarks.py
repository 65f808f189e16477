"""The shipped tasks: their rows are tevo's readers', their figures tevo's scorers'."""

import re
from pathlib import Path

import pytest

from tevo import read_benchmark
from tevo.errors import TevoError
from tevo.integrations.lmms_eval import TASKS, benchmarks
from tevo.integrations.lmms_eval.benchmarks import (
    FIGURES,
    figure,
    make_rows,
    messages_of,
    prompt_of,
    read_reply,
    target_of,
    videos_of,
)
from tevo.metrics import score_predictions
from tevo.metrics.predictions import Predictions

from .conftest import Rows, load_task

NAMES = sorted(FIGURES)
REPLY = "<answer>B</answer><glue>[(4.0, 12.0), (0.5, 3)]</glue>"


def test_every_benchmark_has_a_task():
    assert len(NAMES) == 6
    assert sorted(path.stem for path in TASKS.glob("*.yaml")) == NAMES
    assert sorted(path.stem for path in TASKS.glob("*.jsonl")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_task_file_says_what_the_code_does(name):
    task = load_task(name)
    assert task["task"] == f"tevo_{name}"
    assert task["dataset_path"] == "json"
    assert task["dataset_kwargs"]["data_files"] == {task["test_split"]: f"{name}.jsonl"}
    assert [metric["metric"] for metric in task["metric_list"]] == list(FIGURES[name])
    assert [metric["higher_is_better"] for metric in task["metric_list"]] == [True] * (len(FIGURES[name]) - 1) + [False]
    text = (TASKS / "shared").read_text() + (TASKS / f"{name}.yaml").read_text()
    called = re.findall(r"!function (\S+)\.(\w+)\n", text)
    assert {module for module, _ in called} == {benchmarks.__name__}
    assert all(callable(getattr(benchmarks, function)) for _, function in called)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_the_readers_and_prompts_hold_them(name, rows_of, prompts_of, benchmarks):
    rows = rows_of(name)
    questions = read_benchmark(name, benchmarks / name, benchmarks / name / "videos").questions
    assert [row["qid"] for row in rows] == [question.id for question in questions] and rows
    for row, question in zip(rows, questions, strict=True):
        (turn,) = messages_of(row, prompts_of(name))
        video, text = turn["content"]
        assert Path(video["url"]).is_file() and [video["url"]] == videos_of(row)
        assert text["text"] == prompt_of(row, prompts_of(name))
        assert row["question"] in text["text"] and all(f") {option}" in text["text"] for option in question.options)
        assert str(question.evidence[0].start_s) in target_of(row) if question.evidence else row["answer"]


def test_a_part_of_a_video_is_shown_as_a_part(rows_of, prompts_of):
    shown = [row for row in rows_of("tvgbench") if row["shown"]]
    for row in shown:
        video = messages_of(row, prompts_of("tvgbench"))[0]["content"][0]
        assert [video["start_time"], video["end_time"]] == row["shown"]


@pytest.mark.parametrize("name", NAMES)
def test_the_figures_are_those_of_tevo_score(name, rows_of, benchmarks):
    rows = rows_of(name)
    replies = [REPLY if number % 3 else "<glue>[(1, 5.5)]</glue><answer>A</answer>" for number, _ in enumerate(rows)]
    read = [read_reply(row, [reply]) for row, reply in zip(rows, replies, strict=True)]
    given = {row["qid"]: {"qid": row["qid"], "response": reply} for row, reply in zip(rows, replies, strict=True)}
    structured = {row["qid"]: next(iter(item.values()))["prediction"] for row, item in zip(rows, read, strict=True)}
    questions = read_benchmark(name, benchmarks / name).questions
    for metric, wanted in FIGURES[name].items():
        ours = figure([item[metric] for item in read])
        if wanted == "unparsed":
            assert ours == 0
            continue
        protocol = metric.split("_")[0]
        # TVGBench's, VNBench's and ANet-RTL's own parsers expect the wording of their papers, not this reply's
        predictions = given if name in ("nextgqa", "rextime", "qvhighlights") else structured
        report = score_predictions(name, protocol, questions, Predictions(Path("made"), predictions, len(rows)))
        assert ours == report["figures"][wanted]


def test_replies_that_say_nothing_are_counted(rows_of):
    rows = rows_of("nextgqa")
    replies = ["", "I cannot tell.", *[REPLY] * (len(rows) - 2)]
    read = [read_reply(row, [reply]) for row, reply in zip(rows, replies, strict=True)]
    assert figure([item["unparsed"] for item in read]) == pytest.approx(200 / len(rows))
    read = [read_reply(row, [""]) for row in rows_of("qvhighlights")]
    assert [figure([item[metric] for item in read]) for metric in FIGURES["qvhighlights"]] == [0, 0, 0, 0, 0, 100]


def test_where_the_benchmarks_lie_must_be_said(monkeypatch, tmp_path):
    monkeypatch.delenv("TEVO_BENCHMARKS", raising=False)
    with pytest.raises(TevoError, match="TEVO_BENCHMARKS is not set: give a folder in which rextime/"):
        make_rows(Rows([{"benchmark": "rextime"}]))
    monkeypatch.setenv("TEVO_BENCHMARKS", str(tmp_path))
    with pytest.raises(TevoError, match="rextime"):
        make_rows(Rows([{"benchmark": "rextime"}]))


def test_missing_videos_are_named(benchmarks, monkeypatch, tmp_path, caplog):
    (tmp_path / "rextime").mkdir()
    (tmp_path / "rextime" / "rextime_val.json").write_bytes((benchmarks / "rextime" / "rextime_val.json").read_bytes())
    (tmp_path / "rextime" / "videos").mkdir()
    first = sorted((benchmarks / "rextime" / "videos").iterdir())[0]
    (tmp_path / "rextime" / "videos" / first.name).symlink_to(first)
    monkeypatch.setenv("TEVO_BENCHMARKS", str(tmp_path))
    rows = make_rows(Rows([{"benchmark": "rextime"}]))
    assert len(rows) == 1
    assert "partial: 1 rows left out" in caplog.text
