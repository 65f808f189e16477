"""What is asked of a benchmark; what is not stays in the denominator, by name."""

import shutil
from pathlib import Path

import pytest

from tevo.errors import TevoError
from tevo.evaluation import BenchmarkChoice, ask_benchmark
from tevo.evaluation.asked import whole_videos
from tevo.structures import Question

CLIPS = Path(__file__).parents[1] / "data" / "videos"
LONG, SHORT = "made/events7_vfr.mp4", "decord/video_0.mov"


def test_all_questions_are_put_in_words_with_their_videos(choice):
    asked = ask_benchmark(choice())
    assert [question.id for question in asked.put] == [question.id for question in asked.scored] == list("abcd")
    assert asked.put[1].text == "When does this happen: a dog barks?"
    assert asked.scored[1].text == "a dog barks."
    assert asked.put[0].video == str(CLIPS / LONG)
    assert (asked.not_put, asked.outside, asked.notes) == ({}, 0, ())


def test_a_missing_video_leaves_its_questions_in_the_denominator(choice, rows, row):
    asked = ask_benchmark(choice([*rows, row("e", "gone.mp4")]))
    assert [question.id for question in asked.scored] == list("abcde")
    assert [question.id for question in asked.put] == list("abcd")
    assert asked.not_put == {"e": "missing video: 'gone.mp4' is not there"}
    assert "1 of 5 questions cannot be put (e: missing video" in asked.notes[-1]


def test_a_question_that_says_nothing_or_leaves_no_choice_is_not_put(choice, rows, row):
    odd = [row("e", query=" "), row("f", options=["one", ""], answer="one")]
    asked = ask_benchmark(choice([*rows, *odd]))
    assert set(asked.not_put) == {"e", "f"}
    assert "is empty" in asked.not_put["e"] and "has one option, 'one'" in asked.not_put["f"]
    assert len(asked.scored) == 6


def test_an_id_that_stands_twice_is_asked_once_and_named(choice, rows, row):
    asked = ask_benchmark(choice([*rows, row("a", SHORT)]))
    assert [question.id for question in asked.put] == list("abcd")
    assert asked.not_put == {}
    assert asked.reading["counts"] == {"duplicate id": 1}
    assert "duplicate id: 1 (left out)" in asked.notes[0]


def test_no_video_at_all_is_an_error_that_says_so(choice, tmp_path):
    with pytest.raises(TevoError, match=r"not one question of .* can be used"):
        ask_benchmark(choice(videos=tmp_path))


def test_a_limit_takes_whole_videos_and_says_what_it_leaves_out(choice):
    asked = ask_benchmark(choice(), limit=1, seed=1)
    assert len({question.video for question in asked.put}) == 1
    assert len(asked.put) == len(asked.scored) in (1, 3)
    assert asked.outside == 4 - len(asked.put)
    assert f"--limit leaves {asked.outside} of 4 questions out" in asked.notes[-1]
    assert ask_benchmark(choice(), limit=99).outside == 0


def test_the_draw_is_of_videos_by_the_seed():
    questions = [Question(f"{v}{n}", f"{v}.mp4", "?", "open") for n in range(4) for v in range(20)]
    drawn = [whole_videos(questions, 10, seed) for seed in range(5)]
    for some in drawn:
        videos = {question.video for question in some}
        assert len(videos) == 3 and len(some) == 12
        assert some == [question for question in questions if question.video in videos]
    assert len({tuple(q.id for q in some) for some in drawn}) > 1
    assert whole_videos(questions, 10, 0) == drawn[0]


def test_the_same_questions_have_the_same_name_wherever_they_lie(choice, tmp_path, rows, row):
    for name in (LONG, SHORT):
        (tmp_path / "v" / name).parent.mkdir(parents=True)
        shutil.copy(CLIPS / name, tmp_path / "v" / name)
    here, there = ask_benchmark(choice()), ask_benchmark(choice(videos=tmp_path / "v"))
    assert here.digest == there.digest
    assert ask_benchmark(choice(rows[:3])).digest != here.digest
    assert ask_benchmark(choice([*rows[:3], row("d", query="What happens?")])).digest != here.digest


def test_nextgqa_keeps_the_split_of_its_span_files(tmp_path):
    header = "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"
    (tmp_path / "test.csv").write_text(f"{header}\nevents7_vfr,600,320,240,why?,b,0,CW,a,b,c,d,e\n")
    (tmp_path / "gsub_test.json").write_text('{"events7_vfr": {"duration": 23, "location": {"0": [[1, 4]]}}}')
    (scored,) = ask_benchmark(BenchmarkChoice("nextgqa", tmp_path, CLIPS / "made")).scored
    assert scored.groups == {"split": ("test",), "task": ("CW",)}
