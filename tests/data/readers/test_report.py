import json

import pytest

from tevo.data.readers.report import Note, ReadReport, Reason, RowProblem

NOTES = tuple(Note("a.json, row 4", "q4", Reason.MISSING_VIDEO, "'v4.mp4' is not there", False) for _ in range(5))
REPORT = ReadReport(
    benchmark="mine",
    files=("a.json", "b.json"),
    rows=12,
    elsewhere=2,
    questions=5,
    notes=(*NOTES, Note("b.json, row 1", "q9", Reason.OUTSIDE, "[1, 9] in a video of 0 to 8 s", True)),
    unchecked=1,
    unread_columns={"optoins": 3},
    hints={"optoins": "options"},
    sizes={"val": 10, "test": 40},
)


def test_what_is_printed():
    assert str(REPORT).splitlines() == [
        "mine: 5 questions from 12 rows of a.json, b.json",
        "  2 rows belong to another part and were not asked for",
        "  partial: 5 rows left out; published: val 10, test 40",
        "  1 questions have spans and no length of their video: ends were not checked",
        "  missing video: 5 (left out)",
        "    a.json, row 4: 'v4.mp4' is not there",
        "    a.json, row 4: 'v4.mp4' is not there",
        "    a.json, row 4: 'v4.mp4' is not there",
        "    and 2 more",
        "  span outside the video: 1 (kept)",
        "    b.json, row 1: [1, 9] in a video of 0 to 8 s",
        "  column 'optoins' is not known and was not read (3 rows); did you mean 'options'?",
    ]


def test_many_unknown_columns_are_not_all_printed():
    report = ReadReport("mine", ("a.json",), 1, 0, 1, unread_columns={f"c{n}": 1 for n in range(500)})
    assert len(str(report).splitlines()) == 12
    assert str(report).endswith("and 490 more such columns")


def test_what_is_stored_holds_every_note():
    row = json.loads(json.dumps(REPORT.to_row()))
    assert row["counts"] == {"missing video": 5, "span outside the video": 1}
    assert (row["rows"], row["elsewhere"], row["questions"], row["left_out"], row["partial"]) == (12, 2, 5, 5, True)
    assert len(row["notes"]) == 6
    assert row["notes"][5]["reason"] == "span outside the video"


@pytest.mark.parametrize(
    ("rows", "sizes", "is_partial"), [(10, {"val": 10}, False), (9, {"val": 10}, True), (9, {}, False)]
)
def test_a_report_is_partial_when_no_published_split_has_its_rows(rows, sizes, is_partial):
    assert ReadReport("mine", ("a.json",), rows, 0, rows, sizes=sizes).is_partial == is_partial


def test_a_problem_says_its_reason():
    assert str(RowProblem(Reason.REVERSED, "[2, 1]")) == "reversed span: [2, 1]"
