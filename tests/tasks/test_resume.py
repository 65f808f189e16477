"""A run that is killed, wherever it is, and taken up again ends bit-equal to one that was not."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tevo.errors import TevoError

KILLER = Path(__file__).with_name("killer.py")
EXAMPLE = Path(__file__).parents[2] / "examples" / "my_backbone.py"
MODULE = "tevo.tasks.coevolution"
KILLS = [  # in the order in which one run meets them; the checkpoint of the step before is there each time
    (f"{MODULE}:CoEvolution._signals", 1),  # measuring round 0: nothing is saved yet
    (f"{MODULE}:CoEvolution.training_step", 2),  # in the Questioner's phase
    ("tevo.tasks.rounds:judge_pool", 2),  # the pool is half built
    ("tevo.tasks.rounds:write_questions", 1),  # the pool is built, and not yet saved
    (f"{MODULE}:CoEvolution._solver_step", 3),  # learning from pseudo-labels
    ("checkpoint", 2),  # a checkpoint is half written
    ("tevo.tasks.solver:Solver.gather", 3),  # in GRPO
    ("tevo.tasks.folders:save_questioner", 1),  # the round is measured, one of two models is written
]
CONFIG = """
seed_everything: 0
trainer: {accelerator: cpu, enable_progress_bar: false, logger: false}
model:
  backbone: my_backbone.MyBackbone
  rounds: 1
  pseudo_label_epochs: 1
  grpo_epochs: 1
  checkpoint_every_steps: 1
  questioner: {min_naming: 0.0}
  pool: {agreement_low: 0.0, agreement_high: 1.0}
data: {videos_per_batch: 3, questions_per_batch: 8, workers: 1, cache_dir: cache}
"""


class Killed(Exception):
    """Stands for a SIGKILL inside this process: nothing is saved on the way out."""


def what_is_left(run):
    """Every file that must not depend on having been killed, and the last checkpoint without clock and counters."""
    files = [path for path in sorted((run / "hf").rglob("*")) if path.is_file()]
    files += [run / f"{name}.jsonl" for name in ("questions", "predictions", "bad_videos")] + [run / "metrics.json"]
    left = {path.relative_to(run).as_posix(): path.read_bytes() for path in files}
    for checkpoint in sorted((run / "checkpoints").glob("*.ckpt")):
        state = torch.load(checkpoint, weights_only=True)
        records = state["tevo"]["records"]
        records.pop("spec")  # when it began; metrics.json holds the rest
        for result in records["rounds"]:
            result.pop("seconds")
        left[checkpoint.name] = [state[key] for key in ("epoch", "global_step", "VideoQuestions", "tevo")]
        left[f"{checkpoint.name}: weights"] = state["state_dict"]
        left[f"{checkpoint.name}: optimizer"] = state["optimizer_states"]
    return left


def assert_equal(one, other, where=""):
    """Equal to the bit, however deeply nested."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_equal(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_equal(left, right, f"{where}/{number}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other or (one != one and other != other), f"{where}: {one!r} is not {other!r}"  # NaN is NaN


@pytest.fixture(scope="module")
def place(tmp_path_factory, world):
    """A folder with all that the command line names."""
    root = tmp_path_factory.mktemp("place")
    shutil.copy(EXAMPLE, root)
    (root / "run.yaml").write_text(CONFIG)
    return root


