"""Every shipped config runs, as typed, through the real entry point."""

import json
from pathlib import Path

import pytest

from tevo.cli import main
from tevo.verbs.configs import shipped_configs

LONGEST = 60  # lines
SHORT = ["--model.rounds", "1", "--model.pseudo_label_epochs", "1"]
SHORT += ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
LEFT = ("config.yaml", "questions.jsonl", "predictions.jsonl", "metrics.json", "bad_videos.jsonl", "report.html")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world") / "world-small"
    main(["world", str(root), "--size", "tiny", "--workers", "1"])
    return root


def test_how_many_there_are():
    assert sorted(shipped_configs()) == ["clip.yaml", "quickstart.yaml", "videomae.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_it_runs_as_typed(name, world, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/world-small").symlink_to(world)
    main(["fit", "--config", f"conf/{name}", *SHORT])

    run = Path("runs") / Path(name).stem
    assert [file for file in LEFT if not (run / file).is_file()] == []
    rounds = json.loads((run / "metrics.json").read_text())["rounds"]
    assert [entry["round"] for entry in rounds] == [0, 1]
    assert (run / "hf" / "round-1" / "solver").is_dir()
    assert str(run / "report.html") in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_it_is_short_and_says_how_to_use_ones_own(name):
    lines = shipped_configs()[name].read_text().splitlines()
    assert len(lines) <= LONGEST
    header = "\n".join(line for line in lines if line.startswith("#"))
    assert f"tevo fit --config conf/{name}" in header
    assert "--data.root my_videos/" in header
    assert "--model.backbone " in header
