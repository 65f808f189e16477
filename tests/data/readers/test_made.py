import pytest

from tevo.data.readers.benchmark import NUMBER, Column, Layout, maybe
from tevo.data.readers.made import make_question
from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.videos import VideoFolder
from tevo.structures import Span

NOWHERE = VideoFolder(None, ())
LAYOUT = Layout(
    video="vid",
    text="question",
    options=maybe("options"),
    answer=maybe("answer"),
    spans=maybe("span"),
    window=maybe("window"),
    groups={"task": maybe("task"), "length": maybe("length")},
    extra=("try",),
)
ROW = {NUMBER: 4, "vid": "a.mp4", "question": "What falls?"}


def question(**more):
    return make_question(LAYOUT, ROW | more, NOWHERE).question


def test_a_row_without_an_id_has_its_number():
    assert question().id == "4"


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({}, "open"),
        ({"span": [1, 2]}, "when"),
        ({"span": [1, 2], "answer": "a cup"}, "open"),
        ({"span": [1, 2], "options": ["a", "b"]}, "open"),
        ({"question": "What happens first?"}, "first"),
        ({"question": f"What happens between 1 s and {'9' * 400} s?"}, "open"),
    ],
    ids=["words", "span", "answer", "options", "of tevo's grammar", "almost of tevo's grammar"],
)
def test_what_is_asked(row, kind):
    assert question(**row).kind == kind


def test_groups_hold_one_name_or_several():
    made = question(task=["a", "b", ""], length=15)
    assert made.groups == {"task": ("a", "b"), "length": ("15",)}
    assert made.family == ""
    assert question(task="a").family == "a"
    assert question(task=None).groups == {}


def test_what_the_scorer_needs_goes_along():
    assert question(**{"try": 2}).extra == {"try": 2}
    assert question(window=["00:01:00", "00:02:30"]).window == Span(60.0, 150.0)


def test_a_declarations_own_error_names_the_cell():
    layout = Layout(video=Column(("vid",), lambda vid: vid.split("/")), text="question")
    with pytest.raises(RowProblem, match=r"\{'vid': 7\} \(AttributeError") as caught:
        make_question(layout, ROW | {"vid": 7}, NOWHERE)
    assert caught.value.reason == Reason.BAD_VALUE


def test_a_folder_without_a_picture_is_no_video(tmp_path):
    layout = Layout(video="vid", text="question", frame_rate="fps")
    (tmp_path / "a").mkdir()
    made = make_question(layout, ROW | {"vid": "a", "fps": 3}, VideoFolder(tmp_path, ()))
    assert made.missing.startswith("a picture in ")
    (tmp_path / "a" / "1.png").touch()
    with pytest.raises(RowProblem, match="above 0"):
        make_question(layout, ROW | {"vid": "a", "fps": 0}, VideoFolder(tmp_path, ()))
