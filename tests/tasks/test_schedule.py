"""The whole of a run, spelled out."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tevo.errors import TevoError
from tevo.tasks.schedule import Phase, Schedule, decayed

EPOCHS = st.integers(0, 4)
SCHEDULES = st.builds(Schedule, st.integers(1, 5), EPOCHS, EPOCHS, st.integers(1, 4)) | st.builds(
    Schedule, st.integers(1, 5), EPOCHS, st.integers(1, 4), EPOCHS
)


def test_a_run_of_two_rounds():
    schedule = Schedule(rounds=2, questioner_epochs=1, pseudo_label_epochs=2, grpo_epochs=1)
    assert [schedule.phase(epoch) for epoch in range(schedule.num_epochs)] == [
        Phase("questioner", 1, 0, 1, "grpo"),
        Phase("solver", 1, 0, 3, "pseudo_label"),
        Phase("solver", 1, 1, 3, "pseudo_label"),
        Phase("solver", 1, 2, 3, "grpo"),
        Phase("questioner", 2, 0, 1, "grpo"),
        Phase("solver", 2, 0, 3, "pseudo_label"),
        Phase("solver", 2, 1, 3, "pseudo_label"),
        Phase("solver", 2, 2, 3, "grpo"),
    ]


@given(SCHEDULES)
def test_every_round_is_the_questioner_and_then_the_solver(schedule):
    phases = [schedule.phase(epoch) for epoch in range(schedule.num_epochs)]
    blocks = [(key, list(group)) for key, group in groupby(phases, key=lambda phase: (phase.round, phase.name))]
    names = ["questioner", "solver"] if schedule.questioner_epochs else ["solver"]
    assert [key for key, _ in blocks] == [(r + 1, name) for r in range(schedule.rounds) for name in names]
    for _, block in blocks:
        assert [phase.epoch for phase in block] == list(range(len(block)))
        assert {phase.num_epochs for phase in block} == {len(block)}
        assert [phase.is_last for phase in block] == [False] * (len(block) - 1) + [True]


@given(SCHEDULES)
def test_the_solver_learns_from_pseudo_labels_first(schedule):
    epochs = [phase.objective for phase in map(schedule.phase, range(schedule.num_epochs)) if phase.name == "solver"]
    wanted = ["pseudo_label"] * schedule.pseudo_label_epochs + ["grpo"] * schedule.grpo_epochs
    assert epochs == wanted * schedule.rounds


@given(SCHEDULES, st.integers(1, 3))
def test_more_rounds_do_not_change_the_earlier_ones(schedule, more):
    longer = Schedule(
        schedule.rounds + more, schedule.questioner_epochs, schedule.pseudo_label_epochs, schedule.grpo_epochs
    )
    epochs = range(schedule.num_epochs + 1)  # one more: what a run that ended goes on with
    assert [longer.phase(epoch) for epoch in epochs] == [schedule.phase(epoch) for epoch in epochs]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [((0, 1, 1, 1), "at least one round"), ((1, -1, 1, 1), "no negative"), ((1, 1, 0, 0), "the Solver needs an epoch")],
)
def test_impossible_schedules_are_refused(numbers, said):
    with pytest.raises(TevoError, match=said):
        Schedule(*numbers)


@given(st.floats(1e-5, 1.0))
def test_the_rate_warms_up_and_falls(base):
    rates = [decayed(base, step / 200) for step in range(201)]
    peak = rates.index(max(rates))
    assert rates[peak] <= base * 1.0001
    assert peak == 10 and rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[0] == pytest.approx(0.1 * base)
    assert rates[-1] == pytest.approx(0.05 * base)
    assert decayed(base, 1.5) == rates[-1]
