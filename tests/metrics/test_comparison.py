"""The difference of two models: pair by pair, videos drawn, and what is not a pair is counted."""

import pytest

from tevo.metrics.comparison import compare_predictions
from tevo.structures import Question, Span

QUESTIONS = [
    Question(f"{video}-{n}", f"{video}.mp4", "?", "open", ("a", "b"), "a", (Span(0.0, 4.0),), answer_index=0)
    for video in range(6)
    for n in range(5)
]


def rows(answer="a", window=(0.0, 4.0), without=()):
    return {
        q.id: {"qid": q.id, "pred_answer": answer, "pred_relevant_windows": [list(window)]}
        for q in QUESTIONS
        if q.id not in without
    }


def test_a_model_against_itself_gains_nothing_surely():
    for difference in compare_predictions("generic", "tevo", QUESTIONS, rows(), rows()).values():
        assert (difference["mean"], difference["low"], difference["high"]) == (0.0, 0.0, 0.0)
        assert (difference["pairs"], difference["alone"]) == (30, 0)


def test_gains_are_points_and_turn_around_with_the_models():
    better, worse = rows(), rows("b", (2.0, 6.0))
    gain = compare_predictions("generic", "tevo", QUESTIONS, better, worse)
    assert gain["acc"]["mean"] == 100
    assert gain["IoU"]["mean"] == pytest.approx(100 - 100 / 3)
    loss = compare_predictions("generic", "tevo", QUESTIONS, worse, better)
    assert loss["IoU"]["mean"] == pytest.approx(-gain["IoU"]["mean"])


def test_videos_are_drawn_together():
    """Right on half the videos only: five questions of one video say no more than one."""
    half = {qid: row | {"pred_answer": "a" if int(qid[0]) < 3 else "b"} for qid, row in rows().items()}
    found = compare_predictions("generic", "tevo", QUESTIONS, half, rows("b"))["acc"]
    assert found["mean"] == 50
    assert found["high"] - found["low"] >= 60  # 30 questions drawn one by one: about 36


def test_what_a_protocol_counts_for_one_of_them_only_is_no_pair():
    """NExT-GQA's scorer leaves out what is not predicted; tevo counts it as wrong."""
    missing = {q.id for q in QUESTIONS[:5]}
    official = compare_predictions("nextgqa", "official", QUESTIONS, rows(without=missing), rows())["IoU"]
    assert (official["pairs"], official["alone"], official["mean"]) == (25, 5, 0.0)
    tevo = compare_predictions("nextgqa", "tevo", QUESTIONS, rows(without=missing), rows())["IoU"]
    assert (tevo["pairs"], tevo["alone"]) == (30, 0)
    assert tevo["mean"] == pytest.approx(-100 * 5 / 30)


def test_nothing_to_compare_is_no_difference():
    asked = [Question("q", "v.mp4", "?", "open", ("a", "b"), "")]
    assert compare_predictions("generic", "tevo", asked, {}, {}) == {}
