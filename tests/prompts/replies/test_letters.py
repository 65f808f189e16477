"""The reading of tevo; the other parsers are held to what their authors' answered by tests/test_run_vectors.py."""

from string import ascii_uppercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.prompts.replies import LETTER_PARSERS, plain_letter

OPTIONS = ("a red car", "a blue bus", "a green bike", "a yellow van")
LAW = settings(deadline=None, derandomize=True, max_examples=300)


@pytest.mark.parametrize(
    "reply",
    [
        *("B", "b", " (B) ", "B.", "**B**", "[B]", "'B'", "B\n", "B) a blue bus", "B: a blue bus", "(B) a blue bus"),
        *("a blue bus", "A blue bus.", "  A  BLUE bus ", "The answer is B", "the correct answer is (B).", "Answer: b"),
        *("**Answer:** B", "Best option: (B)", "The answer is B because it is blue", "Final answer: **B**."),
        *("<answer>B</answer>", "<answer> b </answer>", "<answer>(B) a blue bus</answer>", "\\boxed{B}"),
        *("<think>A is red. Could be A.</think><answer>B</answer>", "A or C </think> B", "$\\boxed{\\text{B}}$"),
        *("<answer>A</answer> wait <answer>B</answer>",),
    ],
)
def test_an_answer_that_is_said_is_read(reply):
    assert plain_letter(reply, OPTIONS) == "B"


@pytest.mark.parametrize(
    "reply",
    [
        *("", "   ", "E", "The answer is E", "1", "Bus", "A or B", "ABCD", "no idea", "I cannot determine the answer."),
        *("Option A is wrong; option D is right.", "The answer is a blue thing", "Both A and B look right"),
        *("<answer></answer>", "<answer>ERROR</answer>", "<think>B", "A blue bus is seen, so B", "I think so"),
        *("It's B, since the DVD case appears first.", "answer: A. answer: B."),
    ],
)
def test_anything_else_is_unparsed(reply):
    """Replies on which others draw a random letter, take the article for an answer, or credit two letters."""
    assert plain_letter(reply, OPTIONS) == ""


@LAW
@given(st.integers(2, 8), st.data())
def test_a_rendered_answer_comes_back(count, data):
    options = [f"thing number {number}" for number in range(count)]
    index = data.draw(st.integers(0, count - 1))
    letter = ascii_uppercase[index]
    form = data.draw(st.sampled_from(["{l}", "({l})", "{l}. {t}", "<answer>{l}</answer>", "{t}", "The answer is {l}."]))
    assert plain_letter(form.format(l=letter, t=options[index]), options) == letter


@LAW
@given(st.text(max_size=60), st.sampled_from(sorted(LETTER_PARSERS)))
def test_no_parser_fails_or_credits_what_is_no_letter(reply, name):
    credited = LETTER_PARSERS[name](reply, OPTIONS)
    assert set(credited) <= {*ascii_uppercase, "?"}


def test_a_question_without_options_has_no_letter():
    assert plain_letter("A", ()) == ""


def test_an_empty_reply_is_unparsed_everywhere_but_where_a_substring_counts():
    credited = {name: parse("", OPTIONS) for name, parse in LETTER_PARSERS.items()}
    assert credited.pop("zoom_zero/long") == "ABCD"  # its trap: an empty reply is in every truth
    assert set(credited.values()) == {""}
