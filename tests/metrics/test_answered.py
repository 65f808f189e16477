import pytest

from tevo.errors import TevoError
from tevo.metrics.answered import Answered, answered, as_letter, as_window
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS
from tevo.structures import Question, Span

OPTIONS = ("a red car", "a blue bus", "B")
TEVO, SPANS = LETTER_PARSERS["tevo"], SPAN_PARSERS["tevo"]


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        *((0, "A"), (2, "C"), (3, ""), (-1, ""), ("A", "A"), ("(a)", "A"), ("a.", "A"), ("D", ""), ("", "")),
        *(("A  Blue BUS", "B"), ("B", "C"), (None, ""), (True, ""), (1.0, "")),  # the third option reads "B"
    ],
)
def test_an_answer_may_be_a_letter_an_index_or_a_text(answer, letter):
    assert as_letter(answer, OPTIONS) == letter


@pytest.mark.parametrize("window", [[1], 3.0, "12", [1, "x"], [0, float("nan")], [0, float("inf")], [10**400, 1], None])
def test_a_window_that_is_no_window_is_refused(window):
    with pytest.raises(TevoError, match=r"start, end"):
        as_window(window, "q")


def test_structured_columns_count_before_the_reply():
    row = {"response": "<answer>A</answer> [1, 2]"}
    read = Answered("q", options=OPTIONS, row=row)
    assert (read.letters(TEVO), read.pairs(SPANS)) == ("A", [])  # inside <answer> there is no span
    structured = Answered("q", options=OPTIONS, row=row | {"pred_answer": 1, "pred_relevant_windows": [[3, 4, 0.5]]})
    assert (structured.letters(TEVO), structured.pairs(SPANS)) == ("B", [(3, 4)])
    assert Answered("q", options=OPTIONS).letters(TEVO) == ""


def test_a_claim_of_the_prediction_file_is_kept_apart_from_the_truth():
    row = Answered("q", options=OPTIONS, truth="A", row={"pred_answer": 1, "true_answer": 1})
    assert not row.right(TEVO)
    assert row.claimed_right(TEVO)
    assert row.claim == "B"


def test_a_question_becomes_a_row():
    asked = Question("q", "v", "?", "what", OPTIONS, "a blue bus", (Span(1.0, 2.0),), groups={"task": ("TN",)})
    row = answered(asked, None)
    assert (row.truth, row.true_spans, row.task) == ("B", ((1, 2),), "TN")
    same = Question("q", "v", "?", "what", ("yes", "yes"), "yes", answer_index=1)
    assert answered(same, None).truth == "B"
    assert answered(Question("q", "v", "?", "open", (), "because"), None).truth == "because"
