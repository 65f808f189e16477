import pytest

from tevo.data.readers import Reason
from tevo.structures import FrameList, Span

CHAT = {"messages": [{"role": "user", "content": [{"type": "video", "video": "a.mp4"}, {"type": "text", "text": "?"}]}]}


def test_questions_under_the_usual_names(published):
    first, second = published("generic", "rows.jsonl").values()
    assert (first.id, first.video, first.options, first.answer_index) == ("q1", "kitchen.mp4", ("milk", "soup"), 0)
    assert (first.kind, first.family, first.duration_s) == ("open", "what", 61.4)
    assert (second.kind, second.evidence) == ("when", (Span(12.5, 15.0),))


def test_messages_conversations_and_frame_lists(published):
    questions = published("generic", "chat.jsonl")
    assert list(questions) == ["m1", "c1_0", "c1_1", "f1"]
    chat = questions["m1"]
    assert (chat.text, chat.options, chat.answer) == ("What boils over?", ("milk", "soup"), "milk")
    assert chat.shown == Span(5.0, 20.0)
    assert (questions["c1_0"].text, questions["c1_0"].answer) == ("Who cooks?", "A man.")
    assert (questions["c1_1"].text, questions["c1_1"].answer) == ("What does he wear?", "An apron.")
    assert {questions[name].video for name in ("m1", "c1_0", "c1_1")} == {"kitchen.mp4"}
    frames = questions["f1"]
    assert frames.frames == FrameList(("frames/clip7/0001.jpg", "frames/clip7/0002.jpg"), (0.0, 2.5))
    assert (frames.video, frames.answer) == ("frames/clip7", "no")


@pytest.mark.parametrize(
    ("row", "video", "text"),
    [
        ({"vid": "a.mp4", "query": "When?", "duration": 9, "relevant_windows": [[1, 2]]}, "a.mp4", "When?"),
        ({"videos": ["a.mp4"], "problem": "Why?"}, "a.mp4", "Why?"),
        ({"video_path": "a.mp4", "text": "Who?", "choices": {"A": "x", "B": "y"}, "answer": "B"}, "a.mp4", "Who?"),
        ({"videos": ["a.mp4"], "messages": [{"role": "user", "content": "<video>Who?"}]}, "a.mp4", "Who?"),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "a.mp4"}},
                                                       {"type": "text", "text": "Who?"}]}]},
            "a.mp4",
            "Who?",
        ),
    ],
    ids=["qvhighlights", "list of one", "letters", "llama-factory", "openai"],
)  # fmt: skip
def test_other_names_for_the_same(read_rows, row, video, text):
    (question,) = read_rows("generic", row).questions
    assert (question.video, question.text) == (video, text)


def test_pictures_with_a_rate(read_rows):
    part = {"type": "video", "video": ["f/1.jpg", "f/2.jpg"], "sample_fps": 2}
    content = [part, {"type": "text", "text": "?"}]
    (question,) = read_rows("generic", {"messages": [{"role": "user", "content": content}]}).questions
    assert question.frames == FrameList(("f/1.jpg", "f/2.jpg"), (0.0, 0.5))


def test_pictures_are_found_or_named(read_rows, videos):
    row = {"id": "a", "frames": ["f/1.jpg", "f/2.jpg"], "times": [0, 1], "question": "?", "answer": "x"}
    root = videos("f/1.jpg", "f/2.jpg")
    found = read_rows("generic", row, row | {"id": "b", "frames": ["f/1.jpg", "f/3.jpg"]}, videos=root)
    assert found.questions[0].frames.paths == (str(root / "f/1.jpg"), str(root / "f/2.jpg"))
    assert [(note.id, note.reason, note.detail) for note in found.report.notes] == [
        ("b", Reason.MISSING_VIDEO, "'f/3.jpg' is not there")
    ]


def test_rows_that_cannot_be_read_are_named(read_rows):
    frames = {"frames": ["f/1.jpg", "f/2.jpg"], "times": [0, 1], "question": "?", "answer": "x"}
    found = read_rows(
        "generic",
        CHAT,
        {"messages": []},
        {"messages": [{"role": "user", "content": "no video"}]},
        {"messages": [CHAT["messages"][0], CHAT["messages"][0]]},
        {"messages": ["hello"]},
        {"messages": [{"role": "assistant", "content": [{"type": "video", "video": "a.mp4"}]}]},
        {"question": "?"},
        {"video": ["a.mp4", "b.mp4"], "question": "?"},
        frames | {"times": [0]},
        frames | {"times": [1, 0]},
        frames | {"frames": ["f/1.jpg", "../../2.jpg"]},
        frames | {"times": 3},
        {"messages": [{"role": "user", "content": [{"type": "video", "video": ["1.jpg"], "fps": 0}]}]},
    )
    assert len(found.questions) == 1
    assert [(note.where.removeprefix("rows.jsonl, "), note.reason) for note in found.report.notes if not note.kept] == [
        ("line 2", Reason.UNREADABLE),
        ("line 3", Reason.MISSING_COLUMN),
        ("line 4", Reason.UNREADABLE),
        ("line 5", Reason.UNREADABLE),
        ("line 6", Reason.UNREADABLE),
        ("line 7", Reason.MISSING_COLUMN),
        ("line 8", Reason.BAD_VALUE),
        ("line 9", Reason.BAD_TIME),
        ("line 10", Reason.BAD_TIME),
        ("line 11", Reason.ESCAPES),
        ("line 12", Reason.BAD_VALUE),
        ("line 13", Reason.UNREADABLE),
    ]


def test_films_are_read_as_any_rows(published):
    (question,) = published("movienet").values()
    assert (question.video, question.answer, question.family) == ("tt0000001.mp4", "He is called home", "plot")
