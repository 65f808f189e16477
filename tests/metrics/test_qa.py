import pytest
import torch

from tevo.metrics import AnswerAccuracy, GroundedAccuracy, ValidationMetrics

SPANS = {
    "pred": torch.tensor([[[0.0, 1.0]], [[0.0, 8.0]], [[0.0, 1.0]], [[0.0, 0.0]], [[0.0, 1.0]]]),
    "pred_mask": torch.tensor([[True], [True], [True], [False], [True]]),
    "true": torch.tensor([[[0.0, 4.0]], [[0.0, 10.0]], [[0.0, 1.0]], [[0.0, 1.0]], [[0.0, 1.0]]]),
    "true_mask": torch.ones(5, 1, dtype=torch.bool),
}
# right; right; unparsed; right but no span; a when question
ANSWERS = {"answers": torch.tensor([2, 0, -1, 1, -1]), "true_answers": torch.tensor([2, 0, 1, 1, -1])}


def test_an_unparsed_answer_is_wrong_and_counted():
    metric = AnswerAccuracy()
    metric.update(**ANSWERS)
    assert float(metric.compute()) == 75
    assert int(metric.num_unparsed) == 1
    assert int(metric.num_questions) == 4


def test_iop_forgives_a_short_span_and_iou_does_not():
    for measure, points in (("iop", 50.0), ("iou", 25.0)):
        metric = GroundedAccuracy(measure)
        metric.update(**SPANS, **ANSWERS)
        assert float(metric.compute()) == points


def test_a_validation_loop_gets_every_metric_under_its_name():
    metrics = ValidationMetrics("test/")
    for row in range(5):
        sliced = {name: value[row : row + 1] for name, value in (SPANS | ANSWERS).items()}
        metrics.update(**sliced)
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert values == pytest.approx(
        {
            "test/mIoU": 100 * (0.25 + 0.8 + 1 + 0 + 1) / 5,
            "test/R1@0.3": 60,
            "test/R1@0.5": 60,
            "test/R1@0.7": 60,
            "test/acc": 75,
            "test/acc_gqa": 50,
            "test/acc_iou50": 25,
        }
    )
