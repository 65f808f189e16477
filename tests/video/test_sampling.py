import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tevo.errors import TevoError
from tevo.structures import Span, VideoTokens
from tevo.video import dense, keep_spans, per_segment, sample_spans, uniform

starts = st.floats(0, 20000)
lengths = st.floats(0.01, 20000)
counts = st.integers(1, 300)
rates = st.floats(1e-3, 1e6)


def assert_inside_and_ascending(times_s, span):
    assert times_s.dtype == torch.float32
    assert float(times_s[0]) >= span.start_s
    assert float(times_s[-1]) < span.end_s
    assert bool((times_s.diff() >= 0).all())


@given(starts, lengths, rates, counts)
def test_uniform_is_inside_ascending_and_bounded_at_any_rate(start, length, fps, max_frames):
    span = Span(start, start + length)
    times_s = uniform(span, fps=fps, max_frames=max_frames)
    assert_inside_and_ascending(times_s, span)
    assert 1 <= len(times_s) <= max_frames
    assert abs(len(times_s) - min(max(1.0, span.length_s * fps), max_frames)) <= 0.5


@given(starts, lengths, counts, st.one_of(st.none(), st.integers(0, 1000)))
def test_each_segment_holds_its_own_time(start, length, num_segments, seed):
    span = Span(start, start + length)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    times_s = per_segment(span, num_segments=num_segments, generator=generator)
    assert_inside_and_ascending(times_s, span)
    assert len(times_s) == num_segments
    rounding = 1e-6 * span.end_s + 1e-6
    for k, time_s in enumerate(times_s.tolist()):
        segment = span.length_s / num_segments
        assert start + k * segment - rounding <= time_s <= start + (k + 1) * segment + rounding


@given(starts, lengths, counts)
def test_dense_reaches_both_ends(start, length, num_frames):
    span = Span(start, start + length)
    times_s = dense(span, num_frames=num_frames)
    assert_inside_and_ascending(times_s, span)
    assert len(times_s) == num_frames
    if num_frames > 1:
        rounding = 1e-6 * span.end_s + 1e-6
        assert float(times_s[0]) <= start + rounding
        assert float(times_s[-1]) >= span.end_s - rounding


@given(st.floats(0, 100), st.floats(1, 1000), st.integers(2, 200), st.floats(0, 0.99), st.floats(0, 0.99))
def test_a_span_mapped_to_tokens_and_back_stays_within_one_sample(start, length, num_samples, left, right):
    video = Span(start, start + length)
    left, right = sorted((left, right))
    span = Span(start + left * length, start + max(right, left + 1e-3) * length)
    stretches = sample_spans(per_segment(video, num_segments=num_samples), video)
    tokens = VideoTokens(torch.zeros(1, num_samples, 1), stretches[None], torch.ones(1, num_samples, dtype=torch.bool))
    seen = keep_spans(tokens, torch.tensor([[[span.start_s, span.end_s]]]), torch.tensor([[True]])).mask[0]
    assert seen.any()
    back = stretches[seen]
    step = 1.01 * length / num_samples + 1e-3
    assert span.start_s - step <= float(back.min()) <= span.start_s + 1e-3
    assert span.end_s - 1e-3 <= float(back.max()) + length * 1e-3
    assert float(back.max()) <= span.end_s + step


def test_sample_spans_tile_the_video():
    spans = sample_spans(torch.tensor([2.0, 3.0, 7.0]), Span(1.5, 9.0))
    assert spans.tolist() == [[1.5, 2.5], [2.5, 5.0], [5.0, 9.0]]


def test_a_video_of_no_length_is_looked_at_once():
    assert uniform(Span(3.0, 3.0), fps=10.0, max_frames=8).tolist() == pytest.approx([3.0])


REFUSED = {
    "no rate": lambda span: uniform(span, fps=0.0, max_frames=4),
    "nan rate": lambda span: uniform(span, fps=float("nan"), max_frames=4),
    "no frames": lambda span: uniform(span, fps=1.0, max_frames=0),
    "no segments": lambda span: per_segment(span, num_segments=0),
    "nothing dense": lambda span: dense(span, num_frames=0),
    "descending": lambda span: sample_spans(torch.tensor([2.0, 1.0]), span),
    "no times": lambda span: sample_spans(torch.tensor([]), span),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_sampled_is_refused(name):
    with pytest.raises(TevoError):
        REFUSED[name](Span(0.0, 1.0))
