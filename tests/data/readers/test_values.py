import math
from string import ascii_uppercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.values import (
    as_answer,
    as_options,
    as_rate,
    as_seconds,
    as_spans,
    as_text,
    has_markup,
    repeat,
    split_options,
    without_labels,
)
from tevo.structures import Span

OPTIONS = ("a red cup", "B", "Yes ", "yes")


def refused(reason):
    return pytest.raises(RowProblem, match=f"^{reason}: ")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(7, 7.0), (2.5, 2.5), ("3.5", 3.5), (" -0.1 ", -0.1), ("1e1", 10.0), ("01:02:03.5", 3723.5), ("02:03", 123.0)],
)
def test_seconds_as_files_write_them(value, seconds):
    assert as_seconds(value, "it") == seconds


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, "NaN", "Infinity", "1_0", "", None, True, [1], "12s", 10**400], ids=repeat
)
def test_what_is_no_number_of_seconds_is_named(value):
    with refused(Reason.BAD_TIME):
        as_seconds(value, "it")


def test_a_rate_is_above_0():
    assert as_rate(3) == 3.0
    with refused(Reason.BAD_TIME):
        as_rate(0)


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        (None, ()),
        ([], ()),
        ([1, 2.5], (Span(1.0, 2.5),)),
        ([[1, 2], ["3", "4"]], (Span(1.0, 2.0), Span(3.0, 4.0))),
        ([[5, 5]], (Span(5.0, 5.0),)),
        ((1, 2), (Span(1.0, 2.0),)),
    ],
)
def test_one_span_or_many(value, spans):
    assert as_spans(value, "it") == spans


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([2, 1], Reason.REVERSED),
        ([[0, 1], [2, 1]], Reason.REVERSED),
        ([math.nan, 1], Reason.BAD_TIME),
        ([[1, None]], Reason.BAD_TIME),
        ("1-2", Reason.BAD_VALUE),
        ([1, 2, 3], Reason.BAD_VALUE),
        ({"start": 1}, Reason.BAD_VALUE),
        ([1, [2, 3]], Reason.BAD_VALUE),
    ],
)
def test_what_is_no_span_is_named(value, reason):
    with refused(reason):
        as_spans(value, "it")


@pytest.mark.parametrize("value", ["", "  ", None, True, [], {}, "\ud800"])
def test_what_is_no_text_is_named(value):
    with refused(Reason.BAD_VALUE):
        as_text(value, "it")


def test_numbers_are_texts_and_an_empty_text_may_be():
    assert as_text(12, "it") == "12"
    assert as_text("", "it", may_be_empty=True) == ""


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (None, ()),
        ([], ()),
        (["a", 2], ("a", "2")),
        (["A. a", "B. b"], ("a", "b")),
        (["(A) a", "(B) b"], ("a", "b")),
        (["A. Lincoln", "U. Grant"], ("A. Lincoln", "U. Grant")),
        (["A.", "B."], ("A.", "B.")),
        ({"B": "b", "A": "a"}, ("a", "b")),
        ({"A": "", "B": ""}, ()),
        ({"A": "a", "B": "b", "C": None}, ("a", "b")),
        (["", "a"], ("", "a")),
    ],
)
def test_options_as_files_write_them(value, options):
    assert as_options(value, "it") == options


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("['a', 'b']", Reason.BAD_VALUE),
        ({"A": "a", "C": "c"}, Reason.BAD_VALUE),
        ([["a"], ["b"]], Reason.BAD_VALUE),
        (["only"], Reason.NO_OPTIONS),
    ],
)
def test_what_are_no_options_is_named(value, reason):
    with refused(reason):
        as_options(value, "it")


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(min_size=1).filter(lambda text: text == text.strip()), min_size=2, max_size=26))
def test_labels_that_were_put_on_come_off(options):
    labelled = [f"({letter}) {option}" for letter, option in zip(ascii_uppercase, options, strict=False)]
    assert without_labels(labelled) == tuple(options)


def test_options_under_a_question():
    text = "Who wins?\n(A) the cat\n(B) the mouse \nAnswer with a letter."
    assert split_options(text) == ("Who wins?\nAnswer with a letter.", ("the cat", "the mouse"))
    assert split_options("A. one line\nis no choice") == ("A. one line\nis no choice", ())
    assert split_options("Read:\nB. second\nA. a\n B. b") == ("Read:\nB. second", ("a", "b"))


@pytest.mark.parametrize(
    ("value", "answer_as", "found"),
    [
        ("A", "letter", ("a red cup", 0, None)),
        ("(b)", "letter", ("B", 1, None)),
        ("C. Yes", "letter", ("Yes ", 2, None)),
        ("E", "letter", ("E", -1, Reason.ODD_ANSWER)),
        ("a red cup", "letter", ("a red cup", -1, Reason.ODD_ANSWER)),
        (1, "number", ("B", 1, None)),
        ("3", "number", ("yes", 3, None)),
        (4, "number", ("4", -1, Reason.ODD_ANSWER)),
        (-1, "number", ("-1", -1, Reason.ODD_ANSWER)),
        ("a  Red cup", "text", ("a red cup", 0, None)),
        ("yes", "text", ("yes", 3, None)),
        ("YES", "text", ("Yes ", 2, None)),
        ("YES", "last_text", ("yes", 3, None)),
        ("A", "text", ("A", -1, Reason.ODD_ANSWER)),
        ("A", "any", ("a red cup", 0, None)),
        ("B", "any", ("B", 1, None)),
        (2, "any", ("Yes ", 2, None)),
        (None, "any", ("", -1, Reason.NO_ANSWER)),
        ("", "letter", ("", -1, Reason.NO_ANSWER)),
    ],
)
def test_the_right_option(value, answer_as, found):
    assert as_answer(value, OPTIONS, answer_as, "it") == found


def test_answers_without_options():
    assert as_answer("A man.", (), "any", "it") == ("A man.", -1, None)
    assert as_answer("A", (), "any", "it") == ("A", -1, None)
    assert as_answer("Dolly zoom", (), "letter", "it") == ("Dolly zoom", -1, None)
    assert as_answer("C", (), "letter", "it") == ("C", 2, Reason.NO_OPTIONS)


def test_an_empty_answer_may_be_an_empty_option():
    assert as_answer("", ("2", ""), "last_text", "it") == ("", 1, None)


@pytest.mark.parametrize("text", ["<b>bold</b>", "<script>alert(1)</script>", 'x <img src=a onerror="b">', "a<br/>b"])
def test_html_is_seen(text):
    assert has_markup(text)


@pytest.mark.parametrize("text", ["x < y and z > 3", "<image 1>", "<s0> to <e0>", "<answer>B</answer>", "a <- b"])
def test_what_is_no_html_is_let_be(text):
    assert not has_markup(text)


def test_a_value_is_repeated_short_and_without_control_characters():
    assert repeat("\x1b[31mred\u202e") == r"'\x1b[31mred\u202e'"
    assert len(repeat("x" * 1000)) == 80
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert repeat(deep) == "a list nested too deeply"
