import os
import pickle
import random

import av
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tevo.errors import TevoError
from tevo.video import VideoError, probe, read_frames
from tevo.video.decoder import Decoder


def upright(file, pixels, rotation):
    if file.endswith("sample_rotate_and_reflect.mp4"):
        return pixels.swapaxes(0, 1)  # its matrix is a turn and a mirror: the diagonal
    return np.rot90(pixels, rotation // 90)


def right_one(frames, time_s):
    """Index of the last frame at or before a time, else the first."""
    return max([k for k, frame in enumerate(frames) if frame[0] <= time_s + 1e-4], default=0)


def assert_exact(source, frames, times_s, file=""):
    batch = read_frames(source, times_s)
    for time_s, pixels, pts_s in zip(times_s, batch.frames, batch.times_s.tolist(), strict=True):
        expected_s, expected, rotation = frames[right_one(frames, time_s)]
        assert pts_s == pytest.approx(expected_s, abs=1e-4)
        assert np.array_equal(pixels.permute(1, 2, 0).numpy(), upright(file, expected, rotation)), time_s


def test_frames_equal_a_sequential_decode(clips, good, sequential):
    path = clips / good["file"]
    frames = sequential(path)
    video = probe(path)
    draw = random.Random(0)
    times_s = [draw.uniform(video.start_s, video.end_s - 0.01) for _ in range(6)]
    times_s += [frames[k][0] for k in (0, len(frames) // 2, -1)]
    times_s += [times_s[0], video.start_s, (frames[0][0] + frames[-1][0]) / 2]
    assert_exact(path, frames, times_s, good["file"])
    assert_exact(video, frames, [*times_s, video.start_s - 5, video.end_s, video.end_s + 5], good["file"])
    assert_exact(video, frames, times_s[2:3], good["file"])


def test_every_frame_of_a_dense_request(clips, sequential):
    path = clips / "made/events7_vfr.mp4"
    frames = sequential(path)
    assert_exact(path, frames, [frame[0] for frame in frames])


ENCODINGS = {
    "open_gop.mkv": {"codec": "libx264", "g": 12, "bf": 3, "x264-params": "open-gop=1:scenecut=0:b-pyramid=normal"},
    "refresh.mkv": {"codec": "libx264", "g": 20, "bf": 0, "x264-params": "intra-refresh=1:scenecut=0"},
    "refresh.ts": {"codec": "libx264", "g": 20, "bf": 0, "x264-params": "intra-refresh=1:scenecut=0"},
    "open_gop.ts": {"codec": "libx264", "g": 12, "bf": 3, "x264-params": "open-gop=1:scenecut=0"},
    "pyramid.mp4": {"codec": "libx264", "g": 25, "bf": 4, "x264-params": "b-pyramid=strict:scenecut=0"},
    "interlaced.mp4": {"codec": "libx264", "g": 25, "bf": 2, "x264-params": "interlaced=1:scenecut=0"},
    "hevc_open.mp4": {"codec": "libx265", "x265-params": "keyint=12:open-gop=1:scenecut=0:log-level=none"},
    "hevc_layers.mkv": {"codec": "libx265", "x265-params": "keyint=24:temporal-layers=3:bframes=4:log-level=none"},
    "mpeg2.ts": {"codec": "mpeg2video", "clock": 25, "g": 12, "bf": 2},
    "mpeg2.mpg": {"codec": "mpeg2video", "clock": 25, "g": 12, "bf": 2},
    "mpeg4.mov": {"codec": "mpeg4", "clock": 25, "g": 12, "bf": 2},
    "vp9.webm": {"codec": "libvpx-vp9", "g": 12, "deadline": "realtime", "cpu-used": 8, "auto-alt-ref": 1},
    "vp8.webm": {"codec": "libvpx", "g": 12, "deadline": "realtime", "cpu-used": 8, "auto-alt-ref": 1},
    "mjpeg.mov": {"codec": "mjpeg"},
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_exact_whatever_frames_refer_to(encode, sequential, name):
    if "libx265" in ENCODINGS[name].values() and "libx265" not in av.codecs_available:
        pytest.skip("this build of PyAV has no x265")
    # x265 writes past its memory when a picture is smaller than its 64-pixel block.
    path = encode(name, range(0, 2400, 40), size=(128, 64), **ENCODINGS[name])
    frames = sequential(path)
    assert len(frames) > 50
    video = probe(path)
    for source in (path, video):
        assert_exact(source, frames, [frame[0] for frame in frames])
        for k in (*range(10, 28), 47):  # one at a time: each from its own keyframe
            assert_exact(source, frames, [frames[k][0] + 0.001])


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_avi_shows_frames_in_order_although_it_has_no_pts(encode, codec):
    path = encode("film.avi", range(0, 2400, 40), codec, clock=25, g=12, bf=2)
    with av.open(str(path)) as container:
        film = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    video = probe(path)
    assert (video.num_frames, video.start_s, video.end_s) == (60, 0.0, pytest.approx(2.4))
    for source in (path, video):
        batch = read_frames(source, [k * 0.04 for k in range(60)])
        assert batch.times_s.tolist() == pytest.approx([k * 0.04 for k in range(60)], abs=1e-4)
        assert all(np.array_equal(a.permute(1, 2, 0), b) for a, b in zip(batch.frames, film, strict=True))
        assert np.array_equal(read_frames(source, [1.01]).frames[0].permute(1, 2, 0), film[25])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(st.integers(1, 400), min_size=1, max_size=40),
    start=st.integers(0, 5000),
    times_s=st.lists(st.floats(-1, 25), min_size=1, max_size=6),
)
def test_exact_at_any_frame_rate(encode, sequential, gaps, start, times_s):
    pts = np.cumsum([start, *gaps]).tolist()
    path = encode("any.mkv", pts, g=6, bf=2)
    frames = sequential(path)
    assert len(frames) == len(pts)
    assert_exact(probe(path), frames, times_s)


def test_times_that_went_through_float32_find_the_same_frames(clips):
    video = probe(clips / "androidx-media/sample_h264_mpeg_audio.ts")
    batch = read_frames(video, [video.start_s, video.start_s + 0.05])
    again = read_frames(video, batch.times_s)
    assert torch.equal(batch.frames, again.frames) and torch.equal(batch.times_s, again.times_s)
    assert batch.times_s[0] == pytest.approx(1.4667, abs=1e-4)


def test_frames_come_in_the_order_asked_for(clips):
    video = probe(clips / "made/events7_vfr.mp4")
    forth = read_frames(video, [1.0, 9.0, 20.0], size_px=16)
    back = read_frames(video, [20.0, 9.0, 1.0, 9.0], size_px=16)
    assert torch.equal(forth.frames[[2, 1, 0, 1]], back.frames)


@pytest.mark.parametrize("size_px", [1, 17, 64, 700])
def test_the_whole_frame_is_resized_to_a_square(clips, size_px):
    for name in ("decord/video_90.mov", "androidx-media/bear-vp9-odd-dimensions.webm", "moviepy/bitmap.mp4"):
        batch = read_frames(clips / name, [0.0], size_px)
        assert batch.frames.shape == (1, 3, size_px, size_px) and batch.frames.dtype == torch.uint8


def test_resizing_keeps_the_picture_upright_and_complete(encode):
    halves = encode("halves.mp4", [0, 40], size=(64, 32))
    red = read_frames(halves, [0.0], 8).frames.float().mean()
    assert red == pytest.approx(float(read_frames(halves, [0.0]).frames.float().mean()), abs=2)


def test_turned_copies_of_one_film_look_alike(clips):
    """The four files show one scene; only the camera was held differently."""
    shapes = {n: read_frames(clips / f"decord/video_{n}.mov", [0.0]).frames.shape[2:] for n in (0, 90, 180, 270)}
    assert shapes[0] == shapes[180] == (320, 568)
    assert shapes[90] == shapes[270] == (568, 320)


def test_past_the_damage_a_path_raises_and_a_probed_video_gives_its_last_frame(clips, sequential):
    path = clips / "made/cut_half_faststart.mp4"
    last_s = sequential(path)[-1][0]
    with pytest.raises(VideoError, match=r"decode error at 10\.5 s"):
        read_frames(path, [1.0, 20.0], 16)
    batch = read_frames(probe(path), [1.0, 20.0], 16)
    assert batch.times_s[1] == pytest.approx(last_s, abs=1e-4)
    assert read_frames(path, [10.0], 16).times_s[0] == pytest.approx(10.0, abs=1e-4)


@pytest.mark.parametrize(("times_s", "size_px", "words"), [([], None, "empty"), ([float("nan")], None, "finite")])
def test_bad_requests_are_named(clips, times_s, size_px, words):
    with pytest.raises(TevoError, match=words):
        read_frames(clips / "decord/video_0.mov", times_s, size_px)


def test_size_must_be_positive(clips):
    with pytest.raises(TevoError, match="size_px"):
        read_frames(clips / "decord/video_0.mov", [0.0], 0)


def test_unreadable_files_raise_their_reason(clips, bad):
    with pytest.raises(VideoError) as caught:
        read_frames(clips / bad["file"], [0.0])
    assert caught.value.reason == bad["reason"]


def test_errors_survive_the_way_out_of_a_worker(clips):
    error = pickle.loads(pickle.dumps(VideoError("a.mp4", "timeout")))
    assert (error.path, error.reason, str(error)) == ("a.mp4", "timeout", str(VideoError("a.mp4", "timeout")))


def test_a_reading_can_be_limited_in_time(clips):
    with pytest.raises(VideoError) as caught:
        read_frames(clips / "made/events7_vfr.mp4", [20.0], timeout_s=-1.0)
    assert caught.value.reason == "timeout"


def test_the_first_stream_that_moves_is_read(tmp_path):
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in range(2)]
        for stream, size in zip(streams, (32, 64), strict=True):
            stream.width = stream.height = size
            stream.pix_fmt = "yuv420p"
        for stream, size in zip(streams, (32, 64), strict=True):
            for _ in range(3):
                shade = np.full((size, size, 3), size, dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shade)))
            container.mux(stream.encode(None))
    assert probe(path).width == 32
    assert read_frames(path, [0.1]).frames.shape == (1, 3, 32, 32)


