import json
from pathlib import Path

import pytest
import torch

from tevo.metrics import grounded_share, mean_points, recall_at
from tevo.ops import set_iou

VECTOR = Path(__file__).parents[1] / "data" / "vectors" / "threshold_boundary_expected.json"


def vector_ious():
    """IoU of the vector's pairs; null = no prediction."""
    vector = json.loads(VECTOR.read_text())
    pairs = [(pred or [0, 0], pred is not None, true) for pred, true in zip(vector["pred"], vector["gt"], strict=True)]
    pred = torch.tensor([[pair[0]] for pair in pairs], dtype=torch.float64)
    mask = torch.tensor([[pair[1]] for pair in pairs])
    true = torch.tensor([[pair[2]] for pair in pairs], dtype=torch.float64)
    return vector, set_iou(pred, mask, true, torch.ones_like(mask))


def test_thresholds_hit_exactly_count_as_in_the_official_scorers():
    vector, iou = vector_ious()
    expected = vector["lmms_charades(>=)"]
    assert float(mean_points(iou)) == pytest.approx(expected["mIOU"])
    for threshold, key in ((0.3, "IOU@3"), (0.5, "IOU@5"), (0.7, "IOU@7")):
        assert float(recall_at(iou, threshold)) == pytest.approx(expected[key])


def test_strict_thresholds_lose_the_exact_hits_as_in_time_r1():
    vector, iou = vector_ious()
    for threshold in (0.3, 0.5, 0.7):
        expected = vector["time_r1(strict >)"][str(threshold)]
        assert float(recall_at(iou, threshold, strict=True)) == pytest.approx(expected)


@pytest.mark.parametrize("start", [0.1, 2.1, 7.7, 31.3])
def test_half_of_the_truth_reaches_one_half_wherever_it_lies(start):
    pred = torch.tensor([[[start, start + 1.5]]])
    true = torch.tensor([[[start, start + 3.0]]])
    mask = torch.ones(1, 1, dtype=torch.bool)
    assert float(recall_at(set_iou(pred, mask, true, mask), 0.5)) == 100


def test_grounded_share_wants_both():
    right = torch.tensor([True, True, False, False])
    overlap = torch.tensor([0.5, 0.4, 1.0, 0.0])
    assert float(grounded_share(right, overlap)) == 25
    assert float(grounded_share(right, overlap, threshold=0.4)) == 50


def test_nothing_to_count_is_not_zero():
    assert recall_at(torch.zeros(0), 0.5).isnan()
    assert mean_points(torch.zeros(0)).isnan()
