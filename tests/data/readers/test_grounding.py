import pytest

from tevo.data.readers import Reason, read_benchmark
from tevo.structures import Span


def test_charades_lines_with_the_lengths_beside_them(annotations):
    found = read_benchmark("charades_sta", annotations / "charades_sta")
    first, _, last = found.questions
    assert (first.id, first.video, first.text, first.kind) == ("0", "AB0C1", "a person opens a box.", "when")
    assert (first.evidence, first.duration_s) == ((Span(2.0, 8.5),), 20.5)
    (note,) = found.report.notes
    assert (note.where, note.reason, note.kept) == ("charades_sta_test.txt, line 3", Reason.OUTSIDE, True)
    assert last.evidence == (Span(0.0, 31.4),)  # as annotated: protocols differ on what to do with the rest


def test_charades_lines_that_are_none(tmp_path):
    file = tmp_path / "charades_sta_test.txt"
    file.write_bytes(
        "\ufeffAB0C1 1 2##a\r\n\r\nAB0C1 1 2 a\r\nAB0C1 nan 2##b\r\nAB0C1 3 2##c\r\n../x 1 2##d\r\n".encode()
    )
    found = read_benchmark("charades_sta", file)
    assert [question.id for question in found.questions] == ["0"]
    assert [(note.where.split(", ")[1], note.reason) for note in found.report.notes] == [
        ("line 3", Reason.UNREADABLE),
        ("line 4", Reason.BAD_TIME),
        ("line 5", Reason.REVERSED),
        ("line 6", Reason.ESCAPES),
    ]
    assert found.report.unchecked == 1


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"image_id": "AB0C1.mp4", "caption": "a box", "timestamp": [2.0, 8.5], "id": 7}, "7"),
        ({"video": "AB0C1.mp4", "caption": "a box", "timestamp": [2.0, 8.5]}, "0"),
        ({"qid": 7, "vid": "AB0C1.mp4", "query": "a box", "duration": 20, "relevant_windows": [[2.0, 8.5]]}, "7"),
    ],
    ids=["TimeChat", "lmms-eval", "lighthouse"],
)
def test_charades_in_the_layouts_of_others(read_rows, row, name):
    (question,) = read_rows("charades_sta", row).questions
    assert (question.id, question.video, question.text, question.kind) == (name, "AB0C1.mp4", "a box", "when")
    assert question.evidence == (Span(2.0, 8.5),)


def test_charades_of_timechat_and_of_time_r1_are_objects(tmp_path):
    file = tmp_path / "charades.json"
    file.write_text('{"annotations": [{"image_id": "A.mp4", "caption": "a", "timestamp": [1, 2], "id": 0}, 5]}')
    found = read_benchmark("charades_sta", file)
    assert [question.video for question in found.questions] == ["A.mp4"]
    assert found.report.about(Reason.UNREADABLE)[0].where == "charades.json, row 2"
    file.write_text('{"A": {"duration": 9, "timestamps": [[1, 2]], "sentences": ["a"]}}')
    assert [question.id for question in read_benchmark("charades_sta", file).questions] == ["A_0"]


def test_activitynet_has_one_question_a_moment(published):
    questions = published("activitynet_captions")
    assert list(questions) == ["v_Made0000001_0", "v_Made0000001_1", "v_Made0000002_0"]
    second = questions["v_Made0000001_1"]
    assert (second.text, second.evidence, second.duration_s) == ("The potter shapes a bowl.", (Span(12.3, 80.1),), 82.5)


def test_activitynet_moments_that_are_inverted_or_without_a_sentence(tmp_path):
    file = tmp_path / "val_2.json"
    file.write_text(
        '{"v_1": {"duration": 9, "timestamps": [[3, 2], [1, 1], [1, 2]], "sentences": ["a", "b", "c"]},'
        ' "v_2": {"duration": 9, "timestamps": [[1, 2]], "sentences": []}, "v_3": null}'
    )
    found = read_benchmark("activitynet_captions", file)
    assert [question.id for question in found.questions] == ["v_1_1", "v_1_2"]
    assert [(note.where.removeprefix("val_2.json, "), note.reason) for note in found.report.notes] == [
        ("video 'v_1', moment 1", Reason.REVERSED),
        ("video 'v_1', moment 2", Reason.POINT_SPAN),
        ("video 'v_2'", Reason.UNREADABLE),
        ("video 'v_3'", Reason.UNREADABLE),
    ]


