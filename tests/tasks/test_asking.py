"""What is put to the Solver for a person's question, and what of its prediction is told."""

import pytest
import torch

from tevo.heads.policy import Prediction
from tevo.prompts.phrases import COUNTS, DURATIONS
from tevo.structures import Question, Span
from tevo.tasks.asking import predicted_spans, prediction_row, read_prediction, usual_options, window_outside
from tevo.tasks.role import Said

BANK = ("a door opens", "a pan falls", "a dog barks")
VIDEO = Span(1.4, 30.0)
BEST = Prediction(
    spans=torch.tensor([[[0.0, 3.0], [29.0, 31.5]], [[40.0, 42.0], [0.0, 0.0]]]),
    span_mask=torch.tensor([[True, True], [True, False]]),
    span_scores=torch.tensor([[0.5, 0.25], [0.125, 0.0]]),
    option_probs=torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.4, 0.0]]),
)


def question(text="What happens first?", **parts):
    return Question("q", "clip.mp4", text, "first", **parts)


def row_of(asked, index):
    return prediction_row(asked, read_prediction(asked, BEST, index, VIDEO))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("When does this happen: a door opens?", ()),
        ("What happens last?", BANK),
        ("What happens right after this: a pan falls?", (BANK[0], BANK[2])),
        ("How often does this happen: a dog barks?", COUNTS),
        ("How long does this last: a dog barks?", DURATIONS),
        ("Who ate the fish?", BANK),
    ],
)
def test_an_open_question_has_the_options_of_its_kind(text, options):
    assert usual_options(question(text), BANK) == options


@pytest.mark.parametrize(
    ("window", "outside"),
    [("2 s and 5 s", False), ("29 s and 35 s", False), ("30.5 s and 35 s", True), ("0 s and 1.2 s", True)],
)
def test_a_window_is_outside_when_no_part_of_it_is_inside(window, outside):
    said = window_outside(question(f"What happens between {window}?"), VIDEO)
    assert bool(said) is outside
    assert not outside or "clip.mp4 runs from 1.4 to 30 s" in said
    assert window_outside(question(), VIDEO) == ""


def test_spans_end_where_the_video_ends():
    assert predicted_spans(BEST, 0, VIDEO) == [(Span(1.4, 3.0), 0.5), (Span(29.0, 30.0), 0.25)]
    assert predicted_spans(BEST, 1, VIDEO) == [(Span(30.0, 30.0), 0.125)]


def test_a_row_says_what_was_chosen_and_where():
    row = row_of(question(options=BANK), 0)
    assert (row["qid"], row["vid"], row["options"]) == ("q", "clip.mp4", list(BANK))
    assert row["pred_answer"] == "a pan falls" and row["pred_answer_confidence"] == 0.5
    assert row["pred_relevant_windows"] == [[1.4, 3.0, 0.5], [29.0, 30.0, 0.25]]
    two = row_of(question(options=BANK[:2]), 1)
    assert two["pred_answer"] == "a door opens"  # the third probability is padding
    none = row_of(question(), 0)
    assert (none["pred_answer"], none["pred_answer_confidence"]) == ("", None)


def test_truth_is_told_only_where_it_is_known():
    unknown = row_of(question(options=BANK), 0)
    assert not {"answer", "relevant_windows"} & unknown.keys()
    known = row_of(question(options=BANK, answer=BANK[2], evidence=(Span(2.0, 4.0),)), 0)
    assert (known["answer"], known["relevant_windows"]) == (BANK[2], [[2.0, 4.0]])
    when = row_of(question(evidence=(Span(2.0, 4.0),)), 0)
    assert (when["answer"], when["relevant_windows"]) == ("", [[2.0, 4.0]])


def test_a_row_keeps_what_was_written():
    said = Said("", None, {}, [], "<answer>", parsed=False)
    row = prediction_row(question(options=BANK), said)
    assert (row["pred_completion"], row["pred_parsed"], row["pred_answer"]) == ("<answer>", False, "")
