import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.prompts.asker import TYPES, Asked, asker_prompt, read_asked, split_options, write_asked
from tevo.prompts.grammar import KINDS, Ask, render
from tevo.prompts.templates import load_templates, shipped
from tevo.structures import Span

VIDEO = Span(0.0, 40.0)
words = st.text("abcdefgh é?", min_size=1).map(lambda s: " ".join(s.split())).filter(bool)
tenths = st.integers(0, 400).map(lambda n: n / 10)
spans = st.lists(st.tuples(tenths, tenths).map(lambda p: Span(min(p), max(p))), min_size=1, max_size=3).map(tuple)


@st.composite
def asked(draw):
    kind = draw(st.sampled_from(TYPES))
    options = ()
    if kind in ("multiple choice", "count"):
        options = tuple(draw(st.lists(words, min_size=2, max_size=4, unique=True)))
    options = ("yes", "no") if kind == "yes/no" else options
    answer = "" if kind == "when" else draw(st.sampled_from(options)) if options else draw(words)
    return kind, draw(words), answer, options, draw(spans), draw(st.one_of(st.just(""), words))


@given(asked())
@settings(deadline=None)
def test_a_question_comes_back_as_it_was_written(parts):
    question = Asked(*parts)
    reading = read_asked(write_asked(question), VIDEO)
    assert reading.faults == () and reading.asked == question


GOOD = (
    "<evidence>[(1.0, 3.0)]</evidence><type>multiple choice</type><question>What?</question>"
    "<options>A) a dog B) a cat</options><answer>B</answer>"
)


def test_it_becomes_a_question_of_the_pool():
    question = read_asked(GOOD, VIDEO).asked.question("q7", "a.mp4", Span(0.0, 5.0))
    assert (question.id, question.video, question.text, question.answer) == ("q7", "a.mp4", "What?", "a cat")
    assert question.options == ("a dog", "a cat") and question.evidence == (Span(1.0, 3.0),)
    assert question.kind == "multiple choice" and question.level == 1


def test_the_grammars_kinds_and_levels_are_known_by_their_text():
    text = GOOD.replace("What?", "What happens right before this: the red shape grows?")
    question = read_asked(text, VIDEO).asked.question("q", "v")
    assert (question.kind, question.level) == ("before", 2)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("</answer>", "", "<answer> is not closed"),
        ("<type>multiple choice</type>", "", "no <type>"),
        ("multiple choice", "essay", "unknown type"),
        ("What?", " ", "the question is empty"),
        ("B</answer>", "E</answer>", "the answer is none of the options"),
        ("B</answer>", "</answer>", "the answer is empty"),
        ("A) a dog B) a cat", "A) a dog", "fewer than two options"),
        ("A) a dog B) a cat", "a dog, a cat", "fewer than two options"),
        ("A) a dog B) a cat", "A) a dog C) a cat", "fewer than two options"),
        ("a cat<", "a dog<", "an option is given twice"),
        ("multiple choice", "open", "options where none belong"),
        ("multiple choice", "when", "a when question with an answer"),
        ("(1.0, 3.0)", "(3.0, 1.0)", "a span is reversed"),
        ("(1.0, 3.0)", "(1.0, 99.0)", "a span is outside the video"),
        ("(1.0, 3.0)", "", "no span"),
    ],
)
def test_every_fault_has_its_name_and_leaves_no_question(old, new, fault):
    reading = read_asked(GOOD.replace(old, new), VIDEO)
    assert reading.asked is None and reading.faults[0] == fault


@pytest.mark.parametrize("text", ["What happens4.4 s and 3.6 s?", "What?", "When does a dog bark?", "Tell me."])
def test_words_of_ones_own_are_a_fault_where_the_grammar_is_wanted(text):
    said = GOOD.replace("What?", text)
    assert read_asked(said, VIDEO).asked.text == text
    assert read_asked(said, VIDEO, free_text=False).faults == ("the question has none of the grammar's forms",)


@given(st.sampled_from(KINDS[:-1]), words, tenths, tenths)
@settings(deadline=None)
def test_every_form_of_the_grammar_is_a_question(kind, phrase, one, other):
    within = Span(min(one, other), max(one, other)) if kind == "what" else None
    phrase = "" if kind in ("what", "first", "last") else phrase
    options, answer = ((), "") if kind == "when" else (("a", "b"), "a")
    written = Asked("when" if kind == "when" else "multiple choice", render(Ask(kind, phrase, within)), answer, options,
                    (Span(0.0, 1.0),))  # fmt: skip
    reading = read_asked(write_asked(written), VIDEO, free_text=False)
    assert reading.faults == () and reading.asked == written and reading.asked.kind == kind


@pytest.mark.parametrize(
    ("text", "kind", "fault"),
    [
        ("What happens first?", "when", "the type is not that of the question"),
        ("When does this happen: a dog?", "multiple choice", "the type is not that of the question"),
    ],
)
def test_a_type_goes_with_its_form(text, kind, fault):
    said = GOOD.replace("What?", text).replace("multiple choice", kind)
    assert read_asked(said, VIDEO, free_text=False).faults == (fault,)


@pytest.mark.parametrize("free_text", [True, False])
@pytest.mark.parametrize(
    ("seconds", "fault"),
    [
        ("5.0 s and 3.0 s", "the question's seconds are reversed"),
        ("30.0 s and 41.0 s", "the question's seconds are outside the video"),
        ("-2.0 s and 3.0 s", "the question's seconds are outside the video"),
    ],
)
def test_seconds_in_a_question_are_seconds_of_what_was_shown(seconds, fault, free_text):
    text = GOOD.replace("What?", f"What happens between {seconds}?")
    assert read_asked(text, Span(100.0, 140.0), 100.0, free_text).faults == (fault,)
    inside = GOOD.replace("What?", "What happens between 30.0 s and 40.0 s?")
    assert read_asked(inside, Span(100.0, 140.0), 100.0, free_text).faults == ()


@given(st.lists(words, max_size=6))
@settings(deadline=None)
def test_options_come_apart(texts):
    assert split_options(" ".join(f"{letter}) {text}" for letter, text in zip("ABCDEF", texts, strict=False))) == tuple(
        texts
    )


@pytest.mark.parametrize("name", shipped())
def test_prompts_say_how_long_and_what_sort(name):
    for windowed in (False, True):
        prompt = asker_prompt(12.34, load_templates(name), "Ask when something happens.", windowed)
        assert "12.3 seconds" in prompt and "Ask when something happens." in prompt
