import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.prompts.solver import SolverReply, letter_of, read_choice, read_reply, solver_prompt, write_reply
from tevo.prompts.templates import load_templates, shipped
from tevo.structures import Question, Role, Span

VIDEO = Span(0.0, 40.0)
OPTIONS = ("the red shape grows", "a dog", "B movies", "the cyan shape spins")
CHOICE = Question("q", "v", "What happens first?", "first", OPTIONS, "a dog")
OPEN = Question("q", "v", "What is it?", "open")
WHEN = Question("q", "v", "When does this happen: a dog?", "when")

words = (
    st.text(st.characters(blacklist_characters="<>", blacklist_categories=["Cs"]), min_size=1)
    .map(str.strip)
    .filter(bool)
)
tenths = st.integers(0, 400).map(lambda n: n / 10)
spans = st.lists(st.tuples(tenths, tenths).map(lambda p: Span(min(p), max(p))), min_size=1, max_size=3).map(tuple)


@given(words, spans, st.one_of(st.just(""), words))
@settings(deadline=None)
def test_an_open_reply_comes_back_as_it_was_written(answer, evidence, thought):
    reply = SolverReply(answer, evidence, thought)
    reading = read_reply(write_reply(reply, "open"), OPEN, VIDEO)
    assert reading.reply == reply and reading.faults == ()


@given(st.sampled_from(range(4)), spans, st.one_of(st.just(""), words))
@settings(deadline=None)
def test_a_choice_comes_back_as_it_was_written(index, evidence, thought):
    reply = SolverReply(letter_of(CHOICE, OPTIONS[index]), evidence, thought)
    reading = read_reply(write_reply(reply, CHOICE.kind), CHOICE, VIDEO)
    assert reading.reply == reply and reading.choice == index and reading.faults == ()


@given(spans)
@settings(deadline=None)
def test_a_when_reply_is_its_spans(evidence):
    text = write_reply(SolverReply(spans=evidence), "when")
    assert "<answer>" not in text
    reading = read_reply(text, WHEN, VIDEO)
    assert reading.reply.spans == evidence and reading.choice == -1 and reading.faults == ()


@pytest.mark.parametrize(
    ("answer", "index"),
    [
        ("A", 0), ("b", 1), ("(C)", 2), ("D)", 3), ("D.", 3), ("B) a dog", 1), ("b: A dog.", 1), ("A dog", 1),
        ("the  red shape grows.", 0), ("B movies", 2),
        ("E", -1), ("", -1), ("A or B", -1), ("A cat", -1), ("B) a cat", -1), ("AB", -1), ("1", -1),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_what_it_says(answer, index):
    assert read_choice(answer, OPTIONS) == index


@pytest.mark.parametrize(
    ("text", "choice", "num_spans", "faults"),
    [
        ("<answer>A</answer><glue>[(1, 2)]</glue>", 0, 1, ()),
        ("<think>hm</think>\n<answer>A</answer>\n<glue>[(1, 2)]</glue>\n", 0, 1, ()),
        ("<answer>A</answer><glue>[(1, 2)]", 0, 0, ("<glue> is not closed",)),
        ("<answer>A</answer>", 0, 0, ("no <glue>",)),
        ("<glue>[(1, 2)]</glue>", -1, 1, ("no <answer>",)),
        ("<answer>Z</answer><glue>[(1, 2)]</glue>", -1, 1, ("the answer is none of the options",)),
        ("<answer> </answer><glue>[(1, 2)]</glue>", -1, 1, ("the answer is empty",)),
        ("<answer>A</answer><glue>[(2, 1)]</glue>", 0, 0, ("a span is reversed",)),
        ("<answer>A</answer><glue>[(39, 80)]</glue>", 0, 0, ("a span is outside the video",)),
        ("<glue>[(1, 2)]</glue><answer>A</answer>", 0, 1, ("tags out of order",)),
        ("I think <answer>A</answer><glue>[(1, 2)]</glue>", 0, 1, ("text outside the tags",)),
        ("A", -1, 0, ("no <answer>", "no <glue>")),
    ],
)
def test_what_is_whole_counts_and_what_is_not_has_a_name(text, choice, num_spans, faults):
    reading = read_reply(text, CHOICE, VIDEO)
    assert (reading.choice, len(reading.reply.spans), reading.faults) == (choice, num_spans, faults)


def test_a_when_question_with_an_answer_is_at_fault():
    assert read_reply("<answer>A</answer><glue>[(1, 2)]</glue>", WHEN, VIDEO).faults == ("text outside the tags",)


def test_answer_and_every_named_time_are_marked():
    text = "<think>see <time>(1, 2)</time> and <time>(3, 4)</time></think><answer>A</answer><glue>[(1, 2)]</glue>"
    marked = [(text[start:end], role) for start, end, role in read_reply(text, CHOICE, VIDEO).marked]
    assert marked == [
        ("(1, 2)", Role.EVIDENCE),
        ("(3, 4)", Role.EVIDENCE),
        ("A", Role.ANSWER),
        ("[(1, 2)]", Role.EVIDENCE),
    ]


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("question", [CHOICE, OPEN, WHEN], ids=lambda q: q.kind)
def test_the_prompt_says_what_is_asked(name, question):
    prompt = solver_prompt(question, 12.34, load_templates(name))
    assert question.text in prompt and "12.3 seconds" in prompt
    assert all(f"{letter}) {option}" in prompt for letter, option in zip("ABCD", question.options, strict=False))
