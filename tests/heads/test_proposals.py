"""Event proposals: laws of runs, nothing from a static video, windows that keep off the neighbours."""

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.heads.proposals import active_runs, propose_events, random_events, windows_around

LAW = settings(deadline=None, derandomize=True, max_examples=100)
HIGH, LOW = 1.0, 0.25
signals = st.lists(st.sampled_from([-1.0, 0.1, 0.25, 0.6, 1.0, 2.0]), min_size=1, max_size=40).map(torch.tensor)


def video(tokens, *steps, noise=0.0, seed=0):
    """Tokens that take a step in a direction of their own at each place, and their seconds."""
    values = noise * torch.randn(tokens, 16, generator=torch.Generator().manual_seed(seed))
    for direction, place in enumerate(steps):
        values[place:, direction] += 1
    start = torch.arange(tokens).float() / 2 + 1.4
    return values, torch.stack([start, start + 0.5], -1), torch.ones(tokens, dtype=torch.bool)


@LAW
@given(signals, st.integers(0, 3), st.integers(1, 4))
def test_runs_are_what_hysteresis_says(signal, max_gap, min_tokens):
    runs = active_runs(signal, HIGH, LOW, max_gap, min_tokens)
    active = signal >= LOW
    for first, last in runs:
        part = signal[first : last + 1]
        assert last - first + 1 >= min_tokens
        assert part.max() >= HIGH
        assert active[first] and active[last]
        below = "".join("x" if low else " " for low in (~active[first : last + 1]).tolist()).split()
        assert all(len(gap) <= max_gap for gap in below)
    for (_, earlier), (later, _) in pairwise(runs):
        assert later - earlier - 1 > max_gap
    inside = {t for first, last in runs for t in range(first, last + 1)}
    if min_tokens == 1:  # nothing that reaches the bar is missed
        assert {t for t, value in enumerate(signal.tolist()) if value >= HIGH} <= inside


@LAW
@given(signals, st.integers(0, 3), st.integers(1, 4))
def test_runs_read_the_same_backwards(signal, max_gap, min_tokens):
    forward = active_runs(signal, HIGH, LOW, max_gap, min_tokens)
    backward = active_runs(signal.flip(0), HIGH, LOW, max_gap, min_tokens)
    last = len(signal) - 1
    assert forward == sorted((last - end, last - start) for start, end in backward)


def test_events_are_found_where_something_happens():
    values, spans, mask = video(80, 20, 50, noise=0.02)
    events, strength = propose_events(values, spans, mask)
    assert len(events) == 2
    for (start, end), place in zip(events.tolist(), (20, 50), strict=True):
        assert start <= float(spans[place, 0]) <= end
        assert end - start < 6
    assert (strength > 0).all()


def test_a_static_video_has_no_events():
    for tokens in (60, 1000):
        values, spans, mask = video(tokens, noise=1e-7)
        events, strength = propose_events(values + torch.linspace(0.1, 0.9, 16), spans, mask)
        assert events.shape == (0, 2)
        assert strength.shape == (0,)
        assert windows_around(events, 0.0, 30.0, 3.0).shape == (0, 2)


def test_no_events_without_tokens():
    values, spans, mask = video(20, 10)
    nothing = torch.zeros_like(mask)
    assert propose_events(values, spans, nothing)[0].shape == (0, 2)
    assert random_events(values, spans, nothing, 5, torch.Generator().manual_seed(0))[0].shape == (0, 2)


def test_the_strongest_events_are_kept_in_order_of_time():
    values, spans, mask = video(120, 20, 50, 80, 100)
    values[50:] += 1  # the second step is the largest
    every, strength = propose_events(values, spans, mask)
    some, kept = propose_events(values, spans, mask, max_events=2)
    assert len(every) == 4
    wanted = strength.argsort(descending=True)[:2].sort().values
    assert torch.equal(some, every[wanted])
    assert torch.equal(kept, strength[wanted])


def test_masked_tokens_propose_nothing():
    values, spans, mask = video(80, 20, 50)
    mask[44:56] = False
    values[44:56] = 9.0
    events, _ = propose_events(values, spans, mask)
    assert any(start <= 11.4 <= end for start, end in events.tolist())
    seen = spans[mask]
    assert set(events[:, 0].tolist()) <= set(seen[:, 0].tolist())
    assert set(events[:, 1].tolist()) <= set(seen[:, 1].tolist())


@LAW
@given(st.integers(0, 9999), st.floats(0, 8))
def test_events_and_windows_keep_apart(seed, pad_s):
    values, spans, mask = video(60, 10, 25, 40, noise=0.3, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for events, strength in (propose_events(values, spans, mask), random_events(values, spans, mask, 8, generator)):
        assert len(events) == len(strength)
        assert (events[:, 0] < events[:, 1]).all()
        assert (events[1:, 0] >= events[:-1, 1]).all()
        start, end = float(spans[0, 0]), float(spans[-1, 1])
        windows = windows_around(events, start, end, pad_s)
        assert (windows[:, 0] <= events[:, 0]).all() and (windows[:, 1] >= events[:, 1]).all()
        assert (windows[1:, 0] >= events[:-1, 1]).all() and (windows[:-1, 1] <= events[1:, 0]).all()
        assert (windows >= start).all() and (windows <= end).all()
        assert (events[:, 0] - windows[:, 0] <= pad_s + 1e-4).all()
        assert (windows[:, 1] - events[:, 1] <= pad_s + 1e-4).all()


def test_a_dropped_window_does_not_let_the_next_one_overlap(monkeypatch):
    """Windows [0, 20], [4, 6] and [8, 10]: the second begins inside the first, and so does the third."""
    drawn = torch.tensor([[0.0, 1.0], [4 / 28, 0.0], [8 / 28, 0.0]])
    monkeypatch.setattr(torch, "rand", lambda *shape, generator: drawn)
    values, spans, mask = video(60, 1, 9, 17, 25, 33, noise=0.05)
    spans = spans - 1.4
    events, _ = random_events(values, spans, mask, 3, torch.Generator(), window_s=(2.0, 20.0))
    assert (events[1:, 0] >= events[:-1, 1]).all()