def test_names_with_a_colon_are_files(clips, tmp_path):
    path = tmp_path / "http:clip 1%.mov"
    path.write_bytes((clips / "decord/video_0.mov").read_bytes())
    assert read_frames(path, [0.0], 8).frames.shape == (1, 3, 8, 8)


def test_a_playlist_in_disguise_opens_no_address(clips, tmp_path):
    path = tmp_path / "list.mp4"
    target = clips / "decord/video_0.mov"
    path.write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/{target}\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError):
        probe(path)


@pytest.fixture
def sent(monkeypatch):
    """Packets that went into the decoder: (pts, whether non-reference frames were skipped)."""
    calls = []
    decode = Decoder.decode

    def counted(self, packet, skip_non_reference=False):
        if packet is not None:
            calls.append((packet.pts, skip_non_reference))
        return decode(self, packet, skip_non_reference)

    monkeypatch.setattr(Decoder, "decode", counted)
    return calls


def test_gops_nobody_asked_for_are_not_decoded(encode, sent):
    path = encode("gops.mp4", range(0, 8000, 40), g=20, bf=2, sc_threshold=0)
    video = probe(path)
    sent.clear()
    read_frames(video, [0.9, 6.5], 16)
    assert len(sent) <= 2 * (20 + 3)
    ticks = [pts for pts, _ in sent]
    keyframe_ticks = max(ticks) / 6.5
    assert all(pts < 1.2 * keyframe_ticks or pts > 6.3 * keyframe_ticks for pts in ticks)


def test_unwanted_frames_that_none_refers_to_are_skipped(encode, sent):
    path = encode("skip.mp4", range(0, 2000, 40), g=50, bf=3, sc_threshold=0)
    video = probe(path)
    sent.clear()
    read_frames(video, [1.5], 16)
    assert [skip for _, skip in sent].count(False) == 1


def test_a_hundred_readings_leave_no_file_open(clips):
    video = probe(clips / "moviepy/bitmap.mp4")
    open_before = len(os.listdir("/proc/self/fd"))
    for k in range(100):
        read_frames(video, [k % 5])
        if k % 10 == 0:
            for name in ("made/text_named.mp4", "made/audio_only.mp4", "decord/corrupted.mp4"):
                with pytest.raises(VideoError):
                    read_frames(clips / name, [4.9], 8)
    assert len(os.listdir("/proc/self/fd")) == open_before
