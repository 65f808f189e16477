"""Laws of the overlaps, and the places where scorers differ on purpose."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.metrics import overlap
from tevo.ops import set_iou

LAW = settings(deadline=None, derandomize=True, max_examples=200)
times = st.integers(0, 400).map(lambda n: n / 8)  # eighths: sums are exact
pairs = st.tuples(times, times).map(sorted).map(tuple)
solid = pairs.filter(lambda pair: pair[0] < pair[1])


@LAW
@given(pairs, pairs)
def test_iou_is_symmetric_and_a_share(one, two):
    for iou in (overlap.hull_iou, overlap.union_iou):
        assert 0 <= iou(one, two) == iou(two, one) <= 1


@LAW
@given(solid, solid)
def test_hull_and_union_agree_where_spans_meet(one, two):
    if min(one[1], two[1]) > max(one[0], two[0]):
        assert overlap.hull_iou(one, two) == pytest.approx(overlap.union_iou(one, two))
    else:
        assert overlap.hull_iou(one, two) == overlap.union_iou(one, two) == 0


@LAW
@given(st.lists(solid, max_size=4), st.lists(solid, max_size=4))
def test_merged_iou_is_the_set_iou_of_tensors(ours, theirs):
    def padded(spans):
        return torch.tensor([*spans, (0.0, 0.0)], dtype=torch.float64), torch.tensor([True] * len(spans) + [False])

    assert overlap.merged_iou(ours, theirs) == pytest.approx(float(set_iou(*padded(ours), *padded(theirs))))


@LAW
@given(st.lists(solid, min_size=1, max_size=4))
def test_merging_leaves_gaps_between_spans(spans):
    merged = overlap.merged(spans)
    assert all(before[1] < after[0] for before, after in pairwise(merged))
    assert overlap.merged(merged) == merged


def test_two_points_are_nothing_nothing_at_all_or_everything():
    point = (5.0, 5.0)
    assert overlap.hull_iou(point, point) == 0
    assert math.isnan(overlap.hull_iou(point, point, undefined=math.nan))
    assert overlap.merged_iou([point], [point]) == 0
    assert overlap.merged_iou([point], [point], undefined=1.0) == 1


def test_a_point_inside_the_truth_wins_nextgqa_and_nothing_else():
    assert overlap.nextgqa_overlap([7.0, 7.0], (5.0, 10.0)) == (0, 1)
    assert overlap.nextgqa_best([7.0, 7.0], [(20.0, 30.0), (5.0, 10.0)]) == (0, 1)
    assert overlap.merged_iou([(7.0, 7.0)], [(5.0, 10.0)]) == 0


def test_nextgqa_takes_the_best_iou_and_the_best_iop_apart():
    iou, iop = overlap.nextgqa_best([0.0, 4.0], [(0.0, 2.0), (3.0, 13.0)])
    assert iou == pytest.approx(0.5)  # with the first
    assert iop == pytest.approx(0.5)
    assert overlap.nextgqa_best([8.0, 6.0], [(5.0, 10.0)]) == (0, 0)  # inverted: below 0, floored


def test_video_zero_averages_over_annotated_spans():
    assert overlap.best_per_truth([(0.0, 1.0)], [(0.0, 1.0), (5.0, 6.0)]) == (0.5, 1)
    assert overlap.best_per_truth([], [(0.0, 1.0)]) == (0, 0)


def test_lita_refuses_an_inverted_span():
    assert math.isnan(overlap.lita_iou((7.0, 2.0), (0.0, 10.0)))
