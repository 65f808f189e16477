import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

CLIPS = Path(__file__).parents[1] / "data" / "videos"
EXPECTED = json.loads((CLIPS / "expected.json").read_text())


def pytest_generate_tests(metafunc):
    """`good` runs a test for every clip with a frame to show, `bad` for every clip without."""
    for name, wanted in (("good", True), ("bad", False)):
        if name in metafunc.fixturenames:
            rows = [row for row in EXPECTED if ("num_frames" in row) is wanted]
            metafunc.parametrize(name, rows, ids=[row["file"] for row in rows])


@pytest.fixture
def clips():
    return CLIPS


@pytest.fixture
def sequential():
    """(seconds, RGB pixels, rotation) of all frames up to the first error: plain PyAV, nothing of tevo.

    A frame that is dated no later than the one before (MPEG program streams have such) is not shown.
    """

    def decode(path, stream=0):
        frames = []
        with av.open(str(path)) as container:
            container.streams.video[stream].thread_type = "NONE"
            try:
                for frame in container.decode(video=stream):
                    if not frames or frame.time > frames[-1][0]:
                        frames.append((frame.time, frame.to_ndarray(format="rgb24"), frame.rotation))
            except av.FFmpegError:
                pass
        return frames

    return decode


@pytest.fixture
def encode(tmp_path):
    """Write a small video whose frame k is one flat shade, and answer its path."""

    def write(name, pts_ms, codec="libx264", shade=lambda k: 16 + (k * 37) % 220, size=(48, 32), clock=1000, **options):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options={key: str(v) for key, v in options.items()})
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.time_base = Fraction(1, clock)
            for k, pts in enumerate(pts_ms):
                pixels = np.full((size[1], size[0], 3), shade(k), dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = pts * clock // 1000, Fraction(1, clock)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write
