"""Evidence of any predictions, by one judge: the same questions for every model, letters and replies read."""

from pathlib import Path

import pytest

from tevo.evaluation import agreed_spec, ask_benchmark, find_contestants, judge_rows
from tevo.evaluation.judging import claim_row
from tevo.metrics.evidence_quality import TERMS
from tevo.structures import Question, Span

LONG = "made/events7_vfr.mp4"


@pytest.fixture(scope="module")
def judge(runs, cache):
    (one,) = find_contestants([str(runs / "run")])
    return one.open(agreed_spec({one.label: one.looks}), cache)


@pytest.mark.parametrize(
    ("said", "answer", "windows"),
    [
        ({"pred_answer": "B", "pred_relevant_windows": [[1, 2]]}, "two", [[1, 2]]),
        ({"pred_answer": 0}, "one", []),
        ({"response": "<answer>B</answer> <evidence>[3, 5.5]</evidence>"}, "two", [[3.0, 5.5]]),
        ({"pred_answer": None}, "", []),
    ],
)
def test_what_anyone_predicts_is_a_claim(said, answer, windows):
    question = Question("q", "v.mp4", "Which?", "open", ("one", "two"), shown=Span(1.0, 9.0))
    claim = claim_row(question, {"qid": "q"} | said)
    assert (claim["pred_answer"], claim["pred_relevant_windows"]) == (answer, windows)
    assert claim["shown"] == [1.0, 9.0] and claim["vid"] == str(Path("v.mp4").absolute())


def test_every_term_is_a_mean_beside_that_of_other_questions(judge, choice, rows, row):
    asked = ask_benchmark(choice([*rows, row("e", "made/text_named.mp4")]))
    said = {q.id: {"qid": q.id, "pred_answer": "B", "pred_relevant_windows": [[2.0, 5.0]]} for q in asked.put}
    said["d"]["pred_relevant_windows"] = [[17.0, 20.0]]
    found = judge_rows(judge, asked.put, said, 100)
    assert set(found.terms) == set(found.dealt) == set(TERMS)
    terms = {one.qid: one.terms for one in found.judged}
    assert found.terms["quality"] == pytest.approx(sum(terms[qid]["quality"] for qid in "abcd") / 4)
    assert next(one for one in found.judged if one.qid == "e").reason == "not a video"
    assert found.to_row()["questions"] == 4
    assert judge_rows(judge, asked.put, said, 100) == found


def test_few_are_drawn_and_what_was_not_predicted_is_not_judged(judge, choice):
    asked = ask_benchmark(choice())
    said = {"c": {"qid": "c", "pred_answer": "A", "pred_relevant_windows": [[0.0, 1.0]]}}
    assert [one.qid for one in judge_rows(judge, asked.put, said, 1).judged] == ["c"]
    nothing = judge_rows(judge, asked.put, {}, 10)
    assert (nothing.terms, nothing.dealt, nothing.judged) == ({}, {}, ())
