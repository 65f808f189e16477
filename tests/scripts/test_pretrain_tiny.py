"""Two steps of each tiny tower's pretraining: what is written is what its backbone loads."""

import importlib
import json
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.data.world.generate import generate

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
