"""Rewards of one's own: found by name, refused in words, asked with the facts of their role."""

from importlib.metadata import EntryPoint

import pytest
import torch

from tevo.errors import TevoError
from tevo.objectives import registry
from tevo.objectives.registry import QuestionerFacts, SolverFacts, extra_terms, list_rewards, load_rewards

MODULE = """
from torch import Tensor
from tevo.objectives import QuestionerFacts, SolverFacts

NUMBER = 3


def short(facts: SolverFacts) -> Tensor:
    return -(facts.spans[..., 1] - facts.spans[..., 0]).sum(-1)


def quiet(facts: "QuestionerFacts") -> Tensor:
    return facts.agreement


def plain(facts):
    return facts.agreement


def two(facts, more):
    return facts
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "rewards_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def install(monkeypatch):
    def put(**names):
        points = [EntryPoint(name, value, registry.GROUP) for name, value in names.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])

    return put


@pytest.fixture
def facts():
    """Two questions with three rollouts each."""
    spans = torch.tensor([[[[0.0, 2.0]], [[1.0, 4.0]], [[2.0, 3.0]]]] * 2)
    row = torch.zeros(2)
    return SolverFacts(
        torch.zeros(2, 3, dtype=torch.long), spans, torch.ones(2, 3, 1, dtype=torch.bool),
        torch.zeros(2, dtype=torch.long), spans[:, 0], torch.ones(2, 1, dtype=torch.bool), row.bool(), row, row + 9,
    )  # fmt: skip


def test_a_function_of_ones_own_is_named_by_its_module(facts):
    rewards = load_rewards(["rewards_of_mine:short"], SolverFacts)
    terms = extra_terms(["rewards_of_mine:short"], rewards, facts, (2, 3))
    assert terms["rewards_of_mine:short"].tolist() == [[-2.0, -3.0, -1.0]] * 2


def test_an_installed_one_is_listed_and_named_by_its_name(install, facts):
    install(brevity="rewards_of_mine:short")
    assert list_rewards()["brevity"].startswith("rewards_of_mine:short (")
    rewards = load_rewards(["brevity"], SolverFacts)
    assert extra_terms(["brevity"], rewards, facts, (2, 3))["brevity"].tolist() == [[-2.0, -3.0, -1.0]] * 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("brevety", r"no reward is called 'brevety'; did you mean 'brevity'\? installed are: brevity.*module:function"),
        ("iou", "'iou' is a reward of tevo's own"),
        ("rewards_of_mine:long", "cannot be imported .*'long'"),
        ("rewards_of_nobody:short", "cannot be imported .*No module named"),
        ("rewards_of_mine:NUMBER", "is a int, wanted is a function of SolverFacts"),
        ("rewards_of_mine:two", r"takes \(facts, more\); it is called with one SolverFacts"),
        ("rewards_of_mine:quiet", "takes QuestionerFacts, this role has SolverFacts: name it under the other role"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_in_words(install, name, said):
    install(brevity="rewards_of_mine:short")
    with pytest.raises(TevoError, match=said):
        load_rewards([name], SolverFacts)


def test_the_role_of_a_function_without_annotations_is_not_asked():
    assert load_rewards(["rewards_of_mine:plain"], SolverFacts).keys() == {"rewards_of_mine:plain"}
    assert load_rewards(["rewards_of_mine:quiet"], QuestionerFacts).keys() == {"rewards_of_mine:quiet"}


def test_two_packages_with_one_name_are_refused(monkeypatch):
    points = [EntryPoint("brevity", value, registry.GROUP) for value in ("one:short", "other:short")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    with pytest.raises(TevoError, match=r"two rewards are called 'brevity': one:short .* other:short .* rename"):
        list_rewards()


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (lambda facts: facts.spans, r"returned \[2, 3, 1, 2\], wanted is a tensor of shape \[2, 3\]"),
        (lambda facts: 1.0, r"returned a float, wanted is a tensor"),
        (lambda facts: torch.zeros(2, 3) / 0, "returned a number that is not finite"),
    ],
)
def test_what_is_no_reward_is_refused_by_name(facts, reward, said):
    with pytest.raises(TevoError, match=f"the reward mine {said}"):
        extra_terms(["mine"], {"mine": reward}, facts, (2, 3))


def test_one_that_was_not_loaded_is_named(facts):
    with pytest.raises(TevoError, match="the reward mine, but its function was not given"):
        extra_terms(["mine"], {}, facts, (2, 3))
