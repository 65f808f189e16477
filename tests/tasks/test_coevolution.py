"""One fit is all rounds: who learns when, what is served, what is left, and what is refused."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar

from tevo.cli import main
from tevo.data.datasets import VideoBatch
from tevo.errors import TevoError
from tevo.objectives.consensus import PoolRule
from tevo.objectives.policy import PolicyRule
from tevo.structures import Question, Span
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.checkpoints import RunCheckpoint
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.folders import load_solver
from tevo.tasks.labels import distinct, labelled
from tevo.tasks.progress import RunBar

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN_RULES = """
trainer: {{default_root_dir: run, accelerator: cpu, enable_progress_bar: false, log_every_n_steps: 1}}
model:
  backbone: my_backbone.MyBackbone
  rounds: 1
  pseudo_label_epochs: 0
  votes: 4
  pool: {{agreement_low: 0.0, agreement_high: 1.0}}
  questioner:
    min_naming: 0.0
    group: 3
    per_video: 4
    policy: {{normalisation: grpo}}
    rewards:
      extra: {{my_rewards:has_options: 0.1}}
  solver:
    credit: decoupled
    group: 4
    policy: {{normalisation: dr_grpo, ratio: sequence, updates: 2}}
    rewards:
      extra: {{my_rewards:narrow: 0.2}}
data: {{root: {videos}, cache_dir: {cache}, max_frames: 24, progress: false}}
"""


class Watcher(pl.Callback):
    """Notes each step: whose phase it is, what is served, at which rate, and whose weights move."""

    def __init__(self):
        self.steps = []

    def on_train_batch_start(self, trainer, model, batch, batch_idx):
        self.before = weights_of(model)

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx):
        after = weights_of(model)
        moved = {name for name, weight in after.items() if not torch.equal(weight, self.before[name])}
        served = "videos" if isinstance(batch, VideoBatch) else "questions"
        rates = {group["lr"] for group in trainer.optimizers[0].param_groups}
        self.steps.append((model.phase, served, {name.split(".")[0] for name in moved}, *rates))


def weights_of(model):
    parts = {"asker": model.questioner.asker, "policy": model.solver.policy}
    parts |= {"asked_at_first": model.questioner.reference, "zero_shot": model.solver.reference}
    return {
        f"{part}.{name}": weight.clone() for part, module in parts.items() for name, weight in module.named_parameters()
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two rounds, watched; made once."""
    return {"folder": tmp_path_factory.mktemp("run")}


@pytest.fixture
def two_rounds(run, model, data):
    if "model" not in run:
        run["model"], run["watcher"] = model(rounds=2), Watcher()
        trainer = pl.Trainer(
            accelerator="cpu",
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            default_root_dir=run["folder"],
            callbacks=[run["watcher"]],
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=False,
            max_epochs=-1,
        )
        trainer.fit(run["model"], data())
    return run


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- who learns when ---


def test_one_role_learns_at_a_time_and_references_never(two_rounds):
    served = {"questioner": "videos", "solver": "questions"}
    role = {"questioner": "asker", "solver": "policy"}
    steps = two_rounds["watcher"].steps
    assert {(phase.round, phase.name) for phase, *_ in steps} == {(r, name) for r in (1, 2) for name in served}
    for phase, what, moved, *_ in steps:
        assert what == served[phase.name]
        assert moved <= {role[phase.name]}
    for name in role:
        assert any(moved for phase, _, moved, *_ in steps if phase.name == name)


def test_every_objective_has_its_rate(two_rounds):
    model = two_rounds["model"]
    highest = {}
    for phase, _, _, *rates in two_rounds["watcher"].steps:
        assert len(rates) == 1
        key = (phase.name, phase.objective)
        highest[key] = max(highest.get(key, 0.0), rates[0])
    base = {
        ("questioner", "grpo"): model.questioner.config.lr,
        ("solver", "pseudo_label"): model.solver.config.lr,
        ("solver", "grpo"): model.solver.config.grpo_lr,
    }
    assert highest.keys() == base.keys()
    for key, rate in highest.items():
        assert 0.3 * base[key] < rate <= base[key]


def test_roles_share_no_weight(model):
    one = model()
    asker = {weight.data_ptr() for weight in one.questioner.parameters()}
    policy = {weight.data_ptr() for weight in one.solver.policy.parameters()}
    reference = {weight.data_ptr() for weight in one.solver.reference.parameters()}
    assert not asker & policy and not policy & reference and not asker & reference


def test_the_backbone_is_frozen_and_in_eval_mode(two_rounds):
    model = two_rounds["model"]
    assert not model.backbone.training
    assert not any(name.startswith("backbone") for name, _ in model.named_modules())
    assert model.training  # nothing else was left in eval mode


# --- what is left ---


def test_what_a_run_leaves(two_rounds):
    folder = two_rounds["folder"]
    for role in ("solver", "questioner"):
        assert sorted(path.name for path in (folder / "hf").glob(f"*/{role}")) == [role] * 3
    found = json.loads((folder / "metrics.json").read_text())
    assert [entry["round"] for entry in found["rounds"]] == [0, 1, 2]
    assert all({"test/mIoU", "test/acc", "test/acc_gqa"} <= entry["metrics"].keys() for entry in found["rounds"])
    assert "shrunk_spans" in found["controls"]
    assert (folder / "bad_videos.jsonl").read_text() == ""
    assert found["spec"]["rounds"] == 2 and found["spec"]["videos_indexed"] == 8