@pytest.fixture(scope="module")
def tevo_fit(place, world):
    def run(folder, *words, kill=None):
        """``tevo fit`` in a process of its own; returns its exit status."""
        tevo = [str(KILLER), *map(str, kill)] if kill else ["-m", "tevo"]
        videos = ["--data.root", str(world / "train"), "--data.val_annotations", str(world / "test/annotations.jsonl")]
        words = ["fit", "--config", "run.yaml", "--trainer.default_root_dir", folder, *videos, *words]
        done = subprocess.run([sys.executable, *tevo, *words], cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode

    return run


@pytest.mark.slow
def test_killed_eight_times_and_resumed(place, tevo_fit):
    assert tevo_fit("whole") == 0
    for number, kill in enumerate(KILLS):
        assert tevo_fit("killed", "--ckpt_path", "last", kill=kill) == -signal.SIGKILL, f"it was not killed at {kill}"
        checkpoints = {path.name for path in (place / "killed" / "checkpoints").glob("[!.]*")}
        assert checkpoints == ({"last.ckpt", "round-0.ckpt", "best.ckpt"} if number else set())
    assert tevo_fit("killed", "--ckpt_path", "last") == 0

    assert_equal(what_is_left(place / "killed"), what_is_left(place / "whole"))
    assert list((place / "killed").rglob("*unfinished*")) == []
    assert (place / "killed" / "report.html").is_file()


@pytest.fixture
def fit(model, data, trainer):
    def run(folder, kill_at=None, resume=False, annotated=False, **options):
        """A fit in this process, killed before a step of that number, and taken up from its last checkpoint."""
        one, to = model(**options), trainer(folder)
        step = one.training_step

        def training_step(batch, batch_idx):
            if one.global_step == kill_at:
                raise Killed
            return step(batch, batch_idx)

        one.training_step = training_step
        last = one_last(to) if resume is True else resume or None
        try:
            to.fit(one, data(annotated), ckpt_path=last, weights_only=True)
        except Killed:
            pass
        return one

    return run


def one_last(trainer):
    return Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"


def test_killed_before_every_step_and_resumed(fit, tmp_path):
    one = fit("whole")
    assert one.global_step >= 6
    for step in range(1, one.global_step):
        assert fit("killed", kill_at=step, resume=step > 1).global_step == step
    fit("killed", resume=True)
    whole = what_is_left(tmp_path / "whole")
    assert_equal(what_is_left(tmp_path / "killed"), whole)

    steps = one.global_step  # and a finished run that is taken up does nothing
    assert fit("whole", resume=True).global_step == steps
    assert_equal(what_is_left(tmp_path / "whole"), whole)

    fit("whole", resume=True, rounds=2)  # unless more rounds are wanted
    fit("two", rounds=2)
    assert_equal(what_is_left(tmp_path / "whole"), what_is_left(tmp_path / "two"))


def test_checkpoints_at_the_ends_of_epochs_alone(fit, tmp_path):
    steps = fit("whole", checkpoint_every_steps=0).global_step
    fit("killed", kill_at=steps - 1, checkpoint_every_steps=0)
    assert torch.load(tmp_path / "killed/checkpoints/last.ckpt", weights_only=True)["global_step"] < steps - 2
    fit("killed", resume=True, checkpoint_every_steps=0)
    assert_equal(what_is_left(tmp_path / "killed"), what_is_left(tmp_path / "whole"))


def test_another_seed_is_another_run(fit, tmp_path):
    for seed in (0, 1):
        fit(str(seed), seed=seed, kill_at=3)
    one, other = (what_is_left(tmp_path / str(seed)) for seed in (0, 1))
    assert one["metrics.json"] != other["metrics.json"]
    weights = [part["last.ckpt: weights"]["solver.policy.evidence.enter.1.weight"] for part in (one, other)]
    assert not torch.equal(*weights)


def test_the_first_weights_depend_on_the_seed_alone(model):
    torch.manual_seed(7)
    one = model(seed=3)
    torch.manual_seed(8)
    assert_equal(model(seed=3).state_dict(), one.state_dict())


def test_a_resumed_run_does_not_measure_round_0_again(fit, monkeypatch):
    fit("run", kill_at=0)
    rounds = []
    monkeypatch.setattr("tevo.tasks.coevolution.CoEvolution._finish_round", lambda self, round: rounds.append(round))
    again = fit("run", resume=True)
    assert rounds == [1]
    assert [result.round for result in again.records.rounds] == [0]


def test_a_run_that_was_to_stop_early_does_not_go_on(fit, monkeypatch):
    monkeypatch.setattr("tevo.tasks.records.RunRecords.is_falling", lambda self: len(self.rounds) > 1)
    whole = fit("run", rounds=2, early_stop=True)
    assert [result.round for result in whole.records.rounds] == [0, 1]
    again = fit("run", resume=True, rounds=2, early_stop=True)
    assert (again.global_step, len(again.records.rounds)) == (whole.global_step, 2)


def test_a_questioner_that_is_not_trained_has_its_pool_built_and_resumed(fit, tmp_path):
    part = {"questioner_epochs": 0, "pseudo_label_epochs": 0, "rounds": 2}
    steps = fit("whole", **part).global_step
    for kill in (1, steps // 2, steps - 1):
        fit("killed", kill_at=kill, resume=kill > 1, **part)
    fit("killed", resume=True, **part)
    assert_equal(what_is_left(tmp_path / "killed"), what_is_left(tmp_path / "whole"))
    rounds = {json.loads(line)["round"] for line in (tmp_path / "whole/questions.jsonl").read_text().splitlines()}
    assert rounds == {1, 2}


# --- checkpoints ---


def test_every_round_and_the_best_have_a_checkpoint(fit, tmp_path):
    one = fit("whole")
    folder = tmp_path / "whole" / "checkpoints"
    names = {path.name for path in folder.iterdir()}
    assert names == {"last.ckpt", "best.ckpt", "round-0.ckpt", "round-1.ckpt"}
    best = (folder / f"round-{one.records.best_round}.ckpt").read_bytes()
    assert (folder / "best.ckpt").read_bytes() == best
    assert one.trainer.checkpoint_callback.best_model_path == str(folder / "best.ckpt")
    for name in sorted(names):
        rounds = torch.load(folder / name, weights_only=True)["tevo"]["records"]["rounds"]
        if name.startswith("round"):
            assert [row["round"] for row in rounds][-1] == int(name[6])


def test_the_frozen_backbone_is_not_in_a_checkpoint(fit, tmp_path, example):
    class Heavy(example):
        def __init__(self):
            super().__init__()
            self.tower = torch.nn.Linear(1000, 1000)

    fit("whole", backbone=Heavy(), kill_at=1)
    state = torch.load(tmp_path / "whole" / "checkpoints" / "last.ckpt", weights_only=True)
    assert {name.split(".")[0] for name in state["state_dict"]} == {"questioner", "solver"}
    assert (tmp_path / "whole" / "checkpoints" / "last.ckpt").stat().st_size < 4_000_000


def test_what_phase_0_fitted_is_in_the_checkpoint(fit, tmp_path, example):
    class Taught(example):
        """Sees its colours in another order than the words name them, until it is taught."""

        def __init__(self):
            super().__init__()
            self.register_buffer("order", torch.zeros(self.spec.dim, self.spec.dim))
            self.own_teacher, self.num_fits = (example(),), 0

        @property
        def teacher(self):
            return self.own_teacher[0]

        def project(self, values):
            return values @ self.order

        def fit_projection(self, values, targets, videos):
            self.num_fits += 1
            assert len(values) == len(targets) > 0
            self.order.copy_(torch.eye(len(self.order)))
            return {"r2": 1.0}

    taught = Taught()
    fit("whole", kill_at=2, backbone=taught)
    assert taught.num_fits == 1
    again = Taught()
    one = fit("whole", resume=True, backbone=again)
    assert again.num_fits == 0
    assert torch.equal(again.order, taught.order)
    assert one.records.alignment == {"r2": 1.0}
    fit("other", backbone=Taught())
    assert_equal(what_is_left(tmp_path / "whole"), what_is_left(tmp_path / "other"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda state: state.pop("tevo"), "of another version of tevo, or of another program: nothing of tevo's in it"),
        (lambda state: state["tevo"].update(format=99), "format 99, wanted is format 1"),
        (lambda state: state["tevo"]["backbone"].update(fingerprint="x"), "its architecture, weights or preprocessing"),
        (lambda state: state["state_dict"].popitem(), "1 of its tensors do not fit"),
    ],
)
def test_a_strange_checkpoint_is_refused_in_words(fit, tmp_path, damage, said):
    fit("whole", kill_at=1)
    path = tmp_path / "whole" / "checkpoints" / "last.ckpt"
    state = torch.load(path, weights_only=True)
    damage(state)
    torch.save(state, tmp_path / "strange.ckpt")
    with pytest.raises(TevoError, match=said):
        fit("other", resume=tmp_path / "strange.ckpt")


def test_other_videos_are_refused(fit, tmp_path, data, world, model, trainer):
    fit("whole", kill_at=5)
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    for path in sorted((world / "train").glob("*.mp4"))[:4]:
        shutil.copy(path, fewer)
    one = data(annotated=False)
    one.sources = type(one.sources)(str(fewer), None, None, 2, 2.0, one.sources.probing)
    with pytest.raises(TevoError, match=r"[Gg]o on with"):
        trainer("other").fit(
            model(), one, ckpt_path=tmp_path / "whole" / "checkpoints" / "last.ckpt", weights_only=True
        )
