"""A fit in which the Solver's video tower learns too, apart from the frozen backbone, and goes where it goes."""

import json
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from tevo.answer import Answerer
from tevo.backbones import TowerParts, Tunable
from tevo.backbones.tuning import TowerConfig
from tevo.errors import TevoError
from tevo.heads.evidence import HeadConfig
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.folders import Release, load_solver
from tevo.tasks.inspection import inspect_rewards
from tevo.tasks.solver import SolverConfig


@pytest.fixture(scope="module")
def learning(example):
    class Learning(example, Tunable):
        """The example, with something to learn behind what it sees."""

        def __init__(self):
            super().__init__()
            self.tower = nn.Sequential(*(nn.Linear(self.spec.dim, self.spec.dim) for _ in range(2)))
            for layer in self.tower:
                nn.init.eye_(layer.weight)
                nn.init.zeros_(layer.bias)
            self.requires_grad_(False)

        def encode_video(self, frames, times_s):
            seen = super().encode_video(frames, times_s)
            return type(seen)(nn.functional.normalize(self.tower(seen.values), dim=-1), seen.spans, seen.mask)

        def tower_parts(self):
            return TowerParts("tower", ("tower.0",), ("tower.1",))

    return Learning


def solver_config(trainable):
    head = HeadConfig(hidden=16, attention_heads=2, relation_layers=1)
    return SolverConfig(group=4, head=head, tower=TowerConfig(trainable, lr=1e-2, frames_at_once=8, lora_rank=2))


class Watcher(pl.Callback):
    """Notes at each step what is learnt by, and whether the tower moved, and at which rate."""

    def __init__(self):
        self.steps = []

    def on_train_batch_start(self, trainer, model, batch, batch_idx):
        self.before = {name: weight.clone() for name, weight in model.solver.tower.state_dict().items()}

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx):
        after = model.solver.tower.state_dict()
        moved = any(not torch.equal(weight, self.before[name]) for name, weight in after.items())
        (rate,) = [group["lr"] for group in trainer.optimizers[0].param_groups if group["name"] == "tower"]
        self.steps.append((model.phase.name, model.phase.objective, moved, rate))


@pytest.fixture(scope="module")
def made():
    """The run below, once it is made."""
    return {}


@pytest.fixture
def run(made, learning, model, data, trainer):
    """One round in which all of the tower learns, watched: (model, watcher, trainer, videos)."""
    if not made:
        one, watcher = model(learning(), solver=solver_config("all")), Watcher()
        to, videos = trainer(callbacks=[watcher]), data()
        to.fit(one, videos)
        made["run"] = one, watcher, to, videos
    return made["run"]


def test_the_tower_learns_in_the_solvers_phase_by_both_objectives_at_its_own_rate(run):
    model, watcher, *_ = run
    moved = {(name, objective): False for name, objective, _, _ in watcher.steps}
    for name, objective, step, _ in watcher.steps:
        moved[name, objective] |= step
    assert moved == {("questioner", "grpo"): False, ("solver", "pseudo_label"): True, ("solver", "grpo"): True}
    rates = [rate for name, _, _, rate in watcher.steps if name == "solver"]
    assert 0.3e-2 < max(rates) <= 1e-2
    assert torch.equal(model.backbone.tower[0].weight, torch.eye(model.backbone.spec.dim))  # the frozen one


def test_the_judge_of_round_0_sees_what_it_saw(run):
    model, _, _, videos = run
    batch = next(iter(videos.all_videos()))
    with torch.no_grad():
        own = model.solver.see(batch)
    assert not torch.allclose(own.tokens.values, batch.tokens.values, atol=1e-3)
    assert not torch.allclose(own.shuffled.values, batch.shuffled.values, atol=1e-3)
    assert own.dense is batch.dense
    assert model.judge().see is not None and model.judge(frozen=True).see is None


def test_what_was_measured_comes_back_from_checkpoint_and_folder(run, learning, model, trainer, data, world):
    one, _, to, videos = run
    folder, last = Path(to.default_root_dir), one.records.rounds[-1].metrics
    again = model(learning(), solver=solver_config("all"))
    checkpoint = str(folder / "checkpoints" / "last.ckpt")
    told = trainer("again").validate(again, data(), ckpt_path=checkpoint, verbose=False, weights_only=True)[0]
    assert told == pytest.approx(last, abs=1e-3)

    solver, release = load_solver(folder / "hf" / "round-1" / "solver", learning())
    for name, weight in one.solver.tower.weights().items():
        assert torch.equal(solver.tower.weights()[name], weight)
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()][:4]
    asked = {question.id: question for question in videos.val_questions}
    replies = Answerer(solver, release, videos.looking.cache_dir).answer_all(
        [asked[row["qid"]] for row in rows], world / "test", progress=False
    )
    for row, reply in zip(rows, replies, strict=True):
        assert (reply.answer.answer or "") == row["pred_answer"]
        spans = [[span.start_s, span.end_s] for span in reply.answer.spans]
        assert spans == [pytest.approx(window[:2], abs=1e-2) for window in row["pred_relevant_windows"]]


def test_low_rank_additions_learn_too(learning, model, data, trainer):
    one, watcher = model(learning(), solver=solver_config("lora")), Watcher()
    trainer(callbacks=[watcher]).fit(one, data(annotated=False))
    assert any(moved for name, _, moved, _ in watcher.steps if name == "solver")
    assert set(one.solver.tower.weights()) == {"tower.0.weight"}


def test_frames_travel_only_where_a_tower_learns(run, model, data, trainer, example):
    _, _, _, videos = run
    batch = next(iter(videos.all_videos()))
    assert len(batch.frames) == len(batch.orders) == len(batch.names)
    frozen = data(annotated=False)
    frozen.prepare_data()
    frozen.setup("fit")
    frozen.attach(example())
    assert next(iter(frozen.all_videos())).frames == ()


def test_a_backbone_that_does_not_know_its_tower_is_refused(example):
    with pytest.raises(TevoError, match=r"MyBackbone does not say .*tower_parts"):
        CoEvolution(example(), solver=solver_config("all"))


def test_evidence_is_judged_by_what_the_tower_sees(run, world):
    """Not by what the frozen backbone would have shown it."""
    model, _, _, videos = run
    release = Release(model.backbone, {}, videos.store.plan, model.questioner.phrases)
    judge = Answerer(model.solver, release, videos.looking.cache_dir)
    lines = (world / "test" / "annotations.jsonl").read_text().splitlines()
    rows = [row | {"pred_answer": row["answer"], "pred_relevant_windows": row["relevant_windows"]}
            for row in map(json.loads, lines)]  # fmt: skip
    own = judge.evidence_quality(rows, world / "test", progress=False)
    assert all(one.terms for one in own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.solver, "see", lambda batch: batch)
        assert judge.evidence_quality(rows, world / "test", progress=False) != own


def test_rewards_are_inspected_through_the_tower(run):
    model, _, _, videos = run
    found = inspect_rewards(model, videos.all_videos(), videos.curriculum.allowed_kinds(1))
    assert found.solver.groups == len(found.kept) > 0
    assert len(found.solver.terms["answer"]) == 4 * len(found.kept)
