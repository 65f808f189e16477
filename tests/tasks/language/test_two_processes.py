"""``tevo fit`` of a language model in two processes: an adapter a role, one video damaged, and what one would make."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from tevo.data.collection import Probing

HERE = Path(__file__).parent
BROKEN = "000003.mp4"  # the second process looks at it
CONFIG = """
seed_everything: 0
trainer:
  accelerator: cpu
  devices: 2
  enable_progress_bar: false
  logger: false
  gradient_clip_val: 1.0
  callbacks: [{class_path: witness.Witness}, {class_path: talker.Steady}]
model:
  backbone: {class_path: talker.talker}
  rounds: 1
  pseudo_label_epochs: 1
  grpo_epochs: 1
  votes: 3
  questioner:
    group: 4
    per_video: 8
    agreement_low: 0.0
    agreement_high: 1.0
    words: {max_new_tokens: 48, control_votes: 2, merged: false}
  solver: {group: 3, words: {max_new_tokens: 48, control_votes: 2, merged: false}}
  pool: {agreement_low: 0.0, agreement_high: 1.0}
data:
  max_frames: 12
  max_tokens: 48
  videos_per_batch: 2
  questions_per_batch: 4
  questions_per_epoch: 8
  workers: 1
  cache_dir: cache
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_gloo_available(), reason="gloo is not built into this torch"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, world, damage):
    """A folder with all that the command line names; one video was readable when it was indexed."""
    pytest.importorskip("peft")
    root = tmp_path_factory.mktemp("place")
    shutil.copytree(world / "train", root / "videos")
    for path in (HERE.parent / "witness.py", HERE / "talker.py"):
        shutil.copy(path, root)
    (root / "run.yaml").write_text(CONFIG)
    assert not Probing(root / "cache", 60.0, 1, False).root(str(root / "videos")).bad
    damage(root / "videos" / BROKEN)
    return root


@pytest.fixture(scope="module")
def runs(place, launch):
    """The folders of a run of two processes, and of one that takes two batches to a step."""
    assert launch(place, "two", "--data.root", "videos") == 0
    alone = ("--trainer.devices", "1", "--trainer.accumulate_grad_batches", "2")
    assert launch(place, "one", "--data.root", "videos", *alone) == 0
    return place / "two", place / "one"


@pytest.fixture(scope="module")
def ranks(runs):
    return [json.loads((runs[0] / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_both_take_the_same_steps_and_have_the_same_weights_and_pool(ranks, runs):
    first, second = ranks
    for name in first.keys() - {"rows alone"}:
        assert first[name] == second[name], name
    assert all(first["after"][role] != first["before"][role] for role in ("questioner", "solver"))
    alone = json.loads((runs[1] / "rank-0.json").read_text())
    assert {"questioner", "solver"} == set(first["steps"]) and len(alone["steps"]) == 2 * len(first["steps"])


def test_the_damaged_video_is_left_out_by_both(ranks, runs):
    assert [Path(row["path"]).name for row in rows(runs[0] / "bad_videos.jsonl")] == [BROKEN]
    assert all(len(seen["videos"]) == 7 and BROKEN not in seen["videos"] for seen in ranks)


def test_pool_and_answers_are_those_of_one_process(ranks, runs):
    assert all(seen["pool"] == seen["pool alone"] and seen["size"][1] > 7 for seen in ranks)
    for name in ("questions.jsonl", "predictions.jsonl"):
        two, one = (rows(run / name) for run in runs)
        assert [row.get("id", row.get("qid")) for row in two] == [row.get("id", row.get("qid")) for row in one] != []
    asked = [[(row["text"], row["completion"], row["votes"], row["kept"]) for row in rows(run / "questions.jsonl")]
             for run in runs]  # fmt: skip
    assert asked[0] == asked[1]
    faults = [json.loads((run / "metrics.json").read_text())["rounds"][1]["signals"]["faults"] for run in runs]
    assert faults[0] == faults[1] != {}


def test_weights_are_those_of_one_process(runs):
    """One that takes both processes' batches to a step: sums are the same but for the order of their terms."""
    two, one = (torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in runs)
    assert one.keys() == two.keys()
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, atol=1e-5, rtol=1e-3)
    for role in ("questioner", "solver"):
        began = load_file(runs[0] / "hf" / "round-0" / role / "model.safetensors")
        moved = [float((two[f"{role}.{name}"] - weight).abs().max()) for name, weight in began.items()]
        assert min(moved) > 5e-4, role  # steps of 0.001; weight decay alone moves them by less than 1e-5
