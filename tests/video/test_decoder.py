import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

import tevo.video
from tevo.video import VideoError, probe, read_frames
from tevo.video.decoder import Decoder


def test_a_cover_picture_is_no_video(tmp_path):
    """An album in an mp4: a sound track and a picture that never moves."""
    path = tmp_path / "album.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        cover = container.add_stream("png", rate=1)
        cover.width = cover.height = 16
        cover.pix_fmt = "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), dtype=np.uint8))))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts, silence.time_base = 16000, 0, Fraction(1, 16000)
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with pytest.raises(VideoError) as caught:
        probe(path)
    assert caught.value.reason == "no video stream"


def test_codec_is_named_by_its_format(clips):
    assert probe(clips / "torchcodec/av1_video.mkv").codec == "av1"


def test_decoding_starts_at_the_first_keyframe(clips, tmp_path):
    """A broadcast recording begins in the middle of a GOP."""
    film = tmp_path / "film.ts"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "10", "bf": "0", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for k in range(40):
            shade = np.full((32, 32, 3), 16 + 5 * k, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade)))
        container.mux(stream.encode(None))
    with Decoder(film) as decoder:
        places = [packet.pos for packet in decoder.packets(None)]
    late = tmp_path / "late.ts"
    data = film.read_bytes()
    late.write_bytes(data[:564] + data[places[3] :])  # service tables, then from the fourth frame on
    video = probe(late)
    assert video.num_frames == 30
    assert video.start_s == pytest.approx(probe(film).start_s + 0.4, abs=1e-3)
    assert read_frames(late, [0.0]).frames.float().mean() == pytest.approx(16 + 5 * 10, abs=4)


def test_the_same_seconds_come_back_as_the_same_ticks(clips):
    for name in ("made/events7_vfr.mp4", "androidx-media/sample.avi", "androidx-media/sample_h264_mpeg_audio.ts"):
        with Decoder(clips / name) as decoder:
            for packet in decoder.packets(None):
                ticks = decoder.when(packet)
                assert decoder.ticks(decoder.seconds(ticks)) == ticks


def test_probing_needs_no_torch():
    code = "import sys, tevo.video.worker, tevo.video; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_face_has_what_it_names():
    for name in tevo.video.__all__:
        assert getattr(tevo.video, name).__name__ == name
    assert set(tevo.video.__all__) <= set(dir(tevo.video))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        tevo.video.nothing_of_the_kind  # noqa: B018
