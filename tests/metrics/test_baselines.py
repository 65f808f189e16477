import pytest
import torch

from tevo.errors import TevoError
from tevo.metrics import centre_prior, dealt_windows, random_span, shrink, whole_video
from tevo.structures import Span


def test_centre_prior_lies_in_the_middle_of_a_video_that_starts_late():
    assert centre_prior(40.0, 0.25, start_s=1.5) == (Span(16.5, 26.5),)
    assert centre_prior(40.0, 1.0) == whole_video(40.0)


def test_random_spans_stay_inside_and_cover_the_video():
    generator = torch.Generator().manual_seed(0)
    spans = [random_span(10.0, 0.2, generator, start_s=1.0)[0] for _ in range(200)]
    assert all(span.length_s == pytest.approx(2.0) for span in spans)
    assert all(1.0 <= span.start_s and span.end_s <= 11.0 for span in spans)
    assert min(span.start_s for span in spans) < 2 and max(span.end_s for span in spans) > 10


def test_shrink_keeps_the_centre():
    assert shrink((Span(2.0, 6.0), Span(10.0, 11.0)), 0.5) == (Span(3.0, 5.0), Span(10.25, 10.75))
    assert shrink((Span(2.0, 6.0),), 1.0) == (Span(2.0, 6.0),)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5])
def test_a_share_outside_the_video_is_refused(fraction):
    with pytest.raises(TevoError, match="share of the video"):
        centre_prior(10.0, fraction)


def test_a_span_cannot_shrink_to_nothing():
    with pytest.raises(TevoError, match="above 0"):
        shrink((Span(0.0, 1.0),), 0.0)


def pointing(qid, *windows, vid="a.mp4"):
    return {"qid": qid, "vid": vid, "pred_relevant_windows": [list(window) for window in windows]}


def test_windows_are_dealt_to_other_moments_of_the_same_video():
    rows = [pointing("1", (0, 2)), pointing("2", (1, 3)), pointing("3", (8, 9), (11, 12)), pointing("4", (8.5, 20))]
    for seed in range(5):
        dealt = {row["qid"]: row["pred_relevant_windows"] for row in dealt_windows(rows, seed)}
        assert dealt.keys() == {"1", "2", "3", "4"}
        for qid in "12":  # they overlap: neither gets the other's
            assert dealt[qid] in ([[8, 9], [11, 12]], [[8.5, 20]])
        for qid in "34":
            assert dealt[qid] in ([[0, 2]], [[1, 3]])
    assert dealt_windows(rows, 1) == dealt_windows(rows, 1)
    assert rows[0]["pred_relevant_windows"] == [[0, 2]]


def test_who_has_nobody_to_deal_with_is_left_out():
    rows = [
        pointing("1", (0, 2)),
        pointing("2", (1, 3)),
        pointing("3", (8, 9), vid="b.mp4"),
        pointing("4", vid="b.mp4"),
    ]
    assert dealt_windows(rows) == []
