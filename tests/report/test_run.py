import pytest

from tevo.errors import TevoError
from tevo.report.run import read_run


def test_every_file_is_read(run_dir):
    run = read_run(run_dir)
    assert run.notes == {}
    assert (len(run.questions), len(run.predictions), len(run.bad_videos)) == (40, 12, 3)
    assert [entry.round for entry in run.results.rounds] == [0, 1, 2, 3]
    assert run.config.startswith("model:")


def test_a_missing_file_is_a_note(run_dir):
    (run_dir / "metrics.json").unlink()
    (run_dir / "questions.jsonl").unlink()
    run = read_run(run_dir)
    assert set(run.notes) == {"metrics.json", "questions.jsonl"}
    assert run.results.rounds == () and run.questions == []


def test_a_half_written_line_is_counted_not_fatal(run_dir):
    with (run_dir / "questions.jsonl").open("a") as file:
        file.write('{"id": "q9", "vid')
    run = read_run(run_dir)
    assert len(run.questions) == 40
    assert run.notes["questions.jsonl"].startswith("1 lines")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(TevoError, match="no run folder"):
        read_run(tmp_path / "nothing")
    with pytest.raises(TevoError, match="is not the folder of a run"):
        read_run(tmp_path)
