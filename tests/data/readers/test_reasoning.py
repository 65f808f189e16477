from tevo.data.readers import Reason, read_benchmark


def test_mmvu_has_choices_or_not(published, annotations, videos):
    questions = published("mmvu")
    opened, choice = questions["validation_901"], questions["validation_902"]
    assert (opened.options, opened.answer, opened.answer_index) == ((), "Glazing", -1)
    assert (choice.options[choice.answer_index], choice.answer) == ("5.0", "5.0")
    assert opened.groups == {"task": ("open-ended",), "subject": ("Art",)}
    root = videos("videos/Art/901.mp4", "videos/Chemistry/901.mp4")
    found = read_benchmark("mmvu", annotations / "mmvu", root)
    assert [question.video for question in found.questions] == [str(root / "videos/Art/901.mp4")]
    assert [note.id for note in found.report.about(Reason.MISSING_VIDEO)] == ["validation_902"]


def test_a_choice_without_choices_is_named(read_rows):
    row = {"id": "a", "video": "https://x.org/videos/Art/1.mp4", "question_type": "multiple-choice", "question": "?"}
    found = read_rows("mmvu", row | {"choices": dict.fromkeys("ABCDE", ""), "answer": "C"})
    assert [note.reason for note in found.report.notes] == [Reason.NO_OPTIONS]
    assert found.questions[0].answer == "C"


def test_a_video_that_is_only_an_address_is_never_fetched(read_rows):
    row = {"id": "a", "question_type": "open-ended", "question": "?", "choices": {}, "answer": "x"}
    found = read_rows("mmvu", row | {"video": "videos/1.mp4"}, row | {"id": "b", "video": "https://x.org/1.mp4"})
    assert [note.reason for note in found.report.notes] == [Reason.ESCAPES]


def test_videomathqa_and_its_pairs(published):
    (mcq,) = published("videomathqa", "mcq.json").values()
    assert (mcq.id, mcq.answer, mcq.groups["duration"]) == ("901", "c", ("short",))
    pairs = published("videomathqa", "mbin.json")
    assert list(pairs) == ["901_0", "901_1"]  # one question stands once for each wrong option
    assert {pair.extra["question_id"] for pair in pairs.values()} == {"901"}
    assert {pair.answer for pair in pairs.values()} == {"c"}


def test_videommmu_has_three_tracks(published, annotations, videos):
    questions = published("videommmu")
    assert questions["Perception_dev_Art_901"].answer == "tempera"
    assert questions["Adaptation_dev_Art_901"].answer == "left"
    opened = questions["Adaptation_test_Clinical_Medicine_902"]
    assert (opened.options, opened.answer, opened.groups["subject"]) == ((), "12.5", ("Clinical_Medicine",))
    root = videos("Medicine/test_Clinical_Medicine_902.mp4")
    found = read_benchmark("videommmu", annotations / "videommmu", root)
    assert [question.video for question in found.questions] == [str(root / "Medicine/test_Clinical_Medicine_902.mp4")]


def test_videommmu_tables_are_of_the_track_that_their_path_names(tmp_path):
    (tmp_path / "Comprehension").mkdir()
    file = tmp_path / "Comprehension" / "test-00000-of-00001.jsonl"
    file.write_text('{"id": "dev_Art_1", "question": "?", "options": ["a", "b"], "answer": "B"}')
    (question,) = read_benchmark("videommmu", file).questions
    assert (question.id, question.family) == ("Comprehension_dev_Art_1", "Comprehension")


def test_longvideo_reason_has_options_in_the_problem_or_none(published):
    choice, opened = published("longvideo_reason").values()
    assert (choice.text, choice.answer, choice.answer_index) == (
        "What does the guide do after the bridge?",
        "She waits",
        1,
    )
    assert (opened.options, opened.answer) == ((), "4")


def test_video_holmes_numbers_its_questions_video_by_video(published):
    questions = published("video_holmes")
    assert list(questions) == ["MadeHolmes1_1", "MadeHolmes2_1"]
    assert (questions["MadeHolmes1_1"].answer, questions["MadeHolmes1_1"].answer_index) == ("nobody", 5)
    assert questions["MadeHolmes2_1"].family == "TA"
