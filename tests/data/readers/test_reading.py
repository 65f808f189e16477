import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.data.readers import Benchmark, Column, Layout, Reason, joined, maybe, read_benchmark
from tevo.errors import TevoError
from tevo.structures import Span

ROW = {"vid": "a", "n": 1, "question": "What falls?", "options": ["x", "y"], "answer": "y", "span": [1, 2], "length": 9}
MINE = Benchmark(
    name="mine",
    title="My set",
    source="https://example.org/mine",
    layouts=(
        Layout(
            id=joined("vid", "n"),
            video="vid",
            text="question",
            options=maybe("options"),
            answer=maybe("answer"),
            spans="span",
            duration_s=maybe("length"),
            shown=maybe("part"),
            groups={
                "task": maybe("type"),
                "colour": Column(("vid",), lambda vid: {"a": "red", "b": "blue", "../../etc/passwd": "none"}[vid]),
            },
            ignored=("note",),
        ),
    ),
    keeps=lambda row: row.get("split") != "train",
    sizes={"test": 2},
)


def notes(found):
    return [(note.where, note.id, note.reason, note.kept) for note in found.report.notes]


def test_rows_become_questions_in_their_order(read_rows):
    found = read_rows(MINE, ROW, ROW | {"n": 2, "type": "TN"})
    first, second = found.questions
    assert (first.id, first.video, first.text, first.kind) == ("a_1", "a", "What falls?", "open")
    assert (first.options, first.answer, first.answer_index) == (("x", "y"), "y", 1)
    assert (first.evidence, first.duration_s) == ((Span(1.0, 2.0),), 9.0)
    assert (first.groups, second.groups) == ({"colour": ("red",)}, {"colour": ("red",), "task": ("TN",)})
    assert (first.family, second.family) == ("", "TN")
    assert not found.report.notes
    assert not found.report.is_partial
    assert str(found.report) == "mine: 2 questions from 2 rows of rows.jsonl"


def test_everything_that_is_left_out_is_named_with_its_row_and_reason(read_rows):
    found = read_rows(
        MINE,
        ROW,
        ROW | {"n": 2, "span": [2, 1]},
        ROW | {"n": 3, "span": [math.nan, 1]},
        {"vid": "a", "n": 4, "question": "What falls?"},
        ROW | {"n": 5, "vid": "../../etc/passwd"},
        ROW | {"n": 6, "options": ["x"], "note": "one option is no choice"},
        ROW | {"n": 7, "question": None},
        ROW | {"n": 8, "length": 0},
        ROW | {"n": 9, "vid": "unheard of"},
        ROW | {"answer": "x"},
        ROW,
        '{"vid": "a", "n": 12, "ques',
    )
    assert [question.id for question in found.questions] == ["a_1"]
    assert notes(found) == [
        ("rows.jsonl, line 2", "", Reason.REVERSED, False),
        ("rows.jsonl, line 3", "", Reason.BAD_TIME, False),
        ("rows.jsonl, line 4", "", Reason.MISSING_COLUMN, False),
        ("rows.jsonl, line 5", "", Reason.ESCAPES, False),
        ("rows.jsonl, line 6", "", Reason.NO_OPTIONS, False),
        ("rows.jsonl, line 7", "", Reason.BAD_VALUE, False),
        ("rows.jsonl, line 8", "", Reason.BAD_TIME, False),
        ("rows.jsonl, line 9", "", Reason.BAD_VALUE, False),
        ("rows.jsonl, line 10", "a_1", Reason.DUPLICATE_ID, False),
        ("rows.jsonl, line 11", "a_1", Reason.DUPLICATE_ID, False),
        ("rows.jsonl, line 12", "", Reason.UNREADABLE, False),
    ]
    another, same = found.report.about(Reason.DUPLICATE_ID)
    assert another.detail == "'a_1' stands at rows.jsonl, line 1 already, with another question"
    assert same.detail.endswith("with the same question")


