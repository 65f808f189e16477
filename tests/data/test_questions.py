"""A user's questions: few columns needed, every fault named with its line."""

import json
import shutil

import pytest

from tevo.data.collection import Probing
from tevo.data.questions import locate, read_questions
from tevo.errors import TevoError


@pytest.fixture
def folder(world, tmp_path):
    shutil.copy(world / "clips" / "000000.mp4", tmp_path / "a.mp4")
    (tmp_path / "root" / "in").mkdir(parents=True)
    shutil.copy(world / "clips" / "000001.mp4", tmp_path / "root" / "in" / "b.mp4")
    return tmp_path


def write(folder, *rows):
    path = folder / "q.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows))
    return path


def test_two_columns_are_enough(folder):
    path = write(
        folder,
        {"video": "a.mp4", "question": "When does this happen: the red shape grows?"},
        "",
        {"vid": "in/b.mp4", "query": "What happens first?", "options": ["x", "y"], "qid": 7, "kind": "first"},
        {"video": str(folder / "a.mp4"), "text": "Wer\u2028ist das?"},
    )
    first, second, third = read_questions(path, folder / "root")
    assert (first.id, first.kind, first.options, first.answer) == ("1", "when", (), "")
    assert first.video == str(folder / "a.mp4") == third.video
    assert (second.id, second.kind, second.options) == ("7", "first", ("x", "y"))
    assert second.video == str(folder / "root" / "in" / "b.mp4")
    assert (third.id, third.kind, third.text) == ("4", "open", "Wer\u2028ist das?")


def test_rows_with_the_columns_of_an_annotation_keep_their_truth(world):
    questions = read_questions(world / "test" / "annotations.jsonl")
    assert all(question.evidence for question in questions)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"video": "a.mp4"}, r"line 1: no `text`.*columns are video"),
        ({"question": "What?"}, r"line 1: no `video`"),
        ({"video": "a.mp4", "question": 3}, r"it is 3"),
        ({"video": "gone.mp4", "question": "What?"}, r"no video 'gone\.mp4' in .* or .*root"),
        ({"video": "a.mp4", "question": "What?", "options": "a"}, r"`options` is 'a'"),
        ({"video": "a.mp4", "question": "What?", "options": ["a"]}, r"one option"),
        ("[1]", r"a JSON list"),
        ("{'video': 1}", r"not JSON"),
    ],
    ids=str,
)
def test_a_faulty_row_is_named(folder, row, words):
    with pytest.raises(TevoError, match=words):
        read_questions(write(folder, row), folder / "root")


def test_faulty_files_are_named(folder):
    with pytest.raises(TevoError, match="no question file"):
        read_questions(folder / "none.jsonl")
    with pytest.raises(TevoError, match="holds no question"):
        read_questions(write(folder, "", " "))
    twice = {"video": "a.mp4", "question": "What?", "id": "x"}
    with pytest.raises(TevoError, match="line 2: id 'x' stands on line 1 already"):
        read_questions(write(folder, twice, twice))


def test_questions_about_unreadable_videos_are_left_out_by_name(folder):
    (folder / "bad.mp4").write_bytes(b"")
    probing = Probing(folder / "cache", 60.0, 1, False)
    rows = [{"video": name, "question": "What?"} for name in ("bad.mp4", "a.mp4", "bad.mp4")]
    asked = locate(read_questions(write(folder, *rows)), folder, probing)
    assert [question.id for question in asked.questions] == ["2"]
    assert asked.questions[0].video == "a.mp4" and list(asked.videos) == ["a.mp4"]
    assert [(bad.path, bad.reason) for bad in asked.bad] == [(str(folder / "bad.mp4"), "empty file")]
    with pytest.raises(TevoError, match=r"none of the 1 videos .*bad\.mp4: empty file"):
        locate(read_questions(write(folder, rows[0])), folder, probing)
