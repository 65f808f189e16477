from tevo.data.readers import Reason, read_benchmark
from tevo.structures import Span


def test_videomme_and_its_long_part(published, annotations):
    assert list(published("videomme")) == ["001-1", "002-1", "003-1"]
    question = published("videomme")["002-1"]
    assert question.options == ("Mars.", "Venus.", "Saturn.", "None of them.")
    assert (question.answer, question.answer_index, question.video) == ("Saturn.", 2, "MadeMME2")
    assert question.groups == {
        "task": ("Temporal Reasoning",),
        "duration": ("long",),
        "domain": ("Knowledge",),
        "sub_category": ("Astronomy",),
    }
    long = read_benchmark("videomme_long", annotations / "videomme")
    assert [question.id for question in long.questions] == ["002-1", "003-1"]
    assert long.report.elsewhere == 1


def test_mlvu_has_a_file_a_task_and_a_folder_of_videos_each(published, annotations, videos):
    questions = published("mlvu")
    assert list(questions) == ["plotQA_0", "plotQA_1", "findNeedle_0", "summary_0"]
    assert (questions["plotQA_0"].answer_index, questions["plotQA_0"].family) == (1, "plotQA")
    assert (questions["findNeedle_0"].answer_index, questions["findNeedle_0"].answer) == (-1, "Catching a drone")
    assert questions["summary_0"].options == ()
    root = videos("video/1_plotQA/made_film_1.mp4", "video/9_summary/made_film_1.mp4", "217.mp4")
    found = read_benchmark("mlvu", annotations / "mlvu", root)
    assert [question.video for question in found.questions] == [
        str(root / "video/1_plotQA/made_film_1.mp4"),
        str(root / "217.mp4"),
    ]
    assert found.report.counts[Reason.MISSING_VIDEO] == 2


def test_mlvus_options_that_read_alike_count_as_its_scorer_counts_them(read_rows):
    row = {"video": "a.mp4", "duration": 9, "question": "?", "question_type": "plotQA", "answer": "Three"}
    (question,) = read_rows("mlvu", row | {"candidates": ["Six", "Three", "Three", "Eight"]}).questions
    assert question.answer_index == 2


def test_mlvu_test_has_ids_and_six_options(read_rows):
    row = {"video": "a.mp4", "duration": 9, "question": "?", "question_type": "order", "question_id": "AO_3"}
    (question,) = read_rows("mlvu", row | {"candidates": list("uvwxyz"), "answer": "z"}).questions
    assert (question.id, question.answer_index) == ("AO_3", 5)


def test_lvbench_has_one_question_a_uid(published):
    first, second = published("lvbench").values()
    assert (first.id, first.text, first.options) == (
        "901",
        "What is written on the first sign?",
        ("Open", "Closed", "Exit", "Sale"),
    )
    assert first.answer_index == 1
    assert first.groups["task"] == ("entity recognition", "key information retrieval")  # it counts in both
    assert (first.family, second.family) == ("", "summarization")
    assert (first.duration_s, first.extra) == (3690.0, {"time_reference": "00:15-00:19"})


def test_lvbench_videos_without_questions_are_named(read_rows):
    qa = {"uid": "1", "question": "?\n(A) a\n(B) b", "answer": "A", "question_type": []}
    found = read_rows("lvbench", {"key": "a", "qa": [qa, 3]}, {"key": "b", "qa": None}, '{"key": "c", "qa": [')
    assert [question.id for question in found.questions] == ["1"]
    assert [note.where for note in found.report.about(Reason.UNREADABLE)] == [
        "rows.jsonl, line 1, question 2",
        "rows.jsonl, line 2",
        "rows.jsonl, line 3",
    ]


def test_longvideobench_in_both_its_layouts(published):
    listed, columns = published("longvideobench").values()
    assert (listed.id, listed.video, listed.answer_index) == ("MadeLVBch01_0", "MadeLVBch01.mp4", 1)
    assert (listed.duration_s, listed.groups["duration"], listed.family) == (41.7, ("60",), "S2E")
    assert listed.extra["starting_timestamp_for_subtitles"] == 12.5
    assert (columns.options, columns.answer) == (("a car", "a bus", "a tram", "a bicycle"), "a bicycle")  # no "N/A"


def test_longvideobench_without_the_answers_of_the_test_set(read_rows):
    row = {"id": "x", "video_id": "v", "question": "?", "candidates": ["a", "b"], "duration_group": 15}
    found = read_rows("longvideobench", row | {"question_category": "S2E"})
    assert [note.reason for note in found.report.notes] == [Reason.NO_ANSWER]


def test_lsdbench_asks_about_a_part_that_is_not_evidence(annotations):
    found = read_benchmark("lsdbench", annotations / "lsdbench")
    first = found.questions[0]
    assert (first.id, first.video) == ("0", "71fbc5bf-7e2a-415d-86bc-3a948742e904")
    assert (len(first.options), first.answer_index) == (4, 0)
    assert first.answer.startswith("Picked up a tape measure")
    assert (first.window, first.evidence) == (Span(0.0, 240.0), ())
    assert found.questions[1].window == Span(600.0, 660.0)


def test_vnbench_has_four_tries_of_one_question(published, annotations, videos):
    questions = published("vnbench")
    assert list(questions) == [f"901_ret_insert1_{n}" for n in range(4)]  # the official ids: the video and the try
    assert [question.answer for question in questions.values()] == ["pear"] * 4
    assert [question.answer_index for question in questions.values()] == [0, 1, 2, 3]  # the last by its text
    assert questions["901_ret_insert1_0"].groups == {"task": ("ret_insert1",), "category": ("ret",)}
    root = videos("VNBench_new/901_ret_insert1.mp4")
    found = read_benchmark("vnbench", annotations / "vnbench", root)  # the file's paths begin with /
    assert {question.video for question in found.questions} == {str(root / "VNBench_new/901_ret_insert1.mp4")}