def test_anet_rtl_spans_stand_in_the_answer(published, videos, annotations):
    questions = published("anet_rtl")
    assert questions["Made0000001_0"].evidence == (Span(12.3, 20.0),)
    assert questions["Made0000001_1"].evidence == (Span(2.5, 10.0),)  # written the other way round
    assert questions["Made0000001_0"].kind == "when"
    assert questions["Made0000001_0"].groups == {"video": ("Made0000001",)}  # the official mean is per video
    found = read_benchmark("anet_rtl", annotations / "anet_rtl", videos("v_Made0000001.mkv"))
    assert found.questions[0].video.endswith("v_Made0000001.mkv")


def test_anet_rtl_answers_without_two_times(read_rows):
    row = {"vid": "a", "question_id": 1, "question": "When?", "duration": 9, "answer": "<1.0> <2.0> so"}
    found = read_rows("anet_rtl", row, row | {"question_id": 2, "answer": "<1.0> so"})
    assert found.report.about(Reason.BAD_TIME)[0].where == "rows.jsonl, line 2"


def test_tvgbench_times_are_seconds_of_the_file(published):
    whole, part = published("tvgbench").values()
    assert (whole.evidence, whole.shown) == ((Span(2.0, 8.5),), None)
    assert (part.evidence, part.shown) == ((Span(62.5, 68.25),), Span(53.0, 152.0))  # 9.5-15.25 of the part shown
    assert whole.groups == {"task": ("Object Transition",), "dataset": ("charades",)}
    assert part.groups["dataset"] == ("hirest",)


def test_tvgbench_videos_lie_in_one_folder(annotations, videos):
    found = read_benchmark("tvgbench", annotations / "tvgbench", videos("tvgbench_data/AB0C1.mp4"))
    assert [question.video.rsplit("/", 2)[1:] for question in found.questions] == [["tvgbench_data", "AB0C1.mp4"]]
    assert len(found.report.about(Reason.MISSING_VIDEO)) == 1


def test_tvgbench_answers_that_are_no_times(read_rows):
    row = {"path": "a.mp4", "question": "?", "duration": 9, "qsemtype": "x", "bins": {"dataset": "y"}, "answer": "1-2"}
    rows = [row | {"answer": "1e-05-2.5"}, row | {"answer": "2-1"}, row | {"answer": "1 to 2"}, row | {"answer": 3}]
    found = read_rows("tvgbench", row, *rows)
    assert [question.evidence for question in found.questions] == [(Span(1.0, 2.0),), (Span(1e-05, 2.5),)]
    assert [note.reason for note in found.report.notes] == [Reason.REVERSED, Reason.BAD_TIME, Reason.BAD_VALUE]


def test_qvhighlights_keeps_what_its_highlights_need(published):
    first = published("qvhighlights")["9001"]
    assert (first.video, first.kind) == ("MadeYouTube1_60.0_210.0", "when")
    assert first.evidence == (Span(10.0, 16.0), Span(40.0, 42.0))
    assert first.extra["relevant_clip_ids"] == [5, 6, 7, 20]
    assert first.extra["saliency_scores"][1] == [4, 4, 2]


def test_qvhighlights_without_the_truth_of_the_test_set(read_rows):
    found = read_rows("qvhighlights", {"qid": 1, "query": "a", "duration": 150, "vid": "v"})
    assert found.questions[0].evidence == ()
    assert [note.reason for note in found.report.notes] == [Reason.NO_SPAN]


def test_vstar_asks_when(published):
    short, long = published("vstar").values()
    assert (short.text, short.kind, short.evidence) == (
        "When does the otter hold a shell?",
        "when",
        (Span(4.0, 12.5),),
    )
    assert (short.duration_s, long.duration_s) == (40.0, 200.0)
    assert (short.groups["duration"], long.groups["duration"]) == (("Short",), ("Long",))
    assert short.extra == {"question": "What does the otter hold?", "answer": "a shell"}


def test_youcook2_reads_the_validation_videos_where_they_lie(published, annotations, videos):
    questions = published("youcook2")
    assert list(questions) == ["MadeCook002_0", "MadeCook002_1"]
    assert questions["MadeCook002_1"].evidence == (Span(60.0, 71.0),)
    root = videos("raw_videos/validation/226/MadeCook002.webm")
    found = read_benchmark("youcook2", annotations / "youcook2", root)
    assert {question.video for question in found.questions} == {
        str(root / "raw_videos/validation/226/MadeCook002.webm")
    }
    assert found.report.elsewhere == 1
