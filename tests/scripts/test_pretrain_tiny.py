"""Two steps of each tiny model's pretraining: what is written is what its backbone loads."""

import importlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.data.world.generate import generate
from tevo.prompts.phrases import world_phrases

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("world") / "world"
    generate(root, "tiny")
    return root / "clips"


@pytest.mark.slow
@pytest.mark.parametrize("tower", ["clip", "videomae", "internvid"])
def test_two_steps_write_weights_that_the_backbone_loads(tower, clips, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(SCRIPTS)
    threads = torch.get_num_threads()
    words = [tower, str(clips), "--steps", "2", "--batch", "3", "--threads", str(threads), "--out", str(tmp_path)]
    importlib.import_module("pretrain_tiny").main(words)

    figures = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [entry["step"] for entry in figures] == [1, 2]
    assert figures[1]["loss"] < figures[0]["loss"]
    name = f"{tower}_tiny"
    trained = build_backbone(name, pretrained=str(tmp_path / f"{name}.safetensors"))
    assert trained.spec.fingerprint != build_backbone(name, pretrained=False).spec.fingerprint


@pytest.mark.slow
def test_a_language_model_is_taught_sight_then_words_and_words_leave_the_tower_alone(
    clips, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(SCRIPTS)
    rows = [json.loads(line) for line in (clips / "captions.jsonl").read_text().splitlines()]
    more = [{**rows[i % len(rows)], "caption": caption} for i, caption in enumerate(world_phrases()[:8])]  # are too few
    clips = shutil.copytree(clips, tmp_path / "clips")
    (clips / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more))
    main = importlib.import_module("pretrain_qwen").main
    common = [
        "qwen2_5_vl_tiny", str(clips), "--tokens", "300", "--exams", "2", "--threads", str(torch.get_num_threads()),
        "--reports", "1", "--captions_alone", "0.5",
    ]  # fmt: skip
    main([*common, "--sight", "1", "--steps", "1", "--out", str(tmp_path / "seen")])
    seen = tmp_path / "seen" / "qwen2_5_vl_tiny.safetensors"
    main([*common, "--sight", "0", "--steps", "2", "--resume", str(seen), "--out", str(tmp_path)])

    figures = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [entry.get("sight_step", entry.get("step")) for entry in figures] == [1, 1, 2]
    before, after = (
        build_backbone("qwen2_5_vl_tiny", pretrained=str(path))
        for path in (seen, tmp_path / "qwen2_5_vl_tiny.safetensors")
    )
    assert after.spec.fingerprint == before.spec.fingerprint  # that of the tower
    pairs = zip(before.model.parameters(), after.model.parameters(), strict=True)
    assert any(not torch.equal(*pair) for pair in pairs)
