"""The report of a prediction file: figures, intervals, breakdowns, and everything that is missing by name."""

import json
import math

import pytest

from tevo.errors import TevoError
from tevo.metrics import evaluate_rows, read_predictions, score_predictions, write_scores
from tevo.structures import Question, Span

OPTIONS = ("a red car", "a blue bus")


def question(qid, video="v", task="TN", spans=((2.0, 5.0),), answer=OPTIONS[1], duration_s=30.0, **more):
    evidence = tuple(Span(start, end) for start, end in spans)
    groups = {"task": (task,)} if task else {}
    return Question(qid, video, "?", "what", OPTIONS, answer, evidence, duration_s=duration_s, groups=groups, **more)


def predictions(tmp_path, rows):
    path = tmp_path / "pred.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return read_predictions(path)


def row(qid, answer="B", windows=((2.0, 5.0),)):
    return {"qid": qid, "pred_answer": answer, "pred_relevant_windows": [list(window) for window in windows]}


def test_the_tevo_protocol_is_what_runs_are_measured_by(tmp_path):
    asked = [question(str(n), f"v{n % 3}", spans=((n, n + 4.0),)) for n in map(float, range(12))]
    rows = [row(q.id, "AB"[i % 2], ((3.0, 9.0), (8.0, 11.0))) for i, q in enumerate(asked)]
    report = score_predictions("generic", "tevo", asked, predictions(tmp_path, rows))
    named = [r | {"pred_answer": OPTIONS["AB".index(r["pred_answer"])]} for r in rows]
    expected = evaluate_rows(named, asked)["overall"]
    assert {name: report["figures"][name] for name in expected} == pytest.approx(expected)
    means = {"IoU": "mIoU", "acc": "acc", "acc_gqa": "acc_gqa", "R1@0.5": "R1@0.5"}
    for column, figure in means.items():
        assert report["intervals"][column]["mean"] == pytest.approx(expected[figure])
        assert report["intervals"][column]["low"] <= expected[figure] <= report["intervals"][column]["high"]


def test_everything_that_is_missing_has_a_name_and_a_count(tmp_path):
    rows = [row("a"), row("a", "A"), row("stranger"), {"qid": "b", "response": "no idea"}, {"answer": 3}]
    asked = [question("a"), question("b"), question("c")]
    report = score_predictions("generic", "tevo", asked, predictions(tmp_path, rows))
    assert report["missing_qids"] == ["c"]
    assert report["unknown_qids"] == ["stranger"]
    assert report["duplicate_qids"] == ["a"]
    assert report["unparsed_qids"] == ["b"]
    assert len(report["problems"]) == 1
    assert report["counts"] == {
        **{"questions": 3, "predicted": 2, "missing": 1, "unknown": 1, "duplicate": 1, "unparsed": 1},
        **{"unusable": 1, "other_truth": 0, "with_spans": 3, "with_answer": 3, "counted": 3},
    }
    assert report["figures"]["acc"] == 0  # the last row of a counts


def test_a_claim_that_differs_from_the_annotation_is_named(tmp_path):
    rows = [{"qid": "a", "pred_answer": 0, "true_answer": 0, "pred_relevant_windows": [[2, 5]]}]
    found = predictions(tmp_path, rows)
    official = score_predictions("nextgqa", "official", [question("a")], found)
    assert official["figures"]["Acc&GQA"] == 100  # its scorer believes the file
    assert official["other_truth_qids"] == ["a"]
    assert score_predictions("nextgqa", "tevo", [question("a")], found)["figures"]["acc"] == 0


def test_breakdowns_by_task_and_length_of_video(tmp_path):
    asked = [
        question("a", task="TN"),
        question("b", task="CW", duration_s=200.0),
        question("c", task="", duration_s=0.0),
    ]
    report = score_predictions("generic", "tevo", asked, predictions(tmp_path, [row("a"), row("b", "A"), row("c")]))
    assert report["by"]["task"]["TN"]["acc"] == 100
    assert report["by"]["task"]["CW"] == {"count": 1} | report["by"]["task"]["CW"] | {"acc": 0}
    assert set(report["by"]["duration"]) == {"<1 min", "3-10 min"}
    assert report["figures"]["acc_macro"] == pytest.approx(200 / 3)


def test_shares_of_the_video_become_seconds_to_a_tenth(tmp_path):
    found = predictions(tmp_path, [row("a", windows=((0.0667, 0.1667),))])
    report = score_predictions("nextgqa", "official", [question("a")], found, fractions=True)
    assert report["figures"]["mIoU"] == 100
    with pytest.raises(TevoError, match="length of the video of 'a'"):
        score_predictions("nextgqa", "official", [question("a", duration_s=0.0)], found, fractions=True)


def test_questions_of_one_video_widen_the_interval(tmp_path):
    def width(videos):
        asked = [question(str(n), f"v{n % videos}") for n in range(40)]
        rows = [row(q.id, "B" if int(q.video[1:]) % 2 else "A") for q in asked]
        found = score_predictions("generic", "tevo", asked, predictions(tmp_path, rows))["intervals"]["acc"]
        return found["high"] - found["low"]

    assert width(4) > 1.5 * width(40)


def test_ids_that_fit_no_question_are_refused_with_examples(tmp_path):
    with pytest.raises(TevoError, match=r"ids such as 'x', the questions 'a'"):
        score_predictions("generic", "tevo", [question("a")], predictions(tmp_path, [row("x")]))
    with pytest.raises(TevoError, match="two questions have the id 'a'"):
        score_predictions("generic", "tevo", [question("a"), question("a")], predictions(tmp_path, [row("a")]))
    with pytest.raises(TevoError, match="no question"):
        score_predictions("generic", "tevo", [], predictions(tmp_path, [row("a")]))


def test_the_report_is_json_without_nan(tmp_path):
    asked = [question("a", spans=((2.0, 2.0),))]
    report = score_predictions("charades_sta", "official", asked, predictions(tmp_path, [row("a", windows=((2, 2),))]))
    assert math.isnan(report["figures"]["mIoU"])  # its scorer divides by zero
    path = write_scores(tmp_path / "deep" / "score.json", report)
    assert json.loads(path.read_text())["figures"]["mIoU"] is None
