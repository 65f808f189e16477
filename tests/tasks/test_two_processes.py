"""``tevo fit`` in two processes: they agree on everything, and leave behind what one process would."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tevo.data.collection import Probing

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "my_backbone.py"
BROKEN = "000003.mp4"  # the second process looks at it
CONFIG = """
seed_everything: 0
trainer:
  accelerator: cpu
  devices: 2
  enable_progress_bar: false
  logger: false
  callbacks: [{class_path: witness.Witness}]
model:
  backbone: my_backbone.MyBackbone
  rounds: 1
  pseudo_label_epochs: 1
  grpo_epochs: 1
  checkpoint_every_steps: 1
  questioner: {min_naming: 0.0}
  pool: {agreement_low: 0.0, agreement_high: 1.0}
data: {videos_per_batch: 2, questions_per_batch: 8, workers: 1, cache_dir: cache}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_gloo_available(), reason="gloo is not built into this torch"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, world, damage):
    """A folder with all that the command line names; one video was readable when it was indexed."""
    root = tmp_path_factory.mktemp("place")
    shutil.copytree(world / "train", root / "videos")
    for path in (EXAMPLE, HERE / "witness.py"):
        shutil.copy(path, root)
    (root / "run.yaml").write_text(CONFIG)
    assert not Probing(root / "cache", 60.0, 1, False).root(str(root / "videos")).bad
    damage(root / "videos" / BROKEN)
    return root


@pytest.fixture(scope="module")
def fit(place, world, launch):
    def run(folder, *words, kill=None):
        videos = ["--data.root", "videos", "--data.val_annotations", str(world / "test/annotations.jsonl")]
        return launch(place, folder, *videos, *words, kill=kill)

    return run


@pytest.fixture(scope="module")
def whole(place, fit):
    """The folder of a run that nobody stopped."""
    assert fit("whole") == 0
    return place / "whole"


@pytest.fixture(scope="module")
def ranks(whole):
    return [json.loads((whole / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_both_take_the_same_steps_and_have_the_same_weights_pool_and_curriculum(ranks):
    first, second = ranks
    assert first.keys() == second.keys() and {"questioner", "solver"} == set(first["steps"])
    for name in first.keys() - {"rows alone"}:
        assert first[name] == second[name], name
    assert all(first["after"][role] != first["before"][role] for role in ("questioner", "solver"))


def test_the_pool_is_the_one_that_one_process_would_have_built(ranks):
    for seen in ranks:
        assert seen["size"][0] > 7
        assert seen["pool"] == seen["pool alone"]


def test_figures_are_of_all_questions_and_those_of_one_process(ranks, whole, world):
    for seen in ranks:
        assert seen["metrics"] == seen["metrics alone"] != {}
        assert seen["rows alone"] == rows(whole / "predictions.jsonl")
    asked = {str(row["qid"]) for row in rows(world / "test/annotations.jsonl")}
    assert {row["qid"] for row in rows(whole / "predictions.jsonl")} == asked


def test_a_video_that_one_of_them_cannot_read_is_left_out_by_both_and_named_once(ranks, whole):
    bad = rows(whole / "bad_videos.jsonl")
    assert [Path(row["path"]).name for row in bad] == [BROKEN] and bad[0]["reason"]
    assert all(len(seen["videos"]) == 7 and BROKEN not in seen["videos"] for seen in ranks)
    assert not any(row["video"] == BROKEN for row in rows(whole / "questions.jsonl"))


def test_what_is_left_behind_is_whole_and_there_once(ranks, whole):
    asked = [row["id"] for row in rows(whole / "questions.jsonl")]
    assert len(asked) == len(set(asked)) == ranks[0]["size"][0]
    measured = json.loads((whole / "metrics.json").read_text())
    assert [result["round"] for result in measured["rounds"]] == [0, 1]
    assert (whole / "report.html").read_text().rstrip().endswith("</html>")
    assert {path.name for path in (whole / "hf").iterdir()} == {"round-0", "round-1"}
    assert not [path for path in whole.rglob("*") if "tmp" in path.suffix or "unfinished" in path.name]


def test_when_one_is_killed_the_other_ends_and_both_go_on_as_if_nothing_had_been(whole, place, fit):
    # The first process dies over half a checkpoint of the Solver's phase; the other, which writes none, notices.
    assert fit("killed", kill=("checkpoint", 6)) == -signal.SIGKILL
    assert not list((place / "killed").glob("rank-*.json"))
    assert fit("killed", "--ckpt_path", "last") == 0
    for name in ("questions.jsonl", "predictions.jsonl", "bad_videos.jsonl"):
        assert (place / "killed" / name).read_bytes() == (whole / name).read_bytes()
    states = [torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (whole, place / "killed")]
    one, other = (state["state_dict"] for state in states)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