def test_what_is_odd_and_usable_is_kept_and_named(read_rows):
    rows = [
        {"n": 1, "span": [8, 9.5]},
        {"n": 2, "span": [-0.1, 2]},
        {"n": 3, "span": [4, 4]},
        {"n": 4, "span": []},
        {"n": 5, "answer": "z"},
        {"n": 6, "answer": None},
        {"n": 7, "options": ["x", "x", ""], "answer": "x"},
        {"n": 8, "question": "<b onclick=x()>What</b>?"},
        {"n": 9, "question": ""},
        {"n": 10, "part": [20, 30], "span": [19, 25]},
    ]
    found = read_rows(MINE, *(ROW | row for row in rows))
    assert len(found.questions) == len(rows)
    assert [(note.id.removeprefix("a_"), note.reason) for note in found.report.notes] == [
        ("1", Reason.OUTSIDE),
        ("2", Reason.OUTSIDE),
        ("3", Reason.POINT_SPAN),
        ("4", Reason.NO_SPAN),
        ("5", Reason.ODD_ANSWER),
        ("7", Reason.EMPTY_OPTION),
        ("7", Reason.SAME_OPTIONS),
        ("8", Reason.MARKUP),
        ("9", Reason.NO_TEXT),
        ("10", Reason.OUTSIDE),
    ]
    assert found.questions[4].answer_index == -1
    assert found.questions[7].text == "<b onclick=x()>What</b>?"
    assert found.report.about(Reason.OUTSIDE)[2].detail == "[19, 25] in a video of 20 to 30 s"


def test_a_hidden_answer_is_named_where_nothing_else_can_be_scored(read_rows):
    found = read_rows(MINE, ROW | {"answer": None, "span": []})
    assert Reason.NO_ANSWER in [note.reason for note in found.report.notes]


def test_rows_of_another_part_are_counted(read_rows):
    report = read_rows(MINE, ROW, ROW | {"n": 2, "split": "train"}).report
    assert (report.rows, report.elsewhere, report.questions) == (2, 1, 1)
    assert report.is_partial


def test_columns_that_are_not_read_are_named_with_what_was_meant(read_rows):
    report = read_rows(MINE, ROW | {"optoins": [], "note": 1}, ROW | {"n": 2, "lenght": 3, "split": ""}).report
    assert report.unread_columns == {"optoins": 1, "lenght": 1, "split": 1}
    assert report.hints == {"optoins": "options", "lenght": "length"}
    assert "column 'optoins' is not known and was not read (1 rows); did you mean 'options'?" in str(report)


def test_spans_without_a_length_to_check_them_against_are_counted(read_rows):
    assert read_rows(MINE, ROW, ROW | {"n": 2, "length": None}).report.unchecked == 1


def test_videos_are_looked_for_and_the_missing_are_named(read_rows, videos):
    benchmark = Benchmark(**{**vars(MINE), "layouts": (Layout(id="n", video="vid", text="question", spans="span"),)})
    found = read_rows(benchmark, ROW, ROW | {"n": 2, "vid": "b"}, videos=videos("a.mkv"))
    (question,) = found.questions
    assert question.video.endswith("videos_of_the_test/a.mkv")
    assert notes(found) == [("rows.jsonl, line 2", "2", Reason.MISSING_VIDEO, False)]
    with pytest.raises(TevoError, match=r"not one question of My set can be used(.|\n)*missing video: 1 \(left out\)"):
        read_rows(benchmark, ROW | {"vid": "b"}, videos=videos("a.mkv"))
    with pytest.raises(TevoError, match="no folder of videos at"):
        read_rows(benchmark, ROW, videos="nowhere")


def test_a_file_of_other_columns_is_refused_with_both(read_rows):
    with pytest.raises(TevoError, match=r"they are vid, query, wanted are\n  vid, n, question, span\nGive the file as"):
        read_rows(MINE, {"vid": "a", "query": "?"})


def test_a_path_that_holds_nothing_is_refused(tmp_path):
    with pytest.raises(TevoError, match=r"no file and no folder at .*example\.org"):
        read_benchmark(MINE, tmp_path / "nothing")
    with pytest.raises(TevoError, match=r"holds no annotation file of My set \(\*\.json"):
        read_benchmark(MINE, tmp_path)


def test_a_declaration_that_trips_over_a_file_is_one_clear_error(read_rows):
    def rows(file):
        yield from {}["no such key"]

    with pytest.raises(TevoError, match=r"rows\.jsonl is not laid out as My set is"):
        read_rows(Benchmark(**{**vars(MINE), "rows": rows}), ROW)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["A", "../x", "nan"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.dictionaries(st.sampled_from([*ROW, "part", "type"]), ANYTHING, max_size=4), min_size=1, max_size=3))
def test_no_row_is_dropped_in_silence(tmp_path_factory, changes):
    """Whatever stands in a cell: a row is a question, or it has one note that says why it is none."""
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    rows = [ROW | {"n": "good"}, *(ROW | {"n": n} | change for n, change in enumerate(changes))]
    file.write_text("\n".join(map(json.dumps, rows)))
    found = read_benchmark(MINE, file)
    assert len(found.questions) + found.report.left_out == len(rows)
    assert found.questions[0].id == "a_good"
    assert len({question.id for question in found.questions}) == len(found.questions)
    json.dumps(found.report.to_row())
    str(found.report).encode()
