from tevo.data.readers import Reason, read_benchmark
from tevo.structures import Span


def test_the_file_is_the_task(published):
    questions = published("mvbench")
    assert list(questions) == ["action_sequence_0", "episodic_reasoning_0", "moving_count_0"]
    assert [question.family for question in questions.values()] == [
        "action_sequence",
        "episodic_reasoning",
        "moving_count",
    ]
    sequence = questions["action_sequence_0"]
    assert (sequence.answer, sequence.answer_index) == ("Ate the medicine.", 0)
    assert sequence.shown == Span(11.1, 17.2)
    assert questions["moving_count_0"].shown is None


def test_whole_videos_are_shown_in_part_and_cut_ones_whole(annotations, videos):
    root = videos("video/star/Charades_segment/ZS9XR.mp4", "video/clevrer/video_validation/video_10009.mp4")
    sequence, count = read_benchmark("mvbench", annotations / "mvbench", root).questions
    assert (sequence.video, sequence.shown) == (str(root / "video/star/Charades_segment/ZS9XR.mp4"), None)
    assert count.video == str(root / "video/clevrer/video_validation/video_10009.mp4")
    videos("video/star/Charades_v1_480/ZS9XR.mp4")
    sequence, _ = read_benchmark("mvbench", annotations / "mvbench", root).questions
    assert (sequence.video, sequence.shown) == (str(root / "video/star/Charades_v1_480/ZS9XR.mp4"), Span(11.1, 17.2))


def test_a_video_of_the_same_name_under_another_task_is_not_taken(annotations, videos):
    root = videos("video/perception/videos/video_10009.mp4", "video/star/Charades_v1_480/ZS9XR.mp4")
    report = read_benchmark("mvbench", annotations / "mvbench", root).report
    assert "moving_count_0" in [note.id for note in report.about(Reason.MISSING_VIDEO)]


def test_one_task_is_kept_as_pictures(annotations, videos):
    folder = "video/tvqa/frames_fps3_hq/made_s01e01_seg01_clip_00"
    root = videos(*(f"{folder}/{number:05d}.jpg" for number in (1, 2, 3)), f"{folder}/notes.txt")
    (question,) = read_benchmark("mvbench", annotations / "mvbench", root).questions
    assert question.video == str(root / folder)
    assert question.frames.paths == tuple(str(root / folder / f"{number:05d}.jpg") for number in (1, 2, 3))
    assert question.frames.times_s == (0.0, 1 / 3, 2 / 3)


def test_tvbench_has_a_folder_a_task(published, annotations, videos):
    assert published("tvbench")["action_localization_0"].shown == Span(0.0, 20.0)
    root = videos("video/action_antonym/made_901.mp4")
    (question,) = read_benchmark("tvbench", annotations / "tvbench", root).questions
    assert (question.id, question.answer_index) == ("action_antonym_0", 1)
