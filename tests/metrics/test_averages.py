import pytest
import torch

from tevo.metrics import AllRightAccuracy, MacroAccuracy, MeanRelativeAccuracy

RIGHT = torch.tensor([True, True, False, True])
TASK = torch.tensor([0, 0, 0, 1])


def test_a_macro_average_gives_every_task_the_same_weight():
    metric = MacroAccuracy(3)
    metric.update(RIGHT[:1], TASK[:1])
    metric.update(RIGHT[1:], TASK[1:])
    assert float(metric.compute()) == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert float(metric.micro()) == 75


def test_an_empty_task_may_count_zero():
    metric = MacroAccuracy(3, empty_is_zero=True)
    metric.update(RIGHT, TASK)
    assert float(metric.compute()) == pytest.approx(100 * (2 / 3 + 1 + 0) / 3)


def test_all_of_a_group_must_be_right_wherever_its_questions_lie():
    first, second = AllRightAccuracy(), AllRightAccuracy()
    first.update(torch.tensor([True, True]), torch.tensor([7, 9]))
    second.update(torch.tensor([True, False]), torch.tensor([7, 9]))
    first.merge_state(second)
    assert float(first.compute()) == 50


def test_a_group_that_lacks_a_try_is_wrong_where_four_are_wanted():
    for size, points in ((None, 100.0), (4, 0.0)):
        metric = AllRightAccuracy(size)
        metric.update(torch.tensor([True, True, True]), torch.tensor([1, 1, 1]))
        assert float(metric.compute()) == points


def test_numbers_that_are_nearly_right_and_numbers_that_are_none():
    metric = MeanRelativeAccuracy()
    metric.update(torch.tensor([10.0, 11.0, float("nan"), 10.0]), torch.tensor([10.0, 10.0, 10.0, 100.0]))
    assert float(metric.compute()) == pytest.approx(100 * (1 + 0.8 + 0 + 0) / 4)
    assert int(metric.num_unparsed) == 1
