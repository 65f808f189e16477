import csv
import shutil

from tevo.data.readers import Reason, read_benchmark


def test_nextqa_answers_are_numbers(annotations):
    found = read_benchmark("nextqa", annotations / "nextqa")
    with open(annotations / "nextqa" / "val.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [question.id for question in found.questions] == [f"{row['video']}_{row['qid']}" for row in rows]
    assert [question.answer_index for question in found.questions] == [int(row["answer"]) for row in rows]
    assert [question.answer for question in found.questions] == [row[f"a{row['answer']}"] for row in rows]
    assert [question.family for question in found.questions] == [row["type"] for row in rows]


def test_nextqa_in_the_copy_of_nextgqa(annotations):
    """Same questions, another name for the video, answers as texts."""
    found = read_benchmark("nextqa", annotations / "nextgqa" / "test.csv")
    assert found.questions[0].id == "2574374895_8"
    assert found.questions[0].video == "1101/2574374895"  # the map lies beside the file
    assert (found.questions[0].answer, found.questions[0].answer_index) == ("lay on floor", 2)


def test_causal_vidqa_has_six_questions_a_video_in_the_official_order(published):
    questions = published("causal_vidqa")
    assert list(questions) == [f"made_vid_1_{n}" for n in range(6)]
    assert [question.family for question in questions.values()] == ["D", "E", "PA", "PR", "CA", "CR"]
    assert [question.answer_index for question in questions.values()] == [2, 0, 1, 3, 4, 0]
    assert questions["made_vid_1_3"].text == questions["made_vid_1_2"].text == "what will [person_1] do?"
    assert questions["made_vid_1_3"].answer.startswith("because")


def test_causal_vidqa_without_answers_or_parts(annotations, tmp_path):
    shutil.copytree(annotations / "causal_vidqa" / "made_vid_1", tmp_path / "v1", ignore=lambda *_: ["answer.json"])
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "text.json").write_text('{"descriptive": {"question": "?", "answer": ["a", "b"]}}')
    report = read_benchmark("causal_vidqa", tmp_path).report
    assert (report.rows, report.questions) == (12, 7)
    assert report.counts == {Reason.NO_ANSWER: 7, Reason.UNREADABLE: 5}
    assert report.notes[-1].where == "v2/text.json, CR"


def test_tempcompass_has_four_forms(published):
    questions = published("tempcompass")
    choice = questions["multi-choice_90001_action_0"]
    assert (choice.text, choice.options, choice.answer) == (
        "What is the man doing?",
        ("rowing", "running", "reading"),
        "running",
    )
    assert choice.extra["question"].endswith("\nC. reading")  # as its own prompt has it
    yes_no = questions["yes_no_90001_action_0"]
    assert (yes_no.options, yes_no.answer_index) == (("yes", "no"), 0)
    first, second = (questions[f"caption_matching_90001_action_{n}"] for n in (0, 1))
    assert (first.options, first.answer_index) == (("A man is rowing.", "A man is running."), 1)
    assert (second.text, second.answer_index) == ("Which sentence fits?", 0)
    assert questions["captioning_90001_action_0"].options == ()
    assert choice.groups == {"task": ("action",), "form": ("multi-choice",)}


def test_tempcompass_rows_that_are_none(tmp_path):
    (tmp_path / "yes_no.json").write_text(
        '{"1": {"action": [{"question": "?", "answer": "no"}, 7], "speed": 3}, "2": []}'
    )
    report = read_benchmark("tempcompass", tmp_path).report
    assert (report.questions, report.counts) == (1, {Reason.UNREADABLE: 2})
