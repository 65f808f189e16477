"""``tevo evidence``: the table, the file of figures, and what is refused."""

import json
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.cli import main
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.metrics.evidence_quality import TERMS
from tevo.tasks.folders import Release, save_solver
from tevo.tasks.solver import Solver, SolverConfig
from tevo.verbs.evidence import measure

CLIPS = Path(__file__).parents[1] / "data" / "videos"
VIDEO = "made/events7_vfr.mp4"
PHRASES = ("a door opens", "a pan falls", "a dog barks", "a light goes out", "a cup breaks")


@pytest.fixture(scope="module")
def solver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "solver"
    torch.manual_seed(0)
    backbone = build_backbone("clip_tiny")
    plan = ViewPlan(1.0, 24, 1, 0, torch.float32)
    save_solver(folder, Solver(128, 128, backbone, SolverConfig()), Release(backbone, {}, plan, PHRASES))
    return folder


@pytest.fixture
def predictions(tmp_path):
    rows = [
        {"qid": "a", "vid": VIDEO, "query": "a pan falls", "pred_relevant_windows": [[1.0, 4.0]]},
        {"qid": "b", "vid": VIDEO, "query": "a dog barks", "pred_relevant_windows": [[10.0, 13.0]]},
        {"qid": "c", "vid": "absent.mp4", "query": "a dog barks", "pred_relevant_windows": [[1.0, 2.0]]},
    ]
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_it_prints_the_terms_beside_those_of_other_questions_spans(solver, predictions, tmp_path, capsys):
    out = tmp_path / "deep" / "figures.jsonl"
    words = ["--videos", str(CLIPS), "--out", str(out), "--cache_dir", str(tmp_path / "cache")]
    main(["evidence", str(predictions), str(solver), *words])
    head, own, dealt, missing = capsys.readouterr().out.strip("\n").splitlines()
    assert head.split() == [*TERMS, "questions"]
    assert own.startswith("the predictions") and own.endswith(" 2")
    assert dealt.startswith("of other questions") and dealt.endswith(" 2")
    assert missing == "c: not judged, file not found"
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["qid"] for row in rows] == ["a", "b", "c"]
    assert rows[2]["reason"] == "file not found" and "quality" not in rows[2]
    mean = (rows[0]["quality"] + rows[1]["quality"]) / 2
    assert f"{mean:.3f}" == own.split()[2]


def test_predictions_that_are_not_there(solver, tmp_path):
    with pytest.raises(TevoError, match=r"no predictions at .*absent\.jsonl"):
        measure(tmp_path / "absent.jsonl", solver, tmp_path)


def test_predictions_of_which_none_can_be_judged(solver, predictions, tmp_path):
    with pytest.raises(TevoError, match=rf"can be judged \(file not found\); videos are looked for in {tmp_path}"):
        measure(predictions, solver, tmp_path, cache_dir=tmp_path / "cache")
