"""Benchmarks' questions in the words that models are asked in."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tevo.prompts.grammar import parse
from tevo.prompts.wording import put_in_words
from tevo.structures import Question


def put(text, kind="when", options=()):
    return put_in_words(Question("q", "v.mp4", text, kind, options))


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("person turn a light on.", "person turn a light on"),  # Charades-STA
        ("Man in gray top walks from outside\nto inside.", "Man in gray top walks from outside to inside"),
        ("When does the man open the door?", "the man open the door"),
        ("When is the ball thrown?", "the ball thrown"),
        ("At what time in the video did she fall?", "she fall"),
        ("when the bell rings", "the bell rings"),
        ("Whenever it rains, he sings.", "Whenever it rains, he sings"),
        ("What is the reason?", "What is the reason"),
        ("?!", "?!"),
    ],
)
def test_what_is_asked_for_by_spans_alone_becomes_a_question_of_when(text, clause):
    asked = put(text)
    assert asked.text == f"When does this happen: {clause}?"
    assert (parse(asked.text).kind, parse(asked.text).phrase) == ("when", clause)


def test_a_question_of_the_grammar_stays_as_it_is():
    assert put("When does this happen: a door opens?").text == "When does this happen: a door opens?"


@settings(deadline=None)
@given(st.text(min_size=1).filter(str.strip))
@example("?\n.")
@example("When does ?")
def test_any_sentence_is_then_read_as_when_and_putting_it_twice_changes_nothing(text):
    once = put(text)
    assert parse(once.text).kind == "when"
    assert put_in_words(once) == once


def test_choices_and_open_questions_keep_their_words_and_lose_options_that_are_none():
    asked = put("Why?", "open", ("a dog", "", "a cat", "a dog", " "))
    assert (asked.text, asked.options) == ("Why?", ("a dog", "a cat"))
    assert put("Why?", "open").text == "Why?"
    assert put("  ", "when").text == "  "  # nothing to put: refused later, by name
