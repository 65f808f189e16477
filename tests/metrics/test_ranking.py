import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.errors import TevoError
from tevo.metrics.ranking import (
    MAP_THRESHOLDS,
    average_precision,
    best_truth_iou,
    highlight_ap,
    hit_at_one,
    recall_at_n,
    saliency_grid,
)

LAW = settings(deadline=None, derandomize=True, max_examples=100)
times = st.integers(0, 200).map(float)
solid = st.tuples(times, times).map(sorted).map(tuple).filter(lambda pair: pair[0] < pair[1])


def test_the_thresholds_are_the_published_ones():
    assert MAP_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@LAW
@given(st.lists(solid, min_size=1, max_size=5, unique=True))
def test_the_truth_itself_is_perfect(true):
    assert average_precision([(*span, 1.0) for span in true], true) == pytest.approx([1.0] * 10)


@LAW
@given(st.lists(st.tuples(solid, st.floats(0, 1)), max_size=6), st.lists(solid, min_size=1, max_size=4))
def test_precision_falls_with_the_threshold(windows, true):
    found = average_precision([(*span, score) for span, score in windows], true)
    assert all(0 <= value <= 1 for value in found)
    assert found == sorted(found, reverse=True)


def test_a_hit_ranked_second_is_worth_half_and_a_span_is_found_once():
    true = [(0.0, 10.0)]
    assert average_precision([(50.0, 60.0, 0.9), (0.0, 10.0, 0.5)], true, [0.5]) == [0.5]
    assert average_precision([(0.0, 10.0, 0.9), (0.0, 10.0, 0.8)], [(0.0, 10.0), (20.0, 30.0)], [0.5]) == [0.5]


def test_no_window_and_no_truth_are_zero():
    assert average_precision([], [(0.0, 1.0)], [0.5]) == [0]
    assert average_precision([(0.0, 1.0, 1.0)], [], [0.5]) == [0]


def test_only_ten_windows_count():
    late = [(100.0 + n, 101.0 + n, 1.0 - n / 100) for n in range(10)]
    assert average_precision([*late, (0.0, 10.0, 2.0)], [(0.0, 10.0)], [0.5]) == [0]


def test_recall_at_n_looks_at_the_first_n():
    windows = [(50.0, 60.0), (0.0, 5.0)]
    assert not recall_at_n(windows, [(0.0, 10.0)], 1, 0.5)
    assert recall_at_n(windows, [(0.0, 10.0)], 2, 0.5)
    assert not recall_at_n(windows, [(0.0, 10.0)], 2, 0.5, strict=True)


def test_r1_compares_with_the_span_that_is_overlapped_best():
    assert best_truth_iou((0.0, 5.0, 0.9), [(20.0, 30.0), (0.0, 10.0)]) == 0.5


def test_hit_at_one_asks_any_rater_and_misses_past_the_end():
    grid = saliency_grid(9.0, [1, 3], [[0, 4, 1], [2, 2, 2]])  # 4 clips: the last second is no clip
    assert grid.shape == (4, 3)
    positive = (grid >= 4).astype(float)
    assert hit_at_one([0.1, 0.9, 0.3, 0.2], positive) == 1
    assert hit_at_one([0.1, 0.2, 0.3, 0.9], positive) == 0
    assert hit_at_one([0.1, 0.2, 0.3, 0.2, 0.9], (grid >= 1).astype(float)) == 0
    assert saliency_grid(9.0, [], []).sum() == 0


def test_highlight_ap_of_a_perfect_and_of_a_reversed_ranking():
    positive = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert highlight_ap([0.9, 0.1], positive) == [1, 0, 1]  # nothing to find is 0, nothing to miss is 1
    assert highlight_ap([0.1, 0.9], positive)[0] == 0.5
    assert highlight_ap([0.9], positive)[0] == 1  # a short prediction is padded with 0
    assert highlight_ap([0.9, 0.1, 5.0], positive)[0] == 1  # a long one is cut


@pytest.mark.parametrize(
    ("clips", "scores"), [([4], [[1, 1, 1]]), ([0, 1], [[1, 1, 1]]), ([0], [[1, 1]]), ([-1], [[1, 1, 1]])]
)
def test_ratings_that_fit_no_clip_are_refused(clips, scores):
    with pytest.raises(TevoError, match="clips"):
        saliency_grid(8.0, clips, scores)
