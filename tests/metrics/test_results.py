import json
import math
import os

import pytest

from tevo.errors import TevoError
from tevo.metrics import RoundResult, RunResults, read_results, write_results


def results(started="2026-01-01T10:00:00", seconds=1.5):
    rounds = (
        RoundResult(0, {"test/mIoU": 20.0}, seconds={"decode": seconds}),
        RoundResult(1, {"test/mIoU": 25.5}, {"kept": 3, "agreement_hist": [0] * 10}, {"kept": 2}, {"score": seconds}),
    )
    return RunResults({"backbone": "clip_tiny", "seed": 1, "started": started}, rounds, {"centre_prior": {}}, 1)


def test_what_is_written_is_read(tmp_path):
    path = write_results(tmp_path / "run", results())
    assert path == tmp_path / "run" / "metrics.json"
    assert read_results(tmp_path / "run") == results()


def test_metrics_do_not_depend_on_the_clock(tmp_path):
    """A run killed and resumed must end with the very same metrics.json."""
    one = write_results(tmp_path / "one", results())
    two = write_results(tmp_path / "two", results(started="2026-02-02T22:00:00", seconds=99.0))
    assert one.read_bytes() == two.read_bytes()
    assert read_results(tmp_path / "two").rounds[0].seconds == {"decode": 99.0}


def test_a_figure_that_is_not_finite_is_valid_json_and_comes_back(tmp_path):
    written = RunResults({}, (RoundResult(0, {"test/acc": math.nan, "test/mIoU": math.inf}),))
    path = write_results(tmp_path, written)
    assert json.loads(path.read_text())["rounds"][0]["metrics"] == {"test/acc": None, "test/mIoU": None}
    assert math.isnan(read_results(tmp_path).rounds[0].metrics["test/acc"])


def test_a_write_that_dies_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = write_results(tmp_path, results())
    before = path.read_bytes()

    def die(fd):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="disk full"):
        write_results(tmp_path, RunResults({}))
    assert path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["metrics.json", "timings.json"]


def test_timings_are_optional_and_may_stand_in_the_rounds(tmp_path):
    rounds = [{"round": 0, "metrics": {}, "seconds": {"decode": 2.0}}]
    (tmp_path / "metrics.json").write_text(json.dumps({"spec": {}, "rounds": rounds}))
    read = read_results(tmp_path)
    assert read.rounds[0].seconds == {"decode": 2.0}
    assert read.best_round is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no metrics.json"),
        ("{not json", "cannot be read as JSON"),
        ("[]", "wanted an object"),
        ('{"rounds": [{}], "spec": {}}', "not a results file"),
        ('{"spec": {}}', "not a results file"),
    ],
)
def test_another_file_is_refused_in_words(tmp_path, text, message):
    if text is not None:
        (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(TevoError, match=message):
        read_results(tmp_path)
