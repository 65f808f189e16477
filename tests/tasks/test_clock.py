"""Where the time of a run goes."""

from types import SimpleNamespace

import pytest

from tevo.tasks.clock import Stopwatch


@pytest.fixture
def passing(monkeypatch):
    """A clock that moves when told to."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("tevo.tasks.clock.time", SimpleNamespace(perf_counter=lambda: clock.now))

    def wait(seconds):
        clock.now += seconds

    return wait


def test_a_stage_inside_another_counts_as_itself_alone(passing):
    watch = Stopwatch()
    with watch.stage("update"):
        passing(1.0)
        with watch.stage("sample"):
            passing(2.0)
            with watch.stage("score"):
                passing(4.0)
            with watch.stage("update"):
                passing(8.0)
        passing(16.0)
    assert watch.take() == {"score": 4.0, "update": 25.0, "sample": 2.0}


def test_what_fails_has_taken_its_time_and_what_follows_counts_anew(passing):
    watch = Stopwatch()
    with pytest.raises(ValueError, match="no"), watch.stage("sample"), watch.stage("score"):
        passing(1.0)
        raise ValueError("no")
    assert watch.take() == {"score": 1.0, "sample": 0.0}
    with watch.stage("sample"):
        passing(3.0)
    assert watch.take() == {"sample": 3.0}
