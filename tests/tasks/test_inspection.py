"""What a run would be paid, seen before it: every term, and the reasons why nothing can be learnt."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tevo.heads.evidence import HeadConfig
from tevo.objectives.consensus import PoolRule
from tevo.objectives.rewards import QuestionerWeights, SolverWeights
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.inspection import inspect_rewards
from tevo.tasks.solver import SolverConfig

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = HeadConfig(hidden=16, attention_heads=2, relation_layers=1)
KINDS = ("when", "what", "first", "last")


@pytest.fixture
def inspect(model, data):
    def run(**options):
        one, videos = model(**options), data(annotated=False)
        videos.prepare_data()
        videos.setup("fit")
        videos.attach(one.backbone)
        return one, inspect_rewards(one, videos.all_videos(), KINDS)

    return run


def weights_of(one):
    return [weight.clone() for weight in one.parameters()]


def test_every_term_of_both_roles_is_there_and_nothing_is_learnt(inspect):
    one, found = inspect()
    before = weights_of(one)
    assert found.videos == 8 and 0 < found.parsed <= found.asked == 8 * 3
    number = {name: len(values) for name, values in found.questioner.terms.items()}
    assert set(number.values()) == {found.asked}
    assert {"format", "learnability", "dependency", "order", "evidence", "repetition", "reward"} <= number.keys()
    assert found.questioner.terms["format"].count(1.0) == found.parsed
    solver = found.solver.terms
    assert solver.keys() == {"answer", "iou", "zoom", "format", "reward"}
    assert {len(values) for values in solver.values()} == {4 * len(found.kept)} and found.kept
    assert 0 <= found.solver.dead <= found.solver.groups == len(found.kept)
    assert found.solver.flat <= found.solver.dead
    assert all(torch.equal(*pair) for pair in zip(before, one.parameters(), strict=True))
    assert one.solver.policy.training


def test_three_samples_say_what_was_asked_voted_and_paid(inspect):
    _, found = inspect()
    assert len(found.samples) == 3
    for sample in found.samples:
        head, asker, votes, *rollouts = sample.splitlines()
        assert ".mp4: " in head and asker.startswith("    Questioner: ") and " s" in asker
        assert votes.startswith("    votes: ") and votes.endswith("; kept")
        assert len(rollouts) == 3 and all("answer " in line and "zoom " in line for line in rollouts)


def test_something_to_learn_is_no_trouble(inspect):
    one, found = inspect()
    assert not found.stops(one)
    assert not any("no question" in trouble for trouble in found.troubles(one))


def test_a_questioner_that_names_nothing_stops_the_run(inspect):
    unsure = QuestionerConfig(min_naming=1.01, group=3, per_video=4)
    one, found = inspect(questioner=unsure)
    assert found.parsed == 0 and not found.verdicts and not found.samples
    assert found.stops(one)
    assert "no question can be asked" in found.troubles(one)[0] and "min_naming (1.01)" in found.troubles(one)[0]


def test_a_pool_that_keeps_nothing_stops_the_run_and_names_the_drops(inspect):
    one, found = inspect(pool=PoolRule(agreement_low=0.999, agreement_high=0.9995))
    assert found.verdicts and not found.kept and found.stops(one)
    (trouble,) = [trouble for trouble in found.troubles(one) if "would be kept" in trouble]
    assert "too hard" in trouble and "Widen model.pool" in trouble
    assert len(found.samples) == 3 and all("dropped: too" in sample for sample in found.samples)


def test_roles_that_are_paid_alike_stop_a_run_without_pseudo_labels(inspect):
    nothing = QuestionerWeights(0.0, 0.0, 0.0, 0.0, 0.0)
    asker = QuestionerConfig(min_naming=0.0, group=3, per_video=4, rewards=nothing)
    one, found = inspect(questioner=asker)
    assert found.questioner.flat == found.questioner.groups
    assert any("paid alike" in trouble for trouble in found.troubles(one))
    assert not found.stops(one)  # the Solver still learns
    found.solver.dead = found.solver.groups
    assert not found.stops(one)  # from pseudo-labels
    one.schedule = replace(one.schedule, pseudo_label_epochs=0)
    assert found.stops(one)
    assert any("no group of rollouts" in trouble for trouble in found.troubles(one))


def test_rewards_of_ones_own_are_among_the_terms(inspect, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    own = SolverConfig(group=4, head=SMALL, rewards=SolverWeights(extra={"my_rewards:narrow": 0.5}))
    _, found = inspect(solver=own)
    values = found.solver.terms["my_rewards:narrow"]
    assert len(values) == len(found.solver.terms["reward"]) and all(0 < value <= 1 for value in values)
