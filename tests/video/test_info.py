import json

import pytest

from tevo.errors import TevoError
from tevo.video import VideoError, VideoInfo, info, probe


def test_probe_tells_what_really_decodes(clips, good):
    video = probe(clips / good["file"])
    assert video.num_frames == good["num_frames"]
    assert video.start_s == pytest.approx(good["first_pts_s"], abs=1e-4)
    assert good["last_pts_s"] < video.end_s <= good["last_pts_s"] + good["longest_gap_s"] + 1e-3
    assert (video.width, video.height, video.rotation) == (good["width"], good["height"], good["rotation"])
    assert video.duration_s == video.end_s - video.start_s
    assert video.fps == pytest.approx(video.num_frames / video.duration_s)
    assert video.keyframes_s and all(second < video.end_s for second in video.keyframes_s)


def test_bad_files_have_stable_reasons(clips, bad):
    with pytest.raises(VideoError) as caught:
        probe(clips / bad["file"])
    assert caught.value.reason == bad["reason"]
    assert caught.value.path.endswith(bad["file"])
    assert bad["file"] in str(caught.value) and bad["reason"] in str(caught.value)
    assert isinstance(caught.value, TevoError)


def test_a_recording_that_was_cut_off_is_told_from_a_text_file(clips, tmp_path):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(b"\0\0\0\x14ftypisom\0\0\0\0isom" + b"\0\0\1\0mdat" + bytes(200))
    with pytest.raises(VideoError, match="no moov atom"):
        probe(cut)


@pytest.mark.parametrize(("name", "reason"), [("nothing.mp4", "file not found"), ("", "a folder, not a file")])
def test_missing_file_and_folder(tmp_path, name, reason):
    with pytest.raises(VideoError) as caught:
        probe(tmp_path / name)
    assert caught.value.reason == reason


def test_a_header_of_1000_fps_is_not_believed(clips):
    video = probe(clips / "androidx-media/sample.flv")
    assert video.fps == pytest.approx(30, rel=0.05)
    assert video.end_s == pytest.approx(1.034 + 0.033, abs=2e-3)


def test_rows_survive_json(clips):
    video = probe(clips / "androidx-media/edit_list_positive_shift.mp4")
    assert VideoInfo.from_row(json.loads(json.dumps(video.to_row()))) == video


def test_fingerprint_follows_the_content_and_not_the_name(clips, tmp_path):
    data = (clips / "made/two_frames_1fps.mp4").read_bytes()
    names = [tmp_path / name for name in ("a.mp4", "b.mp4", "tail.mp4", "longer.mp4")]
    for path, content in zip(names, [data, data, data[:-1] + b"x", data + b"x"], strict=True):
        path.write_bytes(content)
    prints = [info.fingerprint(path) for path in names]
    assert prints[0] == prints[1] and len(set(prints)) == 3


def test_fingerprint_sees_the_middle_of_a_large_file(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(1_000_000))
    before = info.fingerprint(path)
    path.write_bytes(bytes(500_000) + b"x" + bytes(499_999))
    assert info.fingerprint(path) != before


@pytest.fixture
def long_is_short(monkeypatch):
    """Take every video for a long one, so that it is looked at here and there only."""
    monkeypatch.setattr(info, "FULL_DECODE_FRAMES", 60)
    monkeypatch.setattr(info, "ODD_FACTOR", 1)
    monkeypatch.setattr(info, "CHECKED_PICTURES", 5)


def test_a_long_video_gets_the_same_figures_without_being_decoded_whole(clips, good, long_is_short, monkeypatch):
    whole = probe(clips / good["file"])
    decoded = []
    monkeypatch.setattr(info.Decoder, "decode", _counting(info.Decoder.decode, decoded))
    video = probe(clips / good["file"])
    assert video == whole
    assert video.num_frames == good["num_frames"]
    if good["file"] == "made/events7_vfr.mp4":
        assert len(decoded) < good["num_frames"] / 2


def _counting(method, calls):
    def counted(*args, **kwargs):
        calls.append(1)
        return method(*args, **kwargs)

    return counted


def test_damage_in_the_middle_of_a_long_video_ends_it_there(encode, sequential, long_is_short):
    path = encode("long.mp4", range(0, 16000, 40), g=10, bf=0, sc_threshold=0)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = b"\xff" * (len(data) // 2 - len(data) // 3)
    path.write_bytes(data)
    last_s = sequential(path)[-1][0]
    assert 1.0 < last_s < 15.0
    video = probe(path)
    assert video.end_s == pytest.approx(last_s + 0.04)
    assert video.num_frames == round(video.end_s * 25)


def test_probe_gives_up_after_its_time(clips):
    with pytest.raises(VideoError) as caught:
        probe(clips / "made/events7_vfr.mp4", timeout_s=-1.0)
    assert caught.value.reason == "timeout"
