"""Questions out of named events: never an answer outside the options, never evidence that is not an event."""

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tevo.prompts.compose import NUM_OPTIONS, Named, compose
from tevo.prompts.grammar import LEVELS, parse
from tevo.prompts.phrases import COUNTS, DURATIONS
from tevo.structures import Span

LAW = settings(deadline=None, derandomize=True, max_examples=300)
CLAUSES = [f"the {thing} {action}" for thing in ("cat", "dog", "cow") for action in ("sleeps", "eats", "runs")]


def video(names, length_s=3.0, gap_s=2.0):
    """Events one after the other, in windows one second wider on either side."""
    events = []
    for index, name in enumerate(names):
        start = 1.0 + index * (length_s + gap_s)
        span = Span(start, start + length_s)
        events.append(Named(span, Span(start - 1.0, span.end_s + 1.0), name))
    return events


def ask(kind, events, target=0, anchor=None, clause=None, anchor_clause=None, similar=CLAUSES, seed=0):
    """Compose with the best names unless others are given."""
    anchor = target if anchor is None else anchor
    clause = clause or events[target].clause
    anchor_clause = anchor_clause or events[anchor].clause
    return compose(kind, events, target, anchor, clause, anchor_clause, similar, random.Random(seed))


names = st.lists(st.sampled_from(CLAUSES), min_size=1, max_size=9)
chosen = st.sampled_from(CLAUSES)


@LAW
@given(st.data(), st.sampled_from(sorted(LEVELS)), names, chosen, chosen, st.integers(0, 99))
def test_whatever_is_composed_is_sound(data, kind, clauses, clause, anchor_clause, seed):
    events = video(clauses, data.draw(st.floats(0.5, 8.0)))
    target = data.draw(st.integers(0, len(events) - 1))
    anchor = data.draw(st.integers(0, len(events) - 1))
    made = compose(kind, events, target, anchor, clause, anchor_clause, CLAUSES, random.Random(seed))
    assume(made is not None)
    parsed = parse(made.text)
    assert parsed.kind == kind
    assert set(made.evidence) <= {event.span for event in events}
    assert events[target].span in made.evidence
    assert len(made.evidence) == 1 or kind == "count"
    assert len(set(made.options)) == len(made.options)
    if kind == "when":
        assert (made.options, made.answer) == ((), "")
    else:
        assert made.answer in made.options
        assert len(made.options) == NUM_OPTIONS
    if parsed.phrase and made.options:
        assert parsed.phrase not in made.options  # the question does not name its own answer


def test_options_are_other_events_of_the_same_video_where_there_are_enough():
    events = video(CLAUSES[:5])
    made = ask("first", events, similar=CLAUSES[5:])
    assert set(made.options) <= set(CLAUSES[:5])
    assert made.answer == CLAUSES[0]


def test_the_bank_fills_up_most_similar_first():
    events = video(CLAUSES[:2])
    made = ask("first", events, similar=[CLAUSES[0], CLAUSES[6], CLAUSES[6], CLAUSES[1], CLAUSES[4], CLAUSES[7]])
    assert set(made.options) == {CLAUSES[0], CLAUSES[1], CLAUSES[6], CLAUSES[4]}
    assert ask("first", events, similar=CLAUSES[:3]) is None  # three clauses make no choice of four


def test_the_right_option_stands_anywhere():
    events = video(CLAUSES[:6])
    places = [ask("what", events, 2, seed=seed).options.index(CLAUSES[2]) for seed in range(400)]
    assert min(places.count(place) for place in range(NUM_OPTIONS)) > 60


def test_what_names_a_stretch_of_the_window_whose_edges_do_not_tell_where_the_event_is():
    events = video(CLAUSES[:4])
    span, window = events[1].span, events[1].window
    stretches = [parse(ask("what", events, 1, seed=seed).text).within for seed in range(40)]
    for stretch in stretches:
        assert window.start_s - 0.05 <= stretch.start_s <= span.start_s + 0.05
        assert span.end_s - 0.05 <= stretch.end_s <= window.end_s + 0.05
    assert len({round(span.start_s - stretch.start_s, 1) for stretch in stretches}) > 5
    assert len({round(stretch.end_s - span.end_s, 1) for stretch in stretches}) > 5


@pytest.mark.parametrize(("kind", "target", "anchor"), [("before", 1, 2), ("after", 3, 2)])
def test_order_is_asked_of_neighbours(kind, target, anchor):
    events = video(CLAUSES[:6])
    made = ask(kind, events, target, anchor)
    assert parse(made.text).phrase == CLAUSES[anchor]
    assert (made.answer, made.evidence) == (CLAUSES[target], (events[target].span,))
    assert CLAUSES[anchor] not in made.options
    for wrong in {0, 1, 2, 3, 4, 5} - {anchor}:
        assert ask(kind, events, target, wrong) is None


def test_an_anchor_that_happens_again_is_no_anchor():
    events = video([CLAUSES[0], CLAUSES[1], CLAUSES[2], CLAUSES[1], CLAUSES[3]])
    assert ask("after", events, 2, 1) is None
    assert ask("before", events, 2, 3) is None
    assert ask("after", events, 1, 0) is not None
    assert ask("after", events, 2, 1, anchor_clause=CLAUSES[2], clause=CLAUSES[2]) is None  # asks for what it names


@pytest.mark.parametrize("kind", ["first", "last"])
def test_first_and_last_are_asked_of_the_ends(kind):
    events = video(CLAUSES[:5])
    end = 0 if kind == "first" else 4
    assert [ask(kind, events, target) is not None for target in range(5)] == [target == end for target in range(5)]


@pytest.mark.parametrize("kind", ["when", "duration"])
def test_a_single_span_is_asked_for_only_where_it_happens_once(kind):
    events = video([CLAUSES[0], CLAUSES[1], CLAUSES[0]])
    assert ask(kind, events, 1).evidence == (events[1].span,)
    assert ask(kind, events, 0) is None
    assert ask(kind, events, 1, clause=CLAUSES[0]) is None


def test_count_takes_every_time_as_evidence():
    events = video([CLAUSES[0], CLAUSES[1], CLAUSES[0], CLAUSES[0]])
    made = ask("count", events, 0)
    assert (made.answer, made.options) == (COUNTS[2], COUNTS)
    assert made.evidence == tuple(events[index].span for index in (0, 2, 3))
    assert ask("count", events, 1).answer == COUNTS[0]
    assert ask("count", video([CLAUSES[0]] * 5), 0) is None  # more often than the options can say


@pytest.mark.parametrize(
    ("length_s", "answer"),
    [(1.2, "about 2 seconds"), (2.4, "about 2 seconds"), (3.6, "about 4 seconds"), (5.9, "about 5 seconds")],
)
def test_duration_is_the_nearest_option(length_s, answer):
    made = ask("duration", video(CLAUSES[:2], length_s), 0)
    assert (made.answer, made.options) == (answer, DURATIONS)


@pytest.mark.parametrize("length_s", [0.5, 6.5, 20.0])
def test_a_duration_far_from_every_option_is_not_asked_for(length_s):
    assert ask("duration", video(CLAUSES[:2], length_s), 0) is None


def test_why_asks_for_another_reading_of_the_moment():
    events = video(CLAUSES[:4])
    made = ask("why", events, 1, clause=CLAUSES[7], anchor_clause=CLAUSES[1])
    assert parse(made.text).phrase == CLAUSES[1]
    assert made.answer == CLAUSES[7]
    assert CLAUSES[1] not in made.options
    assert ask("why", events, 1) is None  # it would explain itself
