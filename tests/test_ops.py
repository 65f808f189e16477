"""Overlap of span sets against brute force, and the laws of the masked statistics."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tevo import ops

LAW = settings(deadline=None, derandomize=True, max_examples=100)
Interval = tuple[int, int]
intervals = st.lists(st.tuples(st.integers(-5, 20), st.integers(0, 9)), max_size=5).map(
    lambda pairs: [(start, start + length) for start, length in pairs]
)


def as_set(spans: list[Interval], size: int = 5, junk: float = 99.0) -> tuple[Tensor, Tensor]:
    """Spans padded with junk that the mask hides."""
    tensor = torch.tensor([*spans, *[(-junk, junk)] * (size - len(spans))], dtype=torch.float32).view(size, 2)
    return tensor, torch.arange(size) < len(spans)


def cells(spans: list[Interval]) -> set[int]:
    """Brute force: the unit cells that a set of integer spans covers."""
    return {cell for start, end in spans for cell in range(start, end)}


@LAW
@given(intervals, intervals)
def test_set_measures_equal_brute_force(a, b):
    both, joint = len(cells(a) & cells(b)), len(cells(a) | cells(b))
    assert ops.set_iou(*as_set(a), *as_set(b)).item() == pytest.approx(both / joint if joint else 0.0)
    assert ops.set_iop(*as_set(a), *as_set(b)).item() == pytest.approx(both / len(cells(a)) if cells(a) else 0.0)
    assert ops.union_length(*as_set(a)).item() == pytest.approx(len(cells(a)))


@LAW
@given(intervals, intervals, st.randoms())
def test_set_iou_is_symmetric_and_blind_to_span_order(a, b, random):
    shuffled = random.sample(a, len(a))
    forward = ops.set_iou(*as_set(a), *as_set(b))
    assert torch.equal(forward, ops.set_iou(*as_set(b), *as_set(shuffled)))


@LAW
@given(st.lists(st.floats(0, 100, width=32), min_size=2, max_size=6), st.floats(0.1, 5))
def test_equal_sets_give_exactly_one_and_disjoint_sets_exactly_zero(starts, length):
    spans = torch.tensor([[s, s + length] for s in starts])
    mask = torch.ones(len(starts), dtype=torch.bool)
    assert ops.set_iou(spans, mask, spans.flip(0), mask).item() == 1.0
    assert ops.set_iou(spans, mask, spans + 500, mask).item() == 0.0


def test_a_batch_is_its_rows():
    generator = torch.Generator().manual_seed(0)
    spans = (torch.rand(4, 3, 5, 2, generator=generator) * 10).sort(-1).values
    masks = torch.rand(4, 3, 5, generator=generator) > 0.4
    other, other_mask = spans[:, :1], masks[:, :1]  # broadcasts over the second axis
    whole = ops.set_iou(spans, masks, other, other_mask)
    for row in range(4):
        for column in range(3):
            one = ops.set_iou(spans[row, column], masks[row, column], other[row, 0], other_mask[row, 0])
            assert torch.equal(whole[row, column], one)


@pytest.mark.parametrize("bad", [(3.0, 3.0), (5.0, 2.0), (math.nan, 4.0), (1.0, math.inf)])
def test_empty_spans_measure_nothing(bad):
    spans, mask = torch.tensor([bad, (1.0, 6.0)]), torch.tensor([True, True])
    clean, clean_mask = torch.tensor([(1.0, 6.0)]), torch.tensor([True])
    assert ops.set_iou(spans, mask, clean, clean_mask).item() == 1.0
    assert ops.union_length(spans, mask).item() == 5.0


def test_two_empty_sets_do_not_agree():
    nothing = torch.zeros(2, 2), torch.zeros(2, dtype=torch.bool)
    assert ops.set_iou(*nothing, *nothing).item() == 0.0
    assert ops.set_iou(torch.zeros(0, 2), torch.zeros(0, dtype=torch.bool), *nothing).item() == 0.0


@LAW
@given(intervals, intervals)
def test_span_iou_is_set_iou_of_single_spans(a, b):
    left, right = as_set(a)[0][:, None], as_set(b)[0][None]
    one = torch.ones(5, 5, 1, dtype=torch.bool)
    expected = ops.set_iou(left[:, :, None].expand(5, 5, 1, 2), one, right[:, :, None].expand(5, 5, 1, 2), one)
    torch.testing.assert_close(ops.span_iou(left, right), expected)


def test_zero_length_pairs_have_zero_iou():
    point = torch.tensor([2.0, 2.0])
    assert ops.span_iou(point, point).item() == 0.0


def test_coverage_counts_overlaps_once():
    spans, mask = torch.tensor([[[0.0, 4.0], [2.0, 6.0]]]), torch.tensor([[True, True]])
    assert ops.coverage(spans, mask, torch.tensor([12.0])).item() == pytest.approx(0.5)


def test_masked_mean_hides_nan_and_survives_empty_rows():
    x = torch.tensor([[1.0, 3.0, math.nan], [math.inf, math.nan, 2.0]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert ops.masked_mean(x, mask, 1).tolist() == [2.0, 0.0]


@LAW
@given(st.floats(-1e3, 1e3, width=32), st.integers(1, 20))
def test_an_all_equal_group_gives_exactly_zero(value, size):
    assert ops.group_normalise(torch.full((2, size), value)).eq(0).all()


@LAW
@given(st.lists(st.floats(-10, 10, width=16), min_size=2, max_size=12).filter(lambda v: max(v) - min(v) > 0.01))
def test_group_normalise_is_the_formula(values):
    mean = sum(values) / len(values)
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    padded = torch.tensor([[*values, math.nan]])
    mask = ~padded.isnan()
    got = ops.group_normalise(padded, mask)
    expected = torch.tensor([[(v - mean) / (std + 1e-6) for v in values] + [0.0]])
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-3)
