import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tevo.backbones.spans import frame_spans, tubelet_spans
from tevo.errors import TevoError


def test_frames_meet_in_the_middle_and_the_ends_are_symmetric():
    spans = frame_spans(torch.tensor([[1.0, 2.0, 5.0]]), lone_frame_s=0.5)
    assert spans.tolist() == [[[0.5, 1.5], [1.5, 3.5], [3.5, 6.5]]]


def test_a_lone_frame_gets_the_span_it_is_told():
    assert frame_spans(torch.tensor([[3.0]]), lone_frame_s=0.5).tolist() == [[[2.75, 3.25]]]


def test_no_span_starts_before_the_video_does():
    assert frame_spans(torch.tensor([[0.0, 1.0]]), lone_frame_s=0.5)[0, 0].tolist() == [0.0, 0.5]
    assert frame_spans(torch.tensor([[0.1]]), lone_frame_s=0.5)[0, 0, 0] == 0.0
    assert frame_spans(torch.tensor([[-2.0, 1.0]]), lone_frame_s=0.5)[0, 0, 0] == -2.0


def test_descending_times_are_refused():
    with pytest.raises(TevoError, match="ascend"):
        frame_spans(torch.tensor([[1.0, 0.5]]), lone_frame_s=0.5)


@given(st.lists(st.floats(0.01, 30.0), min_size=1, max_size=20))
def test_spans_tile_the_time_and_hold_their_frame(gaps):
    times = torch.tensor([gaps], dtype=torch.float64).cumsum(dim=1)
    spans = frame_spans(times, lone_frame_s=0.5)
    assert torch.equal(spans[:, 1:, 0], spans[:, :-1, 1])
    assert bool((spans[..., 0] <= times).all()) and bool((times <= spans[..., 1]).all())


def test_tubelets_join_their_frames_and_the_last_may_be_short():
    spans = frame_spans(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), lone_frame_s=0.5)
    assert tubelet_spans(spans, 2).tolist() == [[[0.5, 2.5], [2.5, 4.5], [4.5, 5.5]]]
