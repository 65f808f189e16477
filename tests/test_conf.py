"""Every shipped config runs, as typed, through the real entry point."""

import json
from pathlib import Path

import pytest
import yaml

from tevo.cli import main
from tevo.prompts.phrases import load_phrases
from tevo.verbs.configs import shipped_configs

LONGEST = 60  # lines
SHORT = ["--model.rounds", "1", "--model.pseudo_label_epochs", "1"]
SHORT += ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
RANDOM = ["--model.backbone.init_args.pretrained", "false", "--model.questioner.phrases", "phrases.txt"]
RANDOM += ["--model.questioner.min_naming", "0", "--model.pool.agreement_low", "0"]
RANDOM += ["--model.questioner.windows", "random"]
RANDOM += ["--data.max_frames", "16", "--data.dense_factor", "1", "--data.heldout_share", "0"]
WORDS = ["--model.votes", "3", "--model.questioner.group", "2", "--model.questioner.per_video", "4"]
WORDS += ["--model.solver.group", "3", "--model.pool.agreement_high", "1", "--data.max_tokens", "32"]
FULL = sorted(name for name in shipped_configs() if name.startswith("full/"))
TINY = sorted(shipped_configs().keys() - set(FULL))
LEFT = ("config.yaml", "questions.jsonl", "predictions.jsonl", "metrics.json", "bad_videos.jsonl", "report.html")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world") / "world-small"
    main(["world", str(root), "--size", "tiny", "--workers", "1"])
    return root


def test_how_many_there_are():
    full = ["clip_vit_b32", "internvid_b16", "qwen2_5_vl_7b", "qwen3_vl_8b", "videomae_base"]
    tiny = ["internvid.yaml", "quickstart.yaml", "quickstart_qwen.yaml", "qwen_vl.yaml", "videomae.yaml"]
    assert sorted(shipped_configs()) == ["clip.yaml", *(f"full/{name}.yaml" for name in full), *tiny]


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_it_runs_as_typed(name, world, tmp_path, monkeypatch, capsys):
    if "qwen" in name:
        pytest.importorskip("peft")
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


@pytest.fixture
def my_videos(world, tmp_path, monkeypatch):
    """Two short videos, where a config for one's own videos looks for them."""
    monkeypatch.chdir(tmp_path)
    Path("my_videos").mkdir()
    shortest = sorted((world / "train").glob("*.mp4"), key=lambda path: path.stat().st_size)
    for path in shortest[:2]:
        (Path("my_videos") / path.name).symlink_to(path)
    Path("phrases.txt").write_text("\n".join(load_phrases("general")[:8]))


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_the_full_size_learns_with_random_weights_on_a_few_frames(name, my_videos, two_layers, dealt_words):
    """Without their weights the models find, name and write nothing: events are random, words dealt, questions kept."""
    if "qwen" in name:
        pytest.importorskip("peft")
    main(["fit", "--config", f"conf/{name}", *SHORT, *RANDOM, *(WORDS if "qwen" in name else [])])

    run = Path("runs") / Path(name).with_suffix("")
    assert [file for file in LEFT if not (run / file).is_file()] == []
    rounds = json.loads((run / "metrics.json").read_text())["rounds"]
    assert [entry["round"] for entry in rounds] == [0, 1]
    config = json.loads((run / "hf" / "round-1" / "solver" / "config.json").read_text())
    assert config["backbone"]["name"] == Path(name).stem


@pytest.mark.parametrize("name", FULL)
def test_the_full_size_names_the_weights_that_it_cannot_fetch(name, my_videos, two_layers, capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--config", f"conf/{name}", *SHORT])
    wanted = yaml.safe_load(shipped_configs()[name].read_text())["model"]["backbone"]["init_args"]["pretrained"]
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith("tevo: error: the") and f"weights {wanted!r}" in said
    assert "hub cache" in said and "`pretrained: false`" in said


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_it_is_short_and_says_how_to_use_ones_own(name):
    lines = shipped_configs()[name].read_text().splitlines()
    assert len(lines) <= LONGEST
    header = "\n".join(line for line in lines if line.startswith("#"))
    assert f"tevo fit --config conf/{name}" in header
    assert "--data.root my_videos/" in header
    other_weights = ["--model.backbone.init_args.pretrained "] * 2 if name in FULL else ["--model.backbone "]
    assert header.count(other_weights[0]) >= len(other_weights)
