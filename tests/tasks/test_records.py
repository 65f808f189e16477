"""What a run has measured: kept, compared without labels, and the same after a checkpoint."""

import json

import pytest
import torch

from tevo.metrics.results import RoundResult, Signals, read_results
from tevo.structures import Question, Span
from tevo.tasks.records import RunRecords, measured, write_rows


def result(round, score=None, **metrics):
    signals = Signals()
    if score is not None:
        signals = Signals(
            dependency_gap=score, necessity=score, specificity=score, heldout_answer=score, heldout_iou=score
        )
    return RoundResult(round, metrics, signals, Signals(), {"score": 1.0})


def records_of(*scores):
    records = RunRecords()
    for round, score in enumerate(scores):
        records.add(result(round, score))
    return records


@pytest.mark.parametrize(
    ("scores", "best", "falling"),
    [
        ((0.1, 0.3, 0.2), 1, True),
        ((0.1, 0.2, 0.3), 2, False),
        ((0.3, 0.3), 0, False),  # as good is no reason to prefer the later one, nor to stop
        ((0.3,), 0, False),
        ((0.3, 0.1, 0.2), 0, False),
        ((None, 0.1), 1, False),  # round 0 asked nothing
        ((None, None), None, False),
    ],
)
def test_the_best_round_is_chosen_without_labels(scores, best, falling):
    records = records_of(*scores)
    assert (records.best_round, records.is_falling()) == (best, falling)


def test_labels_have_no_say_in_the_best_round():
    records = RunRecords()
    records.add(result(0, 0.3, **{"test/mIoU": 10.0}))
    records.add(result(1, 0.2, **{"test/mIoU": 90.0}))
    assert records.best_round == 0


def test_a_round_measured_again_replaces_itself_and_what_came_after():
    records = records_of(0.1, 0.2, 0.3)
    records.add(result(1, 0.5))
    assert [(entry.round, entry.signals["necessity"]) for entry in records.rounds] == [(0, 0.1), (1, 0.5)]


def test_they_come_back_from_a_checkpoint_without_unpickling(tmp_path):
    records = records_of(0.1, 0.2)
    records.spec["backbone"] = "clip_tiny"
    records.controls["shrunk_spans"] = {"factor": 0.5, "test/mIoU": float("nan")}
    records.alignment, records.pool = {"r2": 0.5}, Signals(kept=3, drops={"tie": 2})
    torch.save(records.state_dict(), tmp_path / "records.pt")
    again = RunRecords()
    again.load_state_dict(torch.load(tmp_path / "records.pt", weights_only=True))
    assert repr(again) == repr(records)  # NaN included


def test_metrics_are_written_without_the_clock(tmp_path):
    records = records_of(0.1, 0.2)
    records.spec["started"] = "2030-01-01"
    records.write(tmp_path)
    text = (tmp_path / "metrics.json").read_text()
    assert "2030" not in text and "seconds" not in text
    assert json.loads(text)["best_round"] == 1
    assert read_results(tmp_path).rounds == tuple(records.rounds)


def test_the_control_is_round_0_shrunk():
    question = Question("q", "v", "When does this happen: a door opens?", "when", evidence=(Span(4.0, 6.0),))
    row = {"qid": "q", "pred_relevant_windows": [[0.0, 10.0, 1.0]]}
    records = RunRecords()
    records.note_controls([row], [question])
    assert records.controls["shrunk_spans"]["factor"] == 0.2
    assert records.controls["shrunk_spans"]["test/mIoU"] == pytest.approx(100.0)
    assert measured([row], [question])["test/mIoU"] == pytest.approx(20.0)
    assert measured([row], []) == {}


def test_a_round_in_a_line():
    records = records_of(0.25)
    records.add(result(1, 0.5, **{"test/mIoU": 31.25}))
    assert records.line() == "round 1: mIoU 31.2, dependency_gap 0.500, necessity 0.500, specificity 0.500"
    records.add(RoundResult(2))
    assert records.line() == "round 2: nothing to measure it with"
    records.alignment = {"r2": 0.75}
    assert records.alignment_line() == "phase 0: r2 0.750"


def test_rows_are_whole_or_not_there(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [{"text": "läuft"}])
    with pytest.raises(TypeError):
        write_rows(path, [{"text": "neu"}, {"text": object()}])
    assert path.read_text() == '{"text": "läuft"}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.jsonl"]
