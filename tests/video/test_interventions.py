import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tevo.structures import FrameBatch, VideoTokens
from tevo.video import keep_spans, mask_spans, no_video, random_span, shuffled


def tokens_of(spans, mask=None):
    spans = torch.tensor([spans])
    mask = torch.ones(spans.shape[:2], dtype=torch.bool) if mask is None else torch.tensor([mask])
    return VideoTokens(torch.randn(1, spans.shape[1], 4), spans, mask)


def evidence(*spans, valid=None):
    return torch.tensor([list(map(list, spans))]), torch.tensor([valid or [True] * len(spans)])


def test_every_token_that_saw_a_part_of_the_evidence_is_hidden():
    tokens = tokens_of([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0], [6.0, 8.0]])
    masked = mask_spans(tokens, *evidence((3.9, 4.1)))
    assert masked.mask.tolist() == [[True, False, False, True]]
    assert torch.equal(masked.values, tokens.values) and torch.equal(masked.spans, tokens.spans)


def test_to_meet_at_an_end_is_not_to_see():
    tokens = tokens_of([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0]])
    assert mask_spans(tokens, *evidence((2.0, 4.0))).mask.tolist() == [[True, False, True]]


def test_a_frame_without_length_is_seen_inside_and_on_the_border():
    tokens = tokens_of([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    assert mask_spans(tokens, *evidence((2.0, 2.5))).mask.tolist() == [[True, False, True]]


def test_padding_is_no_evidence_and_no_token():
    tokens = tokens_of([[0.0, 1.0], [1.0, 2.0], [0.0, 0.0]], [True, True, False])
    spans = evidence((1.0, 2.0), (0.0, 0.0), valid=[True, False])
    assert mask_spans(tokens, *spans).mask.tolist() == [[True, False, False]]
    assert keep_spans(tokens, *spans).mask.tolist() == [[False, True, False]]


def test_rows_of_a_batch_have_their_own_evidence():
    tokens = tokens_of([[0.0, 1.0], [1.0, 2.0]]).take(torch.tensor([0, 0]))
    spans = torch.tensor([[[0.0, 1.0]], [[1.0, 2.0]]])
    kept = keep_spans(tokens, spans, torch.ones(2, 1, dtype=torch.bool))
    assert kept.mask.tolist() == [[True, False], [False, True]]


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 20)), min_size=1, max_size=4), st.integers(1, 40))
def test_masking_and_keeping_share_out_the_tokens(spans, num_tokens):
    edges = torch.linspace(0, 60, num_tokens + 1)
    tokens = tokens_of(torch.stack([edges[:-1], edges[1:]], -1).tolist())
    spans = evidence(*[(start, start + length) for start, length in spans])
    masked, kept = mask_spans(tokens, *spans).mask, keep_spans(tokens, *spans).mask
    assert torch.equal(masked ^ kept, tokens.mask)


@given(
    duration=st.floats(1, 500),
    share=st.floats(0, 1.5),
    avoid=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3)), max_size=3),
    start=st.floats(0, 100),
    seed=st.integers(0, 10**6),
)
def test_random_span_lies_inside_has_the_length_and_keeps_clear_where_there_is_room(
    duration, share, avoid, start, seed
):
    spans = torch.tensor([[[start + a * duration, start + min(a + n, 1.0) * duration] for a, n in avoid]])
    spans = spans.reshape(1, len(avoid), 2)
    mask = torch.ones(1, len(avoid), dtype=torch.bool)
    length = share * duration
    generator = torch.Generator().manual_seed(seed)
    begin = torch.tensor([start])
    got = random_span(torch.tensor([duration]), torch.tensor([length]), generator, (spans, mask), begin)[0]
    rounding = 1e-3
    assert start - rounding <= float(got[0]) <= float(got[1]) <= start + duration + rounding
    assert float(got[1] - got[0]) == pytest.approx(min(length, duration), abs=rounding)
    if room_for(length, start, start + duration, spans[0].tolist()):
        overlap = (torch.minimum(got[1], spans[0, :, 1]) - torch.maximum(got[0], spans[0, :, 0])).clamp(min=0)
        assert float(overlap.sum()) <= rounding


def room_for(length, start, end, spans):
    free_from = start
    for left, right in [*sorted(spans), [end, end]]:
        if left - free_from > length + 0.01:
            return True
        free_from = max(free_from, right)
    return False


def test_random_spans_differ_and_can_be_repeated():
    durations, lengths = torch.full((50,), 100.0), torch.full((50,), 5.0)
    first = random_span(durations, lengths, torch.Generator().manual_seed(1))
    again = random_span(durations, lengths, torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert len(set(first[:, 0].tolist())) > 45


def test_shuffled_keeps_frames_and_times_and_breaks_the_order():
    frames = torch.arange(20, dtype=torch.uint8).reshape(20, 1, 1, 1).expand(20, 3, 2, 2)
    batch = FrameBatch(frames, torch.arange(20.0))
    mixed = shuffled(batch, torch.Generator().manual_seed(0))
    assert torch.equal(mixed.times_s, batch.times_s)
    assert not torch.equal(mixed.frames, batch.frames)
    assert sorted(mixed.frames[:, 0, 0, 0].tolist()) == list(range(20))


def test_no_video_hides_everything():
    tokens = tokens_of([[0.0, 1.0], [1.0, 2.0]])
    blind = no_video(tokens)
    assert not blind.mask.any() and blind.mask.shape == tokens.mask.shape and tokens.mask.all()
