import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.prompts.tags import read_spans, take_apart, token_roles, write_spans
from tevo.structures import Role, Span

VIDEO = Span(0.0, 100.0)
tenths = st.integers(0, 1000).map(lambda n: n / 10)
spans = st.lists(st.tuples(tenths, tenths).map(lambda pair: Span(min(pair), max(pair))), min_size=1, max_size=5)


@given(spans)
@settings(deadline=None)
def test_spans_come_back_as_they_were_written(given_spans):
    assert read_spans(write_spans(given_spans), VIDEO) == (tuple(given_spans), ())


@given(spans, st.floats(-1000, 1000))
@settings(deadline=None)
def test_spans_come_back_through_any_origin(given_spans, origin_s):
    """What the model calls second 0 is the window's beginning; tenths of a second are all that is lost."""
    limits = Span(origin_s, origin_s + 100)
    shifted = [Span(s.start_s + origin_s, s.end_s + origin_s) for s in given_spans]
    read, faults = read_spans(write_spans(shifted, origin_s), limits, origin_s)
    assert not faults
    for one, other in zip(read, shifted, strict=True):
        assert abs(one.start_s - other.start_s) <= 0.0501 and abs(one.end_s - other.end_s) <= 0.0501


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "no span"),
        ("", "spans are not a list"),
        ("(1.0, 2.0)", "spans are not a list"),
        ("[(1.0, 2.0), ]", "spans are not a list"),
        ("[1.0, 2.0]", "spans are not a list"),
        ("[(1.0, nan)]", "spans are not a list"),
        ("[(-1.0, 2.0)]", "spans are not a list"),
        ("[(5.0, 2.0)]", "a span is reversed"),
        ("[(90.0, 101.0)]", "a span is outside the video"),
        ("[(300, 400)]", "a span is outside the video"),
    ],
)
def test_a_broken_list_is_named_and_gives_no_span(text, fault):
    assert read_spans(text, VIDEO) == ((), (fault,))


def test_whole_spans_count_beside_broken_ones():
    assert read_spans("[(1, 2), (9, 3), (4.5, 100.3)]", VIDEO) == (
        (Span(1.0, 2.0), Span(4.5, 100.0)),
        ("a span is reversed",),
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("<a>x</a><b>y</b>", ()),
        (" <a>x</a>\n<b>y</b> ", ()),
        ("<t>z</t><a>x</a><b>y</b>", ()),
        ("<a>x</a>", ("no <b>",)),
        ("<a>x</a><b>y", ("<b> is not closed",)),
        ("<a>x</a><a>x</a><b>y</b>", ("several <a>",)),
        ("<b>y</b><a>x</a>", ("tags out of order",)),
        ("<a>x</a><t>z</t><b>y</b>", ("tags out of order",)),
        ("<a>x<b>y</b></a>", ("tags out of order",)),
        ("well: <a>x</a><b>y</b>", ("text outside the tags",)),
        ("<a>x</a> and <b>y</b>", ("text outside the tags",)),
        ("", ("no <a>", "no <b>")),
    ],
)
def test_every_fault_of_a_text_has_its_name(text, faults):
    assert take_apart(text, ("a", "b"), ("t",)).faults == faults


def test_sections_say_where_they_are():
    text = "<a>one</a> <b>two</b>"
    assert [text[s.start : s.end] for s in take_apart(text, ("a", "b")).sections] == ["one", "two"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.data())
@settings(deadline=None)
def test_a_token_has_the_role_of_its_characters(lengths, data):
    """Whatever the tokens are: a token is marked exactly when it holds a character of a marked stretch."""
    ends = torch.tensor(lengths).cumsum(0)
    total = int(ends[-1])
    start = data.draw(st.integers(0, total))
    end = data.draw(st.integers(start, total))
    roles = token_roles([(start, end, Role.EVIDENCE)], ends)
    begin = 0
    for role, stop in zip(roles.tolist(), ends.tolist(), strict=True):
        assert (role == Role.EVIDENCE) == bool(set(range(begin, stop)) & set(range(start, end)))
        begin = stop
