import random

import pytest
import torch

from tevo.errors import TevoError
from tevo.metrics import PROTOCOL, ValidationMetrics, evaluate_rows, score_rows, shrunk_control
from tevo.structures import Question, Span

OPTIONS = ("the red shape grows", "the blue shape turns", "nothing")


def question(qid, kind="what", spans=((2.0, 5.0),), answer=OPTIONS[0], options=OPTIONS, family="size"):
    evidence = tuple(Span(float(start), float(end)) for start, end in spans)
    return Question(qid, f"{qid}.mp4", "?", kind, options, answer, evidence, family=family)


def row(qid, answer=OPTIONS[0], windows=((2.0, 5.0, 0.9),)):
    return {"qid": qid, "pred_answer": answer, "pred_relevant_windows": [list(window) for window in windows]}


def when(qid, spans=((2.0, 5.0),)):
    return question(qid, "when", spans, answer="", options=())


def test_a_perfect_run_scores_a_hundred_everywhere():
    questions = [question("a"), question("b", "before"), when("c")]
    result = evaluate_rows([row("a"), row("b"), row("c", answer="")], questions)
    assert set(result["overall"].values()) == {100.0}
    assert set(result["overall"]) == {"mIoU", "R1@0.3", "R1@0.5", "R1@0.7", "acc", "acc_gqa", "acc_iou50"}
    assert result["protocol"] == PROTOCOL


def test_a_missing_prediction_is_zero_wrong_and_named():
    result = evaluate_rows([row("a"), row("stranger")], [question("a"), question("b")])
    assert result["overall"]["mIoU"] == 50
    assert result["overall"]["acc"] == 50
    assert result["missing_qids"] == ["b"]
    assert result["unknown_qids"] == ["stranger"]
    assert (result["counts"]["missing"], result["counts"]["unknown"], result["counts"]["predicted"]) == (1, 1, 1)


def test_answers_are_compared_without_case_and_spaces_and_the_unparsed_are_counted():
    rows = [row("a", "  The RED shape  grows "), row("b", "A"), row("c", None), row("d", OPTIONS[1])]
    result = evaluate_rows(rows, [question(name) for name in "abcd"])
    assert result["overall"]["acc"] == 25
    assert result["counts"]["unparsed"] == 2  # "A" is not one of the options, None is nothing


def test_when_questions_count_for_grounding_and_not_for_answers():
    result = evaluate_rows([row("a"), row("b", "")], [question("a"), when("b", spans=((10, 13),))])
    assert result["overall"]["mIoU"] == 50
    assert result["overall"]["acc"] == 100
    assert result["overall"]["acc_gqa"] == 100
    assert "acc" not in result["by_kind"]["when"]


def test_a_when_question_with_options_stays_out_of_acc_gqa():
    asked = [question("a", "when"), question("b")]
    result = evaluate_rows([row("a"), row("b", OPTIONS[1])], asked)
    assert result["overall"]["acc"] == 50
    assert result["overall"]["acc_gqa"] == 0
    assert result["counts"]["gqa"] == 1


def test_short_spans_win_acc_gqa_but_not_the_figure_beside_it():
    result = evaluate_rows([row("a", windows=[(3.0, 3.5)])], [question("a")])
    assert result["overall"]["acc_gqa"] == 100
    assert result["overall"]["acc_iou50"] == 0


def test_tables_by_kind_family_and_span_length():
    questions = [
        question("a", "what", ((0, 1),), family="size"),
        question("b", "count", ((0, 1), (4, 5.5)), family="blink"),  # 2.5 s of evidence in two spans
        question("c", "why", ((0, 4),), family=""),
        question("d", "why", ((0, 8),), family="blink"),
    ]
    rows = [row("a", windows=[(0, 1)]), row("b", windows=[(0, 1)]), row("c", windows=[(0, 4)]), row("d", windows=[])]
    result = evaluate_rows(rows, questions)
    assert list(result["by_span_length"]) == ["<2 s", "2-4 s", "4-8 s", ">=8 s"]
    assert result["by_span_length"]["2-4 s"]["mIoU"] == pytest.approx(40)
    assert result["by_span_length"][">=8 s"]["mIoU"] == 0
    assert set(result["by_family"]) == {"size", "blink"}
    assert result["by_family"]["blink"]["count"] == 2
    assert result["by_kind"]["why"]["mIoU"] == 50


def test_questions_without_spans_count_for_answers_only():
    result = evaluate_rows([row("a")], [question("a", spans=())])
    assert result["overall"] == {"acc": 100.0}
    assert result["by_span_length"] == {}


def test_inverted_and_infinite_windows_point_at_nothing():
    rows = [row("a", windows=[(5.0, 2.0)]), row("b", windows=[(0.0, float("inf")), (2.0, 5.0)])]
    result = evaluate_rows(rows, [question("a"), question("b")])
    assert result["overall"]["mIoU"] == 50


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a"}], "no `qid`"),
        ([row("a"), row("a")], "predicted twice"),
        ([{"qid": "a", "pred_relevant_windows": [3.0]}], r"start, end"),
    ],
)
def test_bad_rows_are_refused_in_words(rows, message):
    with pytest.raises(TevoError, match=message):
        evaluate_rows(rows, [question("a")])


def test_rows_and_torchmetrics_agree():
    """Two ways to one number: a validation loop over batches and a table over files."""
    rng = random.Random(0)
    questions, rows = [], []
    for index in range(60):
        spans = [(start, start + rng.uniform(0.5, 6)) for start in (rng.uniform(0, 10), rng.uniform(20, 30))]
        make = when if index % 4 == 0 else question
        questions.append(make(str(index), spans=tuple(spans[: 1 + index % 2])))
        shift = rng.uniform(0, 3)
        rows.append(row(str(index), rng.choice(OPTIONS), [(s + shift, e + shift) for s, e in spans]))
    metrics = ValidationMetrics()
    for low in range(0, 60, 7):
        picked = slice(low, low + 7)
        true = [q.evidence for q in questions[picked]]
        multiple_choice = torch.tensor([bool(q.options) for q in questions[picked]])
        metrics.update(
            pred=torch.tensor([r["pred_relevant_windows"] for r in rows[picked]]),
            pred_mask=torch.ones(len(true), 2, dtype=torch.bool),
            true=torch.tensor([[[s.start_s, s.end_s] for s in spans] + [[0, 0]] * (2 - len(spans)) for spans in true]),
            true_mask=torch.tensor([[True, len(spans) == 2] for spans in true]),
            answers=torch.tensor([OPTIONS.index(r["pred_answer"]) for r in rows[picked]]),
            true_answers=torch.where(multiple_choice, 0, -1),
        )
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert values == pytest.approx(evaluate_rows(rows, questions)["overall"], abs=1e-3)


def test_the_shrunk_control_takes_the_kindest_factor_and_leaves_the_rows_alone():
    questions, rows = [question("a")], [row("a", windows=[(0.0, 7.0, 0.5)])]  # IoP 3/7 as it stands
    factor, result = shrunk_control(rows, questions)
    assert result["overall"]["acc_gqa"] == 100
    assert 0 < factor < 1
    assert rows[0]["pred_relevant_windows"] == [[0.0, 7.0, 0.5]]
    again = evaluate_rows(rows, questions)
    assert again["overall"]["acc_gqa"] == 0


def test_scores_keep_the_order_and_the_video_of_the_annotations():
    scores = score_rows([row("b"), row("a")], [question("a"), question("b")])
    assert [(score.qid, score.video) for score in scores] == [("a", "a.mp4"), ("b", "b.mp4")]
