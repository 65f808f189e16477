import pytest

from tevo.data.readers import Reason, read_benchmark
from tevo.structures import Span

ROW = {
    "problem": "What is in the box?",
    "options": ["A. a towel", "B. a cat"],
    "problem_type": "multiple choice",
    "data_type": "video",
    "path": "./Charades/AB0C1.mp4",
    "solution": "<answer>B</answer>",
}
GROUNDING = ROW | {"options": [], "problem_type": "temporal grounding"}


@pytest.mark.parametrize(
    "name",
    ["mmvu", "videomathqa", "videommmu", "longvideo_reason", "charades_sta", "activitynet_captions", "anet_rtl",
     "generic"],
)  # fmt: skip
def test_the_benchmarks_of_video_zero_read_its_rows(name, annotations):
    found = read_benchmark(name, annotations / "onethinker" / "charades_eval.json")
    when, choice, number = found.questions
    assert (when.kind, when.evidence, when.options, when.answer) == ("when", (Span(2.0, 8.5),), (), "")
    assert (choice.options, choice.answer_index, choice.evidence) == (("a towel", "a cat"), 0, ())
    assert (number.options, number.answer, number.family) == ((), "3", "numerical")
    assert {question.video for question in found.questions} == {"Charades/AB0C1.mp4"}
    assert not found.report.notes


def test_rows_that_cannot_be_read_are_named(read_rows):
    found = read_rows(
        "mmvu",
        ROW,
        ROW | {"options": []},
        ROW | {"data_type": "image"},
        GROUNDING | {"solution": "<answer>2 to 8</answer>"},
        GROUNDING | {"solution": '<answer>{"time": [8, 2]}</answer>'},
        GROUNDING | {"solution": '<answer>{"time": [NaN, 2]}</answer>'},
        GROUNDING | {"problem_type": "tracking", "solution": '<answer>{"boxes": {}}</answer>'},
        ROW | {"path": "./../../x.mp4"},
    )
    assert [note.reason for note in found.report.notes] == [
        Reason.NO_OPTIONS,
        Reason.BAD_VALUE,
        Reason.BAD_VALUE,
        Reason.REVERSED,
        Reason.BAD_TIME,
        Reason.BAD_VALUE,
        Reason.ESCAPES,
    ]
    assert [question.id for question in found.questions] == ["0"]
