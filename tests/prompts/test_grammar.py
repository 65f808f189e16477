"""Render and parse are inverse; what no template made is an open question."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tevo.prompts.grammar import KINDS, LEVELS, Ask, parse, render
from tevo.structures import Span

LAW = settings(deadline=None, derandomize=True, max_examples=200)
phrases = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40)
tenths = st.integers(0, 100_000).map(lambda n: n / 10)
NAMING = ("when", "before", "after", "count", "duration", "why")


@LAW
@given(st.sampled_from(NAMING), phrases)
def test_questions_about_a_clause_come_back(kind, phrase):
    ask = Ask(kind, phrase)
    assert parse(render(ask)) == ask


@LAW
@given(tenths, tenths)
def test_questions_about_a_stretch_of_time_come_back(start, length):
    ask = Ask("what", within=Span(start, round(start + length, 1)))
    assert parse(render(ask)) == ask


@pytest.mark.parametrize("kind", ["first", "last"])
def test_questions_about_the_order_of_all_come_back(kind):
    assert parse(render(Ask(kind))) == Ask(kind)


@LAW
@given(phrases)
def test_anything_else_is_an_open_question_about_itself(text):
    assume(parse(text).kind == "open")
    assert parse(text) == Ask("open", text)
    assert render(Ask("open", text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is the man doing?",
        "What happens between the goals?",
        "What happens between 3 s and 5 s, and why?",
        "What happens between 5 s and 3 s?",
        "When does this happen?",
        "Tell me: what happens first?",
        "When does this happen: two\nlines?",
    ],
)
def test_texts_outside_the_grammar(text):
    assert parse(text) == Ask("open", text)


def test_a_user_may_write_seconds_and_case_his_own_way():
    assert parse("what happens between 3 s and 5.25 s?") == Ask("what", within=Span(3.0, 5.25))
    assert parse("  WHEN DOES THIS HAPPEN: a dog barks?\n") == Ask("when", "a dog barks")


def test_every_kind_has_its_own_words():
    within = Span(1.0, 2.0)
    texts = {render(Ask(kind, "the dog barks", within if kind == "what" else None)) for kind in KINDS}
    assert len(texts) == len(KINDS)
    assert set(LEVELS) == set(KINDS) - {"open"}
    assert sorted(set(LEVELS.values())) == [1, 2, 3, 4]
