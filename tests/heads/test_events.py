"""Events of a video as the head sees them: runs of activity, what is seen in each, how each stands to the named one."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from tevo.heads.cues import activity
from tevo.heads.events import NUM_RELATIONS, find_events, find_runs, relations
from tevo.heads.proposals import active_runs

signals = st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=40)


@given(signals, st.integers(0, 5))
def test_runs_are_those_of_hysteresis_whatever_the_padding(values, padding):
    signal = torch.tensor([[*values, *[9.0] * padding]])
    mask = torch.arange(signal.shape[1])[None] < len(values)
    number, inside = find_runs(signal, mask, 1.0, 0.2)
    wanted = active_runs(torch.tensor(values), 1.0, 0.2, 0, 1)
    assert int(number.max()) == len(wanted)
    for index, (first, last) in enumerate(wanted, 1):
        assert ((number[0] == index) & inside[0]).nonzero()[:, 0].tolist() == list(range(first, last + 1))
    assert int(inside.sum()) == sum(last - first + 1 for first, last in wanted)


def video(make_tokens, changes):
    """One video whose tokens change for good at each of ``changes``, by unit vectors of their own."""
    tokens = make_tokens([60])
    values = torch.zeros_like(tokens.values)
    for index, at in enumerate(changes):
        values[0, at:, index] += 1.0
    return tokens, values


def found(tokens, values, context_s=1.5):
    return find_events(activity(values, tokens.mask), values, tokens.spans, tokens.mask, 0.5, 0.0, context_s)


def test_each_event_shows_what_changed_in_it(make_tokens):
    tokens, values = video(make_tokens, [10, 25, 45])
    events = found(tokens, values)
    assert events.mask.sum() == 3
    assert events.seen[0].argmax(-1).tolist() == [0, 1, 2]
    assert [int(events.number[0, at]) for at in (10, 25, 45)] == [1, 2, 3]
    assert events.inside[0, [10, 25, 45]].all()
    assert not events.inside[0, [0, 17, 35, 59]].any()


def test_tokens_know_how_their_event_stands_to_the_named_one(make_tokens):
    tokens, values = video(make_tokens, [10, 25, 45])
    phrase = torch.zeros(2, values.shape[-1])
    phrase[0, 1] = 1.0  # the first question names the second event, the other one nothing
    place = relations(found(tokens, values), torch.tensor([0, 0]), phrase, 30.0)
    assert place.shape == (2, 60, NUM_RELATIONS)
    inside, first, last, same, following, before, alike = place[0].unbind(-1)
    assert inside[[10, 25, 45]].tolist() == [1.0, 1.0, 1.0]
    assert first[[10, 25, 45]].tolist() == [1.0, 0.0, 0.0]
    assert last[[10, 25, 45]].tolist() == [0.0, 0.0, 1.0]
    torch.testing.assert_close(same[[10, 25, 45]], torch.tensor([0.0, 1.0, 0.0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(following[[10, 25, 45]], torch.tensor([0.0, 0.0, 1.0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(before[[10, 25, 45]], torch.tensor([1.0, 0.0, 0.0]), atol=1e-3, rtol=0)
    assert alike.argmax() in range(20, 30)
    assert not place[:, [0, 17, 35, 59]].any()
    assert not place[1, :, 3:].any()


def test_a_still_video_has_no_events(make_tokens):
    tokens = make_tokens([30])
    values = torch.ones_like(tokens.values)
    events = found(tokens, values)
    assert not events.mask.any()
    assert not relations(events, torch.tensor([0]), values[0, :1], 10.0).any()
