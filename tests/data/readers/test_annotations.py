import json
import re

import pytest

from tevo.data.readers import read_annotations
from tevo.errors import TevoError
from tevo.structures import Span

ROW = {
    "qid": "test-000012-3",
    "vid": "000012.mp4",
    "duration": 47.2,
    "query": "What happens right after this: the red shape grows?",
    "kind": "after",
    "family": "size",
    "options": ["the blue shape moves left", "the red shape blinks"],
    "answer": "the blue shape moves left",
    "relevant_windows": [[12.5, 15.0], [20, 21]],
}
QVHIGHLIGHTS = {
    "qid": 8737,
    "query": "A person walks a dog",
    "duration": 126,
    "vid": "bP5KfdFJzC4_660.0_810.0",
    "relevant_windows": [[0, 16]],
    "relevant_clip_ids": [0, 1],
    "saliency_scores": [[4, 1, 1], [2, 3, 4]],
}


@pytest.fixture
def write(tmp_path):
    """Write rows (or raw lines) beside the videos that exist, and return the file."""

    def write(*rows, videos=("000012.mp4",)):
        for video in videos:
            (tmp_path / video).touch()
        file = tmp_path / "annotations.jsonl"
        file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
        return file

    return write


def without(*names):
    return {key: value for key, value in ROW.items() if key not in names}


def test_a_row_becomes_a_question_with_its_video_beside_the_file(write):
    file = write(ROW)
    annotations = read_annotations(file)
    (question,) = annotations.questions
    assert question.id == "test-000012-3"
    assert question.video == str(file.parent / "000012.mp4")
    assert (question.kind, question.family, question.answer) == ("after", "size", ROW["answer"])
    assert question.options == tuple(ROW["options"])
    assert question.evidence == (Span(12.5, 15.0), Span(20.0, 21.0))
    assert annotations.durations_s == {question.video: 47.2}
    assert annotations.missing_videos == ()


def test_rows_of_qvhighlights_are_when_questions(write):
    file = write(QVHIGHLIGHTS, videos=["bP5KfdFJzC4_660.0_810.0.mp4"])
    (question,) = read_annotations(file).questions
    assert (question.id, question.kind, question.options, question.answer) == ("8737", "when", (), "")
    assert question.video.endswith("bP5KfdFJzC4_660.0_810.0.mp4")
    assert question.evidence == (Span(0.0, 16.0),)


def test_a_root_says_where_the_videos_lie(write, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "000012.mp4").touch()
    (question,) = read_annotations(write(ROW, videos=()), root=tmp_path / "videos").questions
    assert question.video == str(tmp_path / "videos" / "000012.mp4")


def test_blank_lines_unknown_columns_and_a_byte_order_mark_do_no_harm(write):
    file = write("\ufeff" + json.dumps(ROW | {"source": "mine"}), "", json.dumps(ROW | {"qid": 2}), "")
    assert [question.id for question in read_annotations(file).questions] == ["test-000012-3", "2"]


def test_a_line_separator_inside_a_text_ends_no_line(write):
    row = json.dumps(ROW | {"query": "one\u2028two"}, ensure_ascii=False)
    assert read_annotations(write(row)).questions[0].text == "one\u2028two"


def test_a_video_that_starts_late_has_spans_in_its_own_seconds(write):
    late = ROW | {"start": 10.0, "relevant_windows": [[50.0, 57.0]]}
    assert read_annotations(write(late)).questions[0].evidence == (Span(50.0, 57.0),)
    with pytest.raises(TevoError, match=r"runs from 10 to 57\.2 s"):
        read_annotations(write(late | {"relevant_windows": [[5.0, 12.0]]}))


def test_missing_videos_are_counted_and_named_or_skipped(write):
    rows = [ROW, ROW | {"qid": "b", "vid": "gone.mp4"}, ROW | {"qid": "c", "vid": "lost.mp4"}]
    with pytest.raises(TevoError, match=r"2 of its 3 videos are not there: .*gone\.mp4 \(line 2\), .*lost\.mp4"):
        read_annotations(write(*rows))
    annotations = read_annotations(write(*rows), on_missing="skip")
    assert [question.id for question in annotations.questions] == ["test-000012-3"]
    assert [path.rsplit("/", 1)[1] for path in annotations.missing_videos] == ["gone.mp4", "lost.mp4"]


def test_skipping_every_question_is_refused(write):
    with pytest.raises(TevoError, match="1 of its 1 videos"):
        read_annotations(write(ROW, videos=()), on_missing="skip")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (without("relevant_windows", "vid"), "no `vid`, `relevant_windows`; the columns are qid, duration"),
        (without("options") | {"option": ["a", "b"]}, "column `option` is not known .* write `options`"),
        (ROW | {"relevant_windows": [[12.5, 48.0]]}, r"outside the video, which runs from 0 to 47\.2 s"),
        (ROW | {"relevant_windows": [[-2, 4]]}, "outside the video"),
        (ROW | {"relevant_windows": [[15.0, 12.5]]}, r"\[15\.0, 12\.5\] ends before it begins"),
        (ROW | {"relevant_windows": [[3.0, 3.0]]}, "ends before it begins"),
        (ROW | {"relevant_windows": [12.5, 15.0]}, "12.5 is not a pair"),
        (ROW | {"relevant_windows": None}, "`relevant_windows` is None"),
        (ROW | {"relevant_windows": [["a", 2]]}, "is 'a', wanted a number of seconds"),
        (ROW | {"duration": "47"}, "`duration` is '47', wanted a number"),
        (ROW | {"duration": 0}, "`duration` is 0"),
        (ROW | {"options": ["only"]}, "two or more"),
        (ROW | {"options": "a, b"}, "wanted a list of texts"),
        (ROW | {"answer": "something else"}, "is not among the options"),
        ("[1, 2]", "wanted an object"),
        ("{oh", "not JSON"),
    ],
)
def test_a_bad_row_names_the_file_the_line_and_the_cure(write, row, message):
    file = write(ROW | {"qid": "good"}, row)
    with pytest.raises(TevoError, match=message) as caught:
        read_annotations(file)
    assert re.match(rf"{re.escape(str(file))}, line 2:", str(caught.value))


def test_an_id_that_stands_twice_is_refused_with_both_lines(write):
    with pytest.raises(TevoError, match="line 3: qid 'test-000012-3' stands on line 1 already"):
        read_annotations(write(ROW, ROW | {"qid": "other"}, ROW))


def test_a_file_that_is_not_there_or_empty_is_refused(write, tmp_path):
    with pytest.raises(TevoError, match="no annotation file at"):
        read_annotations(tmp_path / "nothing.jsonl")
    with pytest.raises(TevoError, match="holds no question"):
        read_annotations(write(""))
