"""What stands around an answer; that reasoning is stripped as lmms-eval strips it is checked by the vectors."""

import pytest

from tevo.prompts.replies.tags import after_last, first_tagged, last_tagged, strip_reasoning


def test_first_and_last_of_several_tags():
    reply = "<answer>A</answer> no, <answer>\nB\n</answer> and <answer>C"
    assert first_tagged(reply, "answer") == "A"
    assert last_tagged(reply, "answer") == "\nB\n"
    assert after_last(reply, "answer") == "C"


@pytest.mark.parametrize("reply", ["", "B", "<answer>B", "B</answer>", "<ANSWER>B</ANSWER>"])
def test_a_tag_that_is_not_complete_is_none(reply):
    assert first_tagged(reply, "answer") is None
    assert last_tagged(reply, "answer") is None


def test_only_the_named_tags_are_reasoning():
    assert strip_reasoning("<plan>A</plan>B", [("<plan>", "</plan>")]) == "B"
    assert strip_reasoning("<plan>A</plan>B") == "<plan>A</plan>B"
