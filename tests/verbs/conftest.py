"""A rendered world of a few videos and a config on it, for the verbs that look at a fit before it begins."""

from pathlib import Path

import pytest

from tevo.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = """
trainer: {{default_root_dir: run, accelerator: cpu}}
model:
  backbone: my_backbone.MyBackbone
  rounds: 2
  votes: 4
  pool: {{agreement_low: 0.0, agreement_high: 1.0}}
  questioner: {{min_naming: 0.0, group: 3, per_video: 4}}
  solver: {{group: 4}}
data:
  root: {world}/train
  val_annotations: {world}/test/annotations.jsonl
  cache_dir: {cache}
  max_frames: 24
  videos_per_batch: 3
  workers: 1
  progress: false
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world") / "tiny"
    main(["world", str(root), "--size", "tiny", "--workers", "1"])
    return root


@pytest.fixture
def place(world, tmp_path, monkeypatch):
    """A folder with a config; the backbone of examples/ is found from it."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(CONFIG.format(world=world, cache=tmp_path / "cache"))
    return tmp_path
