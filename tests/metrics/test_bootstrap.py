import random

import pytest

from tevo.errors import TevoError
from tevo.metrics import paired_bootstrap


def test_a_constant_difference_is_certain():
    interval = paired_bootstrap([0.5, 0.9, 0.1], [0.3, 0.7, -0.1])
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.2, 0.2, 0.2))


def test_the_interval_holds_the_mean_and_narrows_with_more_questions():
    rng = random.Random(0)
    few = [rng.gauss(0.1, 1) for _ in range(40)]
    many = few + [rng.gauss(0.1, 1) for _ in range(960)]
    narrow, wide = (paired_bootstrap(d, [0.0] * len(d)) for d in (many, few))
    for interval in (narrow, wide):
        assert interval.low < interval.mean < interval.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 3


def test_questions_of_one_video_are_drawn_together():
    rng = random.Random(1)
    per_video = [rng.gauss(0, 1) for _ in range(30)]
    scores = [value for value in per_video for _ in range(10)]
    videos = [str(index) for index in range(30) for _ in range(10)]
    alone = paired_bootstrap(scores, [0.0] * 300)
    together = paired_bootstrap(scores, [0.0] * 300, groups=videos)
    assert together.mean == pytest.approx(alone.mean)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_seed_decides():
    args = ([0.37 * index % 1 for index in range(50)], [0.0] * 50)
    assert paired_bootstrap(*args, seed=3) == paired_bootstrap(*args, seed=3)
    assert paired_bootstrap(*args, seed=3) != paired_bootstrap(*args, seed=4)


@pytest.mark.parametrize("args", [([1.0], [1.0, 2.0]), ([], []), ([1.0], [1.0], ["a", "b"])])
def test_unpaired_scores_are_refused(args):
    with pytest.raises(TevoError, match="same questions"):
        paired_bootstrap(*args)
