import pytest
import torch

from tevo.metrics import HitAtOne, MeanAveragePrecision, RecallAtN

QUERIES = {
    "pred": torch.tensor([[[50.0, 60.0], [0.0, 10.0]], [[0.0, 10.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]),
    "pred_mask": torch.tensor([[True, True], [True, False], [False, False]]),
    "scores": torch.tensor([[0.9, 0.5], [0.1, 9.0], [0.0, 0.0]]),
    "true": torch.tensor([[[0.0, 10.0]], [[0.0, 10.0]], [[0.0, 10.0]]]),
    "true_mask": torch.tensor([[True], [True], [True]]),
}


def test_windows_are_ranked_by_score_and_nothing_predicted_counts_zero():
    metric = MeanAveragePrecision()
    metric.update(**QUERIES)
    assert float(metric.compute()) == pytest.approx(100 * (0.5 + 1 + 0) / 3)


def test_recall_at_n_grows_with_n():
    for n, hits in ((1, 1), (2, 2)):
        metric = RecallAtN(n, 0.5)
        metric.update(**QUERIES)
        assert float(metric.compute()) == pytest.approx(100 * hits / 3)


def test_a_strict_threshold_loses_the_exact_hit():
    half = QUERIES | {"true": torch.tensor([[[0.0, 20.0]]] * 3)}
    for strict, hits in ((False, 1), (True, 0)):
        metric = RecallAtN(1, 0.5, strict=strict)
        metric.update(**half)
        assert float(metric.compute()) == pytest.approx(100 * hits / 3)


def test_a_query_without_truth_is_left_out_and_batches_add_up():
    whole, parts = MeanAveragePrecision(), [MeanAveragePrecision(), MeanAveragePrecision()]
    batch = QUERIES | {"true_mask": torch.tensor([[True], [False], [True]])}
    whole.update(**batch)
    assert float(whole.compute()) == 25
    for part, rows in zip(parts, (slice(0, 1), slice(1, 3)), strict=True):
        part.update(**{name: value[rows] for name, value in batch.items()})
    parts[0].merge_state(parts[1])
    assert float(parts[0].compute()) == 25


def test_hit_at_one_over_videos():
    metric = HitAtOne()
    positive = torch.zeros(2, 3, 3, dtype=torch.bool)
    positive[0, 1, 2] = True
    metric.update(torch.tensor([[0.1, 0.9, 0.0], [0.1, 0.9, 0.0]]), positive)
    assert float(metric.compute()) == 50
