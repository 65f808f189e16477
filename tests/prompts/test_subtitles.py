from hypothesis import given
from hypothesis import strategies as st

from tevo.prompts.solver import solver_prompt
from tevo.prompts.subtitles import write_subtitles
from tevo.prompts.templates import load_templates
from tevo.structures import Question, Span, TimedText

CUES = [TimedText(Span(float(second), second + 1.5), f"word {second}") for second in range(100, 160, 2)]


def test_timed_lines_count_from_what_the_prompt_calls_second_0():
    text = write_subtitles(CUES, [Span(100.0, 105.0)], 100.0)
    assert text == "Subtitles:\n[0.0 - 1.5] word 100\n[2.0 - 3.5] word 102\n[4.0 - 5.5] word 104"


def test_nothing_said_nothing_written():
    assert write_subtitles(CUES, [Span(10.0, 20.0)]) == write_subtitles([], [Span(100.0, 160.0)]) == ""


def test_words_stay_on_their_line():
    assert write_subtitles([TimedText(Span(0.0, 1.0), "a\nb\t c")], [Span(0.0, 9.0)]) == "Subtitles:\n[0.0 - 1.0] a b c"


@given(st.integers(40, 800))
def test_what_does_not_fit_is_left_out_evenly_and_said(most):
    lines = write_subtitles(CUES, [Span(100.0, 160.0)], 0.0, most).split("\n")
    assert sum(len(line) + 1 for line in lines[1:]) <= most + 1
    kept = len(lines) - 1
    assert lines[0] == ("Subtitles:" if kept == len(CUES) else f"Subtitles ({kept} of {len(CUES)} lines):")
    seconds = [int(line.split()[-1]) for line in lines[1:]]
    assert seconds == sorted(seconds)
    if kept == 2:
        assert seconds[0] < 130 <= seconds[1]


def test_the_question_comes_after_them_and_is_the_same():
    question = Question("q", "v", "What {happens}?", "first", ("a", "b"))
    templates = load_templates("tiny")
    alone = solver_prompt(question, 9.0, templates)
    spoken = write_subtitles([TimedText(Span(0.0, 1.0), "{question} hello")], [Span(0.0, 9.0)])
    assert solver_prompt(question, 9.0, templates, spoken) == f"Subtitles:\n[0.0 - 1.0] {{question}} hello\n\n{alone}"
