import pytest
import torch

from tevo.metrics import MeanIoU, RecallAtIoU


def batch(*rows):
    """Rows of (predicted spans, true spans) as padded tensors."""
    tensors = []
    for side in zip(*rows, strict=True):
        longest = max(1, *(len(spans) for spans in side))
        tensors.append(torch.tensor([spans + [[0.0, 0.0]] * (longest - len(spans)) for spans in side]))
        tensors.append(torch.tensor([[slot < len(spans) for slot in range(longest)] for spans in side]))
    return tensors


ROWS = [
    ([[0.0, 5.0]], [[0.0, 10.0]]),  # IoU 0.5, on the threshold
    ([[0.0, 2.0], [4.0, 6.0]], [[0.0, 2.0], [4.0, 6.0]]),  # IoU 1, two spans
    ([], [[3.0, 4.0]]),  # no prediction
    ([[3.0, 4.0]], []),  # no truth
]


def test_mean_iou_counts_a_missing_prediction_as_zero_and_leaves_out_rows_without_truth():
    metric = MeanIoU()
    metric.update(*batch(*ROWS))
    assert float(metric.compute()) == pytest.approx(100 * 1.5 / 3)
    assert int(metric.num_missing) == 1
    assert int(metric.num_questions) == 3


def test_recall_counts_the_threshold_itself():
    for threshold, hits in ((0.5, 2), (0.7, 1)):
        metric = RecallAtIoU(threshold)
        metric.update(*batch(*ROWS))
        assert float(metric.compute()) == pytest.approx(100 * hits / 3)


@pytest.mark.parametrize("build", [MeanIoU, lambda: RecallAtIoU(0.5)])
def test_batches_and_ranks_add_up_to_one_pass(build):
    whole, first, second = build(), build(), build()
    whole.update(*batch(*ROWS))
    first.update(*batch(ROWS[0]))
    first.update(*batch(ROWS[2]))
    second.update(*batch(ROWS[1], ROWS[3]))
    first.merge_state(second)
    assert float(first.compute()) == pytest.approx(float(whole.compute()))


def test_ranks_of_different_size_are_weighted_by_their_questions():
    """What a sync does: every state is gathered from both ranks and reduced by its own rule."""
    ranks = [MeanIoU(), MeanIoU()]
    ranks[0].update(*batch(ROWS[0], ROWS[1], ROWS[2]))
    ranks[1].update(*batch(ROWS[1]))
    states = [{name: getattr(rank, name).clone() for name in rank._defaults} for rank in ranks]

    def gather(value, group=None):
        name = next(n for n, v in states[0].items() if v.dtype == value.dtype and torch.equal(v, value))
        return [state[name] for state in states]

    ranks[0].sync(dist_sync_fn=gather, distributed_available=lambda: True)
    assert float(ranks[0].total) == pytest.approx(2.5)
    assert int(ranks[0].num_questions) == 4
    assert int(ranks[0].num_missing) == 1


def test_reset_forgets():
    metric = MeanIoU()
    metric.update(*batch(*ROWS))
    metric.reset()
    metric.update(*batch(ROWS[1]))
    assert float(metric.compute()) == 100
    assert int(metric.num_missing) == 0
