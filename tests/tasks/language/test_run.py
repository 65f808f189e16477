"""Whole runs of a model that writes: real classes, random weights, words dealt by the draws' generator."""

import json
from pathlib import Path

import pytest
import torch

import tevo
from tevo.objectives.consensus import PoolRule
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.solving import SolverConfig
from tevo.tasks.words import Words

WORDS = Words(max_new_tokens=48, control_votes=2)
SMALL = {
    "rounds": 1,
    "pseudo_label_epochs": 1,
    "grpo_epochs": 1,
    "questioner": QuestionerConfig(group=2, per_video=4, words=WORDS, lr=1e-3),
    "solver": SolverConfig(group=3, words=WORDS, lr=1e-3, grpo_lr=1e-3),
    "pool": PoolRule(agreement_low=0.0, agreement_high=1.0),
    "votes": 3,
    "checkpoint_every_steps": 1,
}


class Killed(Exception):
    """Stands for a SIGKILL inside this process: nothing is saved on the way out."""


@pytest.fixture
def talker(talking):
    """The same random weights each time."""
    return lambda trainable="all": talking.talker(trainable, obliging=False)


@pytest.fixture
def fit(talker, data, trainer):
    def run(folder, kill_at=None, resume=False, trainable="all"):
        """A fit in this process, killed before a step of that number, and taken up from its last checkpoint."""
        one, to = CoEvolution(talker(trainable), **SMALL), trainer(folder)
        step = one.training_step

        def training_step(batch, batch_idx):
            if one.global_step == kill_at:
                raise Killed
            return step(batch, batch_idx)

        one.training_step = training_step
        videos = data(
            max_frames=12, max_tokens=48, videos_per_batch=4, questions_per_batch=3, annotated=False, heldout_share=0.4
        )
        last = str(one_last(to)) if resume else None
        try:
            to.fit(one, videos, ckpt_path=last, weights_only=True)
        except Killed:
            pass
        return one, to

    return run


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def one_last(to):
    return f"{to.default_root_dir}/checkpoints/last.ckpt"


def left(to):
    """What must not depend on having been killed."""
    state = torch.load(one_last(to), weights_only=True)
    records = state["tevo"]["records"]
    records.pop("spec")
    for result in records["rounds"]:
        result.pop("seconds")
    plain = [state[key] for key in ("epoch", "global_step", "VideoQuestions")] + [records]
    files = [Path(to.default_root_dir, f"{name}.jsonl").read_text() for name in ("questions", "predictions")]
    moments = [
        slot[key] for slot in state["optimizer_states"][0]["state"].values() for key in ("exp_avg", "exp_avg_sq")
    ]
    return repr(plain), files, {**state["state_dict"], **{str(i): moment for i, moment in enumerate(moments)}}


def test_a_run_leaves_what_was_written_and_is_asked_again(fit, talker, talking, world, tmp_path, cache):
    from transformers import AutoModelForImageTextToText

    one, _ = fit("run")
    rows = lines(tmp_path / "run" / "questions.jsonl")
    assert rows and all(row["completion"].startswith("<evidence>") for row in rows)
    assert all(reply.startswith(("<answer>", "<glue>")) for row in rows for reply in row["replies"])
    assert any(row["kept"] and row["window"] and row["pseudo_evidence"] for row in rows)
    predicted = lines(tmp_path / "run" / "predictions.jsonl")
    assert predicted and all(row["pred_completion"] and row["pred_parsed"] for row in predicted)
    results = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert [result["round"] for result in results["rounds"]] == [0, 1]
    told = results["rounds"][1]["signals"]
    assert set(told["faults"]) == {"a kind that was not asked for"}  # it asks for the first or the last alone
    tries = told["asked"] + told["faults"]["a kind that was not asked for"]
    assert told["parse_failure_rate"] == pytest.approx(1 - told["asked"] / tries)

    whole = tmp_path / "run" / "hf" / "round-1" / "questioner" / "merged"
    assert {"config.json", "generation_config.json", "model.safetensors", "README.md"} <= {
        p.name for p in whole.iterdir()
    }

    start = talker()
    moved = one.solver.weights.state_dict()
    base = start.model.state_dict()
    assert all(torch.equal(base[name], value) for name, value in one.backbone.model.state_dict().items())
    assert any(
        not torch.equal(base[f"model.{name}"], moved[name]) for name in moved if name.startswith("language_model")
    )

    whole = AutoModelForImageTextToText.from_pretrained(tmp_path / "run" / "hf" / "round-1" / "solver" / "merged")
    exported = whole.state_dict()
    trained = [name for name in moved if name.startswith("language_model")]
    assert trained and all(torch.equal(exported[f"model.{name}"], moved[name]) for name in trained)

    model = tevo.load(tmp_path / "run" / "hf" / "round-1" / "solver", backbone=talking.talk(start), cache_dir=cache)
    assert all(torch.equal(value, moved[name]) for name, value in model.solver.weights.state_dict().items())
    answer = model.answer(
        next((world / "train").glob("*.mp4")), "What happens first?", ["it grows", "it spins", "it hops"]
    )
    assert answer.answer in ("it grows", "it spins", "it hops") and answer.parsed
    assert answer.completion.startswith("<answer>") and 0.0 < answer.confidence < 1.0


def test_a_run_killed_three_times_ends_bit_equal(fit):
    _, whole = fit("whole")
    assert whole.global_step == 4  # two of the Questioner, one on pseudo-labels, one of GRPO
    for number, kill_at in enumerate((1, 2, 3)):
        fit("killed", kill_at=kill_at, resume=number > 0)
    _, killed = fit("killed", resume=True)
    one, other = left(whole), left(killed)
    assert one[:2] == other[:2]
    assert one[2].keys() == other[2].keys()
    assert all(torch.equal(value, other[2][name]) for name, value in one[2].items())


def test_a_checkpoint_holds_the_adapters_and_not_the_base(fit, tmp_path):
    pytest.importorskip("peft")
    one, to = fit("lora", trainable="lora_all")
    saved = torch.load(one_last(to), weights_only=True)["state_dict"]
    assert {name.split(".weights.")[0] for name in saved} == {"questioner", "solver"}
    adapters = sum(weight.numel() for weight in one.solver.weights)
    assert sum(value.numel() for value in saved.values()) == 2 * adapters
    assert adapters < sum(weight.numel() for weight in one.backbone.model.parameters()) / 3
    assert any(bool(value.any()) for name, value in saved.items() if name.startswith("solver"))
