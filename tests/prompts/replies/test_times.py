"""The reading of tevo; the other parsers are held to what their authors' answered by tests/test_run_vectors.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.prompts.replies import SPAN_PARSERS, plain_spans

LAW = settings(deadline=None, derandomize=True, max_examples=300)
tenths = st.integers(0, 36_000).map(lambda n: n / 10)


@pytest.mark.parametrize(
    ("reply", "spans"),
    [
        ("The event happens in the 24.3 - 30.4 seconds.", [(24.3, 30.4)]),
        ("from 12.5 to 20 seconds", [(12.5, 20.0)]),
        ("12.5s to 20s", [(12.5, 20.0)]),
        ("between 5 and 9 seconds", [(5.0, 9.0)]),
        ("3.5 – 10", [(3.5, 10.0)]),
        ("1:02 to 1:15", [(62.0, 75.0)]),
        ("00:00:12 - 00:00:20.5", [(12.0, 20.5)]),
        ('<answer>{"time": [12.3, 25.7]}</answer>', [(12.3, 25.7)]),
        ("<answer>B</answer>\n<glue>[(20.3, 30.8), (40, 45.5)]</glue>", [(20.3, 30.8), (40.0, 45.5)]),
        ("<answer>A</answer><grounding>[3.5, 10], [12, 14]</grounding>", [(3.5, 10.0), (12.0, 14.0)]),
        ("<evidence>[1, 2]</evidence> <answer>3 to 4</answer>", [(1.0, 2.0)]),
        ("<think>maybe 3 to 5</think><answer>12.5 to 20.0</answer>", [(12.5, 20.0)]),
        ("3 people walk from 10 to 15 seconds and then 20 to 25 seconds", [(10.0, 15.0), (20.0, 25.0)]),
    ],
)
def test_spans_that_are_said_are_read(reply, spans):
    assert plain_spans(reply, 60.0) == spans


@pytest.mark.parametrize(
    "reply",
    [
        *("", "no idea", "12", "12 20", "seconds 12", "<glue>[]</glue>", "<think>3 to 5</think>", "frames 3, 5"),
        *("<grounding>[7, 7]</grounding>", "30 - 20 seconds", "<answer>[25.7, 12.3]</answer>", "tomato 5"),
    ],
)
def test_points_inverted_spans_and_loose_numbers_point_at_nothing(reply):
    assert plain_spans(reply, 60.0) == []


@LAW
@given(tenths, tenths, st.sampled_from(["{} - {}", "{} to {} seconds", "[{}, {}]", "between {} and {}", "({}s, {}s)"]))
def test_a_rendered_span_comes_back(start, length, form):
    end = round(start + length + 0.1, 1)
    assert plain_spans(f"It happens {form.format(start, end)}.", 4000.0) == [(start, end)]


@LAW
@given(st.text(max_size=60), st.sampled_from(sorted(SPAN_PARSERS)))
def test_no_parser_fails(reply, name):
    assert all(len(pair) == 2 for pair in SPAN_PARSERS[name](reply, 30.0))


@pytest.mark.parametrize("name", ["onethinker", "zoom_zero", "official/vstar"])
def test_what_is_no_number_for_a_machine_points_at_nothing(name):
    for text in ("9" * 5000, "[" * 5000, "(1, 2", '{"time": ["one", 2]}', "\0"):
        for reply in (text, f"<answer>{text}</answer>", f"<glue>[({text}, {text})]</glue>"):
            assert SPAN_PARSERS[name](reply, 10.0) == []
