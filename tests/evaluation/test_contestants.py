"""Models by what a user calls them: runs, backbones, and what a run was before it learnt."""

import json
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.errors import TevoError
from tevo.evaluation import agreed_spec, evaluate, find_contestants
from tevo.structures import Question

LONG = Path(__file__).parents[1] / "data" / "videos" / "made" / "events7_vfr.mp4"
OPTIONS = ("a door opens", "a pan falls", "a dog barks")
ASKED = [
    Question("a", str(LONG), "What happens first?", "first", OPTIONS),
    Question("b", str(LONG), "When does this happen: a dog barks?", "when"),
    Question("c", str(LONG), "What happens between 5 s and 9 s?", "what", OPTIONS),
]


def test_labels_and_sources(runs, cache):
    run = runs / "run"
    found = find_contestants(["base", str(run / "hf" / "round-0" / "solver"), f"mine={run}", "clip_tiny"], cache)
    assert [one.label for one in found] == ["base", "round-0", "mine", "clip_tiny"]
    base, zero, mine, bare = found
    assert mine.source.endswith("round-1/solver")  # a run without metrics: its last round
    assert zero.looks == {"fps": 1.0, "max_frames": 24, "dense_factor": 1, "dtype": torch.float32}
    assert base.weights == f"zero-shot of {zero.weights}" != zero.weights != mine.weights
    assert bare.weights.startswith("zero-shot of ")


def test_rounds_of_several_runs_are_told_apart(runs, tmp_path):
    other = tmp_path / "other"
    other.symlink_to(runs / "run")
    found = find_contestants([str(root / "hf" / "round-1" / "solver") for root in (runs / "run", other)])
    assert [one.label for one in found] == ["run-round-1", "other-round-1"]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (["base"], "give the hf/round-N/solver folder of one too, or the name of a backbone"),
        (["base", "clip_tiny"], "give the hf/round-N/solver folder of one"),
        (["clip_tiny", "clip_tiny"], "two models are called 'clip_tiny'"),
        (["=clip_tiny"], "'=clip_tiny' names no model"),
        (["clip_tinny"], "is no folder and no backbone"),
        (["runs/absent/hf/round-1/solver"], "is not a solver of tevo: no such folder"),
        (["videomae_tiny"], "has no words of its own before"),
    ],
)
def test_what_is_no_model(sources, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TevoError, match=said):
        find_contestants(sources)


def test_base_is_what_round_0_was_and_no_later_round(runs, cache):
    """Also where the weights that were trained say something else."""
    folders = [str(runs / "run" / "hf" / f"round-{number}" / "solver") for number in (0, 1)]
    contestants = find_contestants(["base", *reversed(folders)])
    spec = agreed_spec({one.label: one.looks for one in contestants})
    base, trained, zero = ([*one.open(spec, cache).answer_all(ASKED, progress=False)] for one in contestants)
    for of_base, of_zero in zip(base, zero, strict=True):
        assert of_base.answer.spans == of_zero.answer.spans
        assert of_base.answer.option_probs == pytest.approx(of_zero.answer.option_probs, abs=1e-6)
    assert [reply.answer.spans for reply in base] != [reply.answer.spans for reply in trained]


def test_a_model_looks_as_the_spec_says(runs, cache):
    (one,) = find_contestants([str(runs / "run")])
    spec = agreed_spec({one.label: one.looks}, fps=0.5, max_frames=6)
    model = one.open(spec, cache)
    (reply,) = model.answer_all(ASKED[:1], progress=False)
    assert reply.answer.token_forwards == 6
    assert model.store.plan.seed == 0


def test_a_language_model_has_a_budget_of_tokens_and_answers_in_words(cache, tmp_path, choice, rows, monkeypatch):
    pytest.importorskip("peft")
    monkeypatch.setattr("tevo.answer.loading.build_backbone", lambda name: build_backbone(name, pretrained=False))
    (one,) = find_contestants(["qwen2_5_vl_tiny"], cache)
    assert set(one.looks) == {"fps", "max_frames", "max_tokens"}
    spec = agreed_spec({one.label: one.looks}, max_frames=8, max_tokens=32)
    assert (spec.max_tokens, spec.dense_factor) == (32, None)
    results = evaluate([one], [choice(rows[:2])], spec, tmp_path / "out", evidence=5, cache_dir=cache, progress=False)
    lines = (tmp_path / "out" / "generic" / "qwen2_5_vl_tiny" / "predictions.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(line)["completion"], str) for line in lines) and len(lines) == 2
    (found,) = results["benchmarks"]
    assert found["evidence"] == {} and "of which there is none" in found["notes"][-1]