def test_the_pool_of_every_round_is_told_kept_or_dropped(two_rounds):
    rows = rows_of(two_rounds["folder"] / "questions.jsonl")
    assert {row["round"] for row in rows} == {1, 2}
    assert len({row["id"] for row in rows}) == len(rows)
    found = json.loads((two_rounds["folder"] / "metrics.json").read_text())["rounds"]
    for number in (1, 2):
        own = [row for row in rows if row["round"] == number]
        assert len({(row["video"], row["text"]) for row in own}) == len(own)
        assert found[number]["signals"]["kept"] == sum(row["kept"] for row in own)
        assert sum(found[number]["signals"]["drops"].values()) == sum(not row["kept"] for row in own)
        assert all(bool(row["reason"]) != row["kept"] for row in own)


def test_signals_are_judged_by_todays_solver_and_by_round_0s(two_rounds):
    first, *later = two_rounds["model"].records.rounds
    assert first.signals["necessity"] == first.signals_frozen["necessity"]
    assert any(r.signals["dependency_gap"] != r.signals_frozen["dependency_gap"] for r in later)
    assert all(r.signals["asked"] for r in later)


def test_predictions_are_the_last_rounds_inside_the_videos_and_beside_the_truth(two_rounds, world):
    rows = {row["qid"]: row for row in rows_of(two_rounds["folder"] / "predictions.jsonl")}
    truth = {row["qid"]: row for row in rows_of(world / "test" / "annotations.jsonl")}
    assert rows.keys() == truth.keys()
    for qid, row in rows.items():
        assert row["relevant_windows"] == truth[qid]["relevant_windows"] and row["answer"] == truth[qid]["answer"]
        assert all(0 <= start <= end <= truth[qid]["duration"] + 1e-6 for start, end, _ in row["pred_relevant_windows"])


def test_annotated_videos_and_the_oracle_are_not_trained_on(two_rounds, world):
    assert {row["video"] for row in rows_of(two_rounds["folder"] / "questions.jsonl")} <= {
        path.name for path in (world / "train").iterdir()
    }
    assert two_rounds["model"].data.sources.root == str(world / "train")


# --- the policy's rules ---


class StepCounter(pl.Callback):
    """How many optimizer steps each batch takes, and of which objective it is."""

    def __init__(self):
        self.steps = {}

    def on_train_batch_start(self, trainer, model, batch, batch_idx):
        self.now = (model.phase.name, model.phase.objective, trainer.current_epoch, batch_idx)
        self.steps[self.now] = 0

    def on_before_optimizer_step(self, trainer, model, optimizer):
        self.steps[self.now] += 1


def test_several_steps_are_taken_on_the_same_rollouts(model, data, trainer, monkeypatch):
    """Of a policy alone: the pseudo-label objective has no rollouts."""
    asker = QuestionerConfig(min_naming=0.0, group=3, per_video=4, policy=PolicyRule(updates=2))
    one, counter, gathered = model(questioner=asker), StepCounter(), []
    one.solver.config = replace(one.solver.config, policy=PolicyRule(updates=3, ratio="sequence"))
    gather = one.solver.gather
    monkeypatch.setattr(one.solver, "gather", lambda *given: gathered.append(1) or gather(*given))
    trainer(callbacks=[counter], gradient_clip_val=1.0).fit(one, data(annotated=False))
    taken = {
        objective[:2]: {n for key, n in counter.steps.items() if key[:2] == objective[:2]}
        for objective in counter.steps
    }
    assert taken == {("questioner", "grpo"): {2}, ("solver", "pseudo_label"): {1}, ("solver", "grpo"): {3}}
    assert len(gathered) == sum(key[1] == "grpo" and key[0] == "solver" for key in counter.steps)


def test_accumulated_batches_have_rollouts_of_their_own(model, data, trainer, monkeypatch):
    one, gathered = model(), []
    gather = one.solver.gather
    monkeypatch.setattr(one.solver, "gather", lambda *given: gathered.append(1) or gather(*given))
    counter = StepCounter()
    trainer(accumulate_grad_batches=2, callbacks=[counter]).fit(one, data(annotated=False, questions_per_batch=4))
    batches = [key for key in counter.steps if key[:2] == ("solver", "grpo")]
    assert len(gathered) == len(batches) > sum(counter.steps[key] for key in batches)


def test_several_steps_and_accumulated_batches_exclude_each_other(model, data, trainer):
    asker = QuestionerConfig(policy=PolicyRule(updates=2))
    with pytest.raises(TevoError, match=r"policy\.updates is 2 and trainer\.accumulate_grad_batches 4"):
        trainer(accumulate_grad_batches=4).fit(model(questioner=asker), data(annotated=False))


