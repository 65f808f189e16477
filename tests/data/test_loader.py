"""Batches by a plan: every item once, the same on every rank, and going on where a checkpoint stopped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.data.loader import EpochLoader, Share, pack, shuffled_order
from tevo.errors import TevoError

LAW = settings(deadline=None, derandomize=True, max_examples=80)


class Letters:
    def __init__(self, text):
        self.labels = list(text)

    def __getitem__(self, index):
        return self.labels[index]


def loader(text="abcdefgh", epoch="epoch 0", share=None, most=3):
    return EpochLoader(Letters(text), "".join, pack([1] * len(text), most), epoch, share or Share())


def test_serves_the_plan_again_and_again():
    one = loader()
    assert len(one) == 3
    assert list(one) == list(one) == ["abc", "def", "gh"]


@pytest.mark.parametrize("stop", [0, 1, 2, 3])
def test_goes_on_after_the_last_batch_that_was_served(stop):
    first = loader()
    batches = iter(first)
    served = [next(batches) for _ in range(stop)]
    second = loader()
    second.load_state_dict(first.state_dict())
    iter(second)  # Lightning makes an iterator that it may throw away
    assert second.state_dict() == first.state_dict()
    assert served + list(second) == ["abc", "def", "gh"]
    assert len(second) == 3
    assert list(second) == ["abc", "def", "gh"]  # the epoch after it is whole


def test_the_state_of_another_epoch_changes_nothing():
    first, second = loader(), loader(epoch="epoch 1")
    next(iter(first))
    second.load_state_dict(first.state_dict())
    assert list(second) == ["abc", "def", "gh"]


@pytest.mark.parametrize("changed", [{"text": "abcdefgi"}, {"most": 4}], ids=str)
def test_an_epoch_with_other_batches_is_refused(changed):
    with pytest.raises(TevoError, match=r"epoch 0.*others now"):
        loader(**changed).load_state_dict(loader().state_dict())


def test_ranks_take_turns_and_share_one_state():
    ranks = [loader(share=Share(rank, 2)) for rank in (0, 1)]
    assert [list(one) for one in ranks] == [["abc", "gh"], ["def", "abc"]]  # filled up from the front
    unequal = [loader(share=Share(rank, 2, same_length=False)) for rank in (0, 1)]
    assert [list(one) for one in unequal] == [["abc", "gh"], ["def"]]
    assert ranks[0].state_dict() == ranks[1].state_dict()
    again = loader(share=Share(1, 2))
    next(iter(ranks[0]))
    again.load_state_dict(ranks[0].state_dict())  # a checkpoint holds what rank 0 says
    assert list(again) == ["abc"]
    with pytest.raises(TevoError, match="number of processes was changed"):
        loader().load_state_dict(ranks[0].state_dict())


@LAW
@given(st.integers(0, 30), st.integers(1, 7))
def test_shares_are_equally_long_and_hold_every_batch(num, world_size):
    shares = [Share(rank, world_size).of(num) for rank in range(world_size)]
    assert len({len(share) for share in shares}) == 1
    assert {number for share in shares for number in share} == set(range(num))
    exact = [Share(rank, world_size, same_length=False).of(num) for rank in range(world_size)]
    assert sorted(number for share in exact for number in share) == list(range(num))


@LAW
@given(st.lists(st.integers(1, 6), max_size=40), st.integers(6, 20))
def test_packing_keeps_the_order_and_the_bound(sizes, most):
    batches = pack(sizes, most)
    assert [index for batch in batches for index in batch] == list(range(len(sizes)))
    assert all(batch and sum(sizes[index] for index in batch) <= most for batch in batches)


@pytest.mark.parametrize(("num", "most", "lengths"), [(17, 16, [9, 8]), (16, 16, [16]), (5, 16, [5]), (0, 4, [])])
def test_batches_are_about_equally_large(num, most, lengths):
    assert [len(batch) for batch in pack([1] * num, most)] == lengths


def test_an_order_is_a_function_of_its_words():
    order = shuffled_order(50, 0, "solver", 1, 2)
    assert sorted(order) == list(range(50))
    assert order == shuffled_order(50, 0, "solver", 1, 2)
    assert order != shuffled_order(50, 0, "solver", 1, 3)
    assert shuffled_order(50, 1, 23) != shuffled_order(50, 12, 3)  # words do not run together
