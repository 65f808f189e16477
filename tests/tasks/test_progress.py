"""The bar of a fit: which round and phase, how far, and how long still."""

import re

import pytest

from tevo.tasks.progress import EpochTimes, describe
from tevo.tasks.schedule import Schedule

SCHEDULE = Schedule(rounds=2, questioner_epochs=1, pseudo_label_epochs=2, grpo_epochs=1)  # four epochs a round


def test_a_phase_in_words():
    said = [describe(SCHEDULE.phase(epoch), SCHEDULE.rounds) for epoch in (0, 2, 7)]
    assert said == [
        "round 1/2: questioner 1/1 (grpo)",
        "round 1/2: solver 2/3 (pseudo-label)",
        "round 2/2: solver 3/3 (grpo)",
    ]


def test_what_is_left_is_told_from_what_such_epochs_took():
    times = EpochTimes(SCHEDULE)
    for epoch, began in enumerate((0.0, 10.0, 30.0, 55.0)):
        times.begin(epoch, began)
        assert times.left_s(epoch, 4, began) is None  # no epoch of GRPO has ended yet
    times.begin(4, 100.0)  # took: questioner 10, pseudo-labels 20 and 25, GRPO with the measuring after it 45
    assert times.left_s(4, 8, 100.0) == pytest.approx(10 + 2 * 25 + 45)
    assert times.left_s(4, 8, 104.0) == pytest.approx(10 + 2 * 25 + 45 - 4)
    times.begin(7, 110.0)
    assert times.left_s(7, 8, 130.0) == pytest.approx(25)
    assert times.left_s(7, 8, 500.0) == 0.0  # late: never less than nothing


def shown(printed):
    """What each phase's bar said at last: description -> (steps done, steps in all)."""
    states = re.findall(r"(round \d+/\d+: \w+) \d+/\d+ \([\w-]+\):\s+\d+%\|[^|]*\| (\d+)/(\d+) ", printed)
    return {description: (int(done), int(total)) for description, done, total in states}


def test_a_bar_counts_the_steps_of_a_phase(model, data, trainer, capsys):
    one = model(rounds=2)
    trainer(enable_progress_bar=True).fit(one, data(annotated=False))
    printed = capsys.readouterr().out
    bars = shown(printed)
    assert list(bars) == [f"round {r}/2: {role}" for r in (1, 2) for role in ("questioner", "solver")]
    assert all(done == total > 0 for done, total in bars.values())
    assert sum(total for _, total in bars.values()) == one.global_step
    first, second = printed.split("round 2/2: questioner", 1)
    assert " left" not in first and re.search(r"round \d\d:\d\d left, run \d\d:\d\d left", second)


def test_a_run_that_goes_on_inside_a_phase_shows_how_far_it_is(model, data, trainer, capsys, tmp_path):
    class Killed(Exception):
        pass

    one = model()
    step = one.training_step

    def training_step(batch, batch_idx):
        if one.global_step == 5:
            raise Killed
        return step(batch, batch_idx)

    one.training_step = training_step
    with pytest.raises(Killed):
        trainer().fit(one, data(annotated=False))
    place = one.phase, one.trainer.fit_loop.batch_idx  # of the batch that it was killed in
    capsys.readouterr()
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    trainer(enable_progress_bar=True).fit(model(), data(annotated=False), ckpt_path=last, weights_only=True)
    printed = capsys.readouterr().out
    assert place[0].name == "solver" and place[1] > 0
    began = re.search(r"round 1/1: solver (\d)/2 \([\w-]+\):\s+\d+%\|[^|]*\| (\d+)/", printed)
    assert int(began[1]) == place[0].epoch + 1
    assert int(began[2]) >= place[1]
