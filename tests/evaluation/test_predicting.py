"""Rows that are on the disk as they come: a kill, a cut-off line, a video that is gone."""

import json
import shutil
from pathlib import Path

import pytest

from tevo.errors import TevoError
from tevo.evaluation import agreed_spec, ask_benchmark, find_contestants, predict
from tevo.evaluation.predicting import PREDICTIONS, _batches
from tevo.structures import Question

CLIPS = Path(__file__).parents[1] / "data" / "videos"
LONG, SHORT = "made/events7_vfr.mp4", "decord/video_0.mov"


@pytest.fixture(scope="module")
def model(runs, cache):
    (one,) = find_contestants([str(runs / "run")])
    return one.open(agreed_spec({one.label: one.looks}), cache)


@pytest.fixture
def run(model, spec, tmp_path):
    def make(asked, folder="m", **parts):
        (tmp_path / folder).mkdir(exist_ok=True)
        return predict(model, asked, spec(**parts), tmp_path / folder, "generic, m", progress=False)

    return make


def lines(tmp_path, folder="m"):
    return [json.loads(line) for line in (tmp_path / folder / PREDICTIONS).read_text().splitlines()]


def test_a_row_a_question_in_seconds_of_the_file_and_names_of_the_folder(choice, run, tmp_path):
    done = run(ask_benchmark(choice()))
    rows = lines(tmp_path)
    assert sorted(row["qid"] for row in rows) == list("abcd") and done.new == 4
    by_id = {row["qid"]: row for row in rows}
    assert by_id["a"]["vid"] == LONG and by_id["c"]["vid"] == SHORT
    assert by_id["a"]["pred_answer"] in by_id["a"]["options"] and 0 < by_id["a"]["pred_answer_confidence"] <= 1
    assert by_id["b"]["pred_answer"] is None and by_id["b"]["query"] == "When does this happen: a dog barks?"
    for row in rows:
        for start_s, end_s, score in row["pred_relevant_windows"]:
            assert 0 <= start_s < end_s <= (24 if row["vid"] == LONG else 4) and 0 <= score <= 1


def test_a_file_taken_up_again_holds_the_rows_of_one_that_was_not_cut_off(choice, run, tmp_path, model, monkeypatch):
    asked = ask_benchmark(choice())
    run(asked, "whole")
    monkeypatch.setattr("tevo.evaluation.predicting.QUESTIONS_AT_ONCE", 3)  # a video at a time
    run(asked, "whole_by_videos")
    file = tmp_path / "cut" / PREDICTIONS
    file.parent.mkdir()
    first, second = (tmp_path / "whole_by_videos" / PREDICTIONS).read_text().splitlines()[:2]
    file.write_text(f"{first}\n{second[:40]}")  # killed while it wrote
    asked_about = []
    answer_all = model.answer_all
    monkeypatch.setattr(model, "answer_all", lambda some, *rest: asked_about.extend(some) or answer_all(some, *rest))
    assert run(asked, "cut").new == 3
    assert {row["qid"]: row for row in lines(tmp_path, "cut")} == {
        row["qid"]: row for row in lines(tmp_path, "whole_by_videos")
    }
    asked_about.clear()
    assert run(asked, "cut").new == 0 and asked_about == []


def test_rows_of_other_questions_and_lines_that_are_none_go(choice, rows, run, tmp_path):
    asked = ask_benchmark(choice())
    run(asked)
    file = tmp_path / "m" / PREDICTIONS
    file.write_text(file.read_text() + '{"qid": "z"}\nnonsense\n[1]\n')
    assert run(asked).new == 0
    assert sorted(row["qid"] for row in lines(tmp_path)) == list("abcd")


def test_what_cannot_be_answered_is_named_and_the_rest_is(choice, rows, row, run, tmp_path):
    odd = [
        row("e", "made/text_named.mp4"),
        row("f", query="What happens between 90 s and 95 s?"),
        row("g", "made/empty.mp4"),
    ]
    done = run(ask_benchmark(choice([*rows, *odd])))
    assert set(done.rows) == set("abcd")
    assert done.failed["e"] == "not a video" and done.failed["g"] == "empty file"
    assert "runs from 0 to 23" in done.failed["f"]


def test_nothing_that_can_be_answered_is_an_error(choice, row, run):
    with pytest.raises(TevoError, match="not one question of generic could be answered: not a video"):
        run(ask_benchmark(choice([row("e", "made/text_named.mp4")])))


def test_a_part_that_is_shown_is_all_that_is_seen(choice, run, tmp_path):
    """MVBench's layout: ``start`` and ``end`` say which seconds of the file are shown."""
    folder = tmp_path / "json"
    folder.mkdir()
    (folder / "action_localization.json").write_text(
        json.dumps([{"video": Path(LONG).name, "question": "When?", "candidates": ["a pan falls", "a dog barks"],
                     "answer": "a dog barks", "start": 12.0, "end": 15.0}])
    )  # fmt: skip
    place = tmp_path / "v" / "sta" / "sta_video"
    place.mkdir(parents=True)
    shutil.copy(CLIPS / LONG, place)
    asked = ask_benchmark(choice(name="mvbench", annotations=folder, videos=tmp_path / "v"))
    assert asked.put[0].shown is not None
    run(asked)
    (row,) = lines(tmp_path)
    assert row["shown"] == [12.0, 15.0]
    assert all(12.0 - 0.2 <= start <= end <= 15.0 + 1.0 for start, end, _ in row["pred_relevant_windows"])
    assert row["token_forwards"] == 3


def test_batches_are_whole_videos_and_nothing_is_lost():
    questions = [Question(f"{v}-{n}", f"{v}.mp4", "?", "open") for n in range(30) for v in range(7)]
    batches = _batches(questions)
    assert sorted(q.id for batch in batches for q in batch) == sorted(q.id for q in questions)
    homes = [{q.video for q in batch} for batch in batches]
    assert len(set.union(*homes)) == sum(len(home) for home in homes)
    assert max(len(batch) for batch in batches) <= 64
    many = [Question(str(n), "v.mp4", "?", "open") for n in range(200)]
    assert [len(batch) for batch in _batches(many)] == [200]