def test_every_rule_and_reward_is_reached_from_yaml(world, cache, example, tmp_path, monkeypatch):
    """One line each; the rewards are those of examples/."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(OWN_RULES.format(videos=world / "train", cache=cache))
    main(["fit", "--config", "own.yaml"])
    with next((tmp_path / "run" / "logs" / "csv").glob("*/metrics.csv")).open() as file:
        rows = list(csv.DictReader(file))
    for name in ("solver/reward/my_rewards:narrow", "questioner/reward/my_rewards:has_options"):
        values = [float(row[name]) for row in rows if row.get(name)]
        assert values and all(0 < value <= 1 for value in values), name
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["model"]["solver"]
    assert kept["credit"] == "decoupled" and kept["policy"]["normalisation"] == "dr_grpo"
    solver = load_solver(tmp_path / "run" / "hf" / "round-1" / "solver", example())[0]
    assert solver.config.rewards.extra == {"my_rewards:narrow": 0.2}
    assert solver.config.policy == PolicyRule("dr_grpo", "sequence", updates=2)


# --- the Trainer it runs in ---


def test_nothing_is_said_that_nobody_can_mend(model, data, trainer, capsys, recwarn):
    """Every warning is an error in these tests; what is only logged is looked at here."""
    trainer(logger=True, enable_progress_bar=True).fit(model(), data())
    printed = "".join(capsys.readouterr())
    for noise in ("eval mode", "will override", "Total length", "does not have", "-2", "nan"):
        assert noise not in printed


def test_a_users_own_callbacks_stay(model, data, trainer, tmp_path):
    own = ModelCheckpoint(tmp_path / "own", filename="mine", every_n_epochs=1)
    one = trainer(callbacks=[own, TQDMProgressBar()], enable_progress_bar=True)
    one.fit(model(), data(annotated=False))
    assert (tmp_path / "own" / "mine.ckpt").exists()
    kinds = [type(callback) for callback in one.callbacks]
    assert kinds.count(RunCheckpoint) == kinds.count(RunBar) == kinds.count(ModelCheckpoint) == 1
    assert TQDMProgressBar not in kinds


def test_a_fitted_model_can_be_measured_by_the_same_trainer(model, data, trainer):
    one, videos, to = model(), data(), trainer()
    to.fit(one, videos)
    told = to.validate(one, videos, verbose=False)[0]
    last = one.records.rounds[-1].metrics
    assert told == pytest.approx(last, abs=1e-3)


def test_a_shorter_run_may_be_asked_for(model, data, trainer):
    one = model(rounds=3)
    to = trainer()
    to.fit_loop.max_epochs = 1
    to.fit(one, data(annotated=False))
    assert to.current_epoch == 1 and [result.round for result in one.records.rounds] == [0]


# --- refusals ---


def test_a_pool_in_which_nothing_is_left_is_refused_in_words(model, data, trainer):
    nothing = PoolRule(agreement_low=0.999, agreement_high=0.9995)
    with pytest.raises(TevoError, match=r"no question to train the Solver on .*0 kept; dropped: .*widen model\.pool"):
        trainer().fit(model(pool=nothing), data())


def test_another_datamodule_is_refused(model, trainer):
    class Other(pl.LightningDataModule):
        def train_dataloader(self):
            return [1]

        def val_dataloader(self):
            return [1]

    with pytest.raises(TevoError, match=r"needs a tevo\.data\.VideoQuestions"):
        trainer().fit(model(), Other())


def test_a_backbone_without_words_is_refused():
    from tevo.backbones import Backbone, BackboneSpec

    class Mute(Backbone):
        def __init__(self):
            super().__init__()
            self.spec = BackboneSpec("mute", 3, 8, 1, 1.0, "mute")

        def encode_video(self, frames, times_s):
            raise AssertionError

    with pytest.raises(TevoError, match="has no encode_text"):
        CoEvolution(Mute())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"backbone": "clip_tinny"}, "did you mean clip_tiny"),
        ({"witness": "nobody"}, "must be one of solver, both, questioner"),
        ({"rounds": 0}, "at least one round"),
        ({"questioner": QuestionerConfig(phrases="absent.txt")}, "no phrase bank 'absent.txt'"),
    ],
)
def test_settings_that_cannot_be_are_refused(example, options, said):
    with pytest.raises(TevoError, match=said):
        CoEvolution(**{"backbone": example()} | options)


# --- plain data that crosses ---


def question(number, text="When?", video="a.mp4"):
    return Question(str(number), video, text, "when")


def test_the_same_question_about_the_same_video_is_put_once():
    asked = [question(0), question(1), question(2, "What?"), question(3, video="b.mp4")]
    kept, rows = distinct(asked, torch.tensor([0, 0, 0, 1]))
    assert [q.id for q in kept] == ["0", "2", "3"] and rows.tolist() == [0, 0, 1]


def test_the_label_takes_the_place_of_the_askers_own():
    asked = Question("0", "a.mp4", "What?", "what", ("x", "y"), "x", (Span(1.0, 2.0),))
    told = labelled(asked, "y", [Span(3.0, 4.0)])
    assert (told.answer, told.evidence, told.options) == ("y", (Span(3.0, 4.0),), ("x", "y"))
