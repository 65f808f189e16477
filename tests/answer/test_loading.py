"""A run, a round, a role, a language model, a name: each becomes a model to be asked."""

import json
from pathlib import Path

import pytest
import torch

import tevo
from tevo.answer import Answerer
from tevo.answer.language import LanguageLooker
from tevo.answer.loading import solver_folder
from tevo.backbones import build_backbone
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.metrics import RoundResult, RunResults, write_results
from tevo.tasks.folders import Release, save_solver
from tevo.tasks.solver import Solver
from tevo.tasks.solving import SolverConfig

VIDEO = Path(__file__).parents[1] / "data" / "videos" / "made" / "events7_vfr.mp4"
PHRASES = ("a door opens", "a pan falls", "a dog barks", "a light goes out", "a cup breaks")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    backbone = build_backbone("clip_tiny")
    release = Release(backbone, {}, ViewPlan(1.0, 24, 1, 0, torch.float32), PHRASES)
    for number in (0, 2, 10):
        save_solver(root / "hf" / f"round-{number}" / "solver", Solver(128, 128, backbone, SolverConfig()), release)
    return root


@pytest.mark.parametrize(("best", "taken"), [(2, 2), (0, 0), (None, 10)])
def test_of_a_run_the_best_round_is_taken_else_the_last(run, best, taken):
    write_results(run, RunResults({}, (RoundResult(0),), best_round=best))
    assert solver_folder(run) == run / "hf" / f"round-{taken}" / "solver"
    (run / "metrics.json").unlink()
    assert solver_folder(run) == run / "hf" / "round-10" / "solver"
    assert solver_folder(run / "hf" / "round-2") == run / "hf" / "round-2" / "solver"


def test_a_run_is_asked(run, tmp_path):
    model = tevo.load(run, cache_dir=tmp_path)
    assert isinstance(model, Answerer) and model.answer(VIDEO, "What happens first?").answer in PHRASES


def test_a_backbone_by_its_name_answers_zero_shot(tmp_path):
    model = tevo.load("clip_tiny", cache_dir=tmp_path)
    answer = model.answer(VIDEO, "What happens first?")
    assert answer.answer == max(answer.option_probs, key=answer.option_probs.__getitem__)
    assert "the red shape grows" in answer.option_probs


def test_a_language_model_is_known_by_its_folder(tmp_path):
    pytest.importorskip("peft")
    torch.manual_seed(0)
    model = build_backbone("qwen2_5_vl_tiny", pretrained=False)
    model.add_role("solver")
    model.save_role("solver", str(tmp_path / "model"), merged=True)
    loaded = tevo.load(tmp_path / "model", cache_dir=tmp_path)
    assert isinstance(loaded.looker, LanguageLooker) and loaded.phrases == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nonesuch", "'nonesuch' is no folder and no backbone"),
        ("no/such", "no such folder"),
        ("internvid_nonesuch", "`tevo list`"),
    ],
)
def test_what_is_none_of_these(name, said):
    with pytest.raises(TevoError, match=said):
        tevo.load(name)


def test_a_folder_that_holds_something_else(tmp_path):
    with pytest.raises(TevoError, match="is not a solver of tevo"):
        tevo.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(TevoError, match="this adapter reads"):
        tevo.load(tmp_path)


def test_a_bare_adapter_is_refused_with_what_to_do(tmp_path, run):
    """peft's own layout, as ``save_role`` writes it; beside a Solver of tevo the way is shorter."""
    pytest.importorskip("peft")
    model = build_backbone("qwen2_5_vl_tiny", pretrained=False, trainable="lora")
    model.add_role("solver")
    for folder, said in [
        (tmp_path / "adapter", "which it does not name.*merge_and_unload"),
        (run / "hf" / "round-2" / "solver" / "adapter", r"give .*round-2/solver$"),
    ]:
        model.save_role("solver", str(folder), merged=False)
        with pytest.raises(TevoError, match=f"holds a peft adapter alone.*{said}"):
            tevo.load(folder)
