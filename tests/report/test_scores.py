from tevo.metrics import score_predictions
from tevo.metrics.predictions import Predictions
from tevo.report.scores import score_table
from tevo.structures import Question, Span


def scored(tmp_path, protocol="official", num=2):
    asked = [
        Question(
            f"q{n}",
            f"v{n}",
            "?",
            "what",
            ("yes", "no"),
            "no",
            (Span(0.0, 10.0),),
            groups={"task": ("TN" if n else "CW",)},
        )
        for n in range(num)
    ]
    rows = {"q0": {"pred_answer": "B", "pred_relevant_windows": [[0.0, 10.0]]}, "x": {"pred_answer": "A"}}
    return score_predictions("nextgqa", protocol, asked, Predictions(tmp_path, rows, 3, ("q0",), ("line 9: not JSON",)))


def test_the_table_says_what_was_scored_how_and_what_is_missing(tmp_path):
    lines = score_table(scored(tmp_path)).splitlines()
    assert lines[0] == "nextgqa, protocol official: 2 questions, 1 predicted, 1 counted"
    cells = [line.split() for line in lines]
    assert ["Acc&GQA", "100.0"] in cells
    assert ["points,", "95", "%", "interval", "mean", "low", "high"] in cells
    assert ["CW", "1", *["100.0"] * 7] in cells
    assert ["TN", "1", *["-"] * 7] in cells
    assert "     1 without a prediction: q1" in lines
    assert "     1 predicted, not annotated: x" in lines
    assert "     1 rows or windows that cannot be used: line 9: not JSON" in lines


def test_many_names_are_cut_short(tmp_path):
    assert "without a prediction: q1, q2, q3 and 6 more" in score_table(scored(tmp_path, "tevo", num=10))
