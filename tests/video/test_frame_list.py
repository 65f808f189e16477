from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from tevo.errors import TevoError
from tevo.structures import FrameList
from tevo.video import VideoError, read_frame_list


@pytest.fixture
def pictures(tmp_path):
    """Pictures of one brightness each, taken at 1, 2.5 and 4 s."""

    def picture(name, level, size=(48, 32)):
        path = tmp_path / name
        with av.open(str(path), "w", format="image2") as out:
            stream = out.add_stream("png", rate=Fraction(1))
            stream.width, stream.height, stream.pix_fmt = *size, "rgb24"
            pixels = np.full((size[1], size[0], 3), level, dtype=np.uint8)
            for packet in [*stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")), *stream.encode()]:
                out.mux(packet)
        return str(path)

    return picture


def test_the_picture_shown_at_each_time(pictures):
    frames = FrameList(tuple(pictures(f"{n}.png", 60 * n) for n in range(3)), (1.0, 2.5, 4.0))
    got = read_frame_list(frames, [9.0, 0.0, 2.5, 2.4999, 1.0])
    assert got.times_s.tolist() == [4.0, 1.0, 2.5, 2.5, 1.0]
    assert got.frames.shape == (5, 3, 32, 48)
    assert got.frames.dtype == torch.uint8
    assert [int(frame[0, 0, 0]) for frame in got.frames] == [120, 0, 60, 60, 0]


def test_pictures_of_different_sizes_are_made_one_or_refused(pictures):
    frames = FrameList((pictures("a.png", 10), pictures("b.png", 20, (32, 32))), (0.0, 1.0))
    assert read_frame_list(frames, [0.0, 1.0], size_px=16).frames.shape == (2, 3, 16, 16)
    with pytest.raises(TevoError, match=r"\(32, 32\), \(32, 48\).*size_px"):
        read_frame_list(frames, [0.0, 1.0])


def test_a_picture_that_is_none_is_named(tmp_path):
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(VideoError, match=r"a\.png"):
        read_frame_list(FrameList((str(tmp_path / "a.png"),), (0.0,)), [0.0])
    with pytest.raises(TevoError, match="no times"):
        read_frame_list(FrameList(("a.png",), (0.0,)), [])


@pytest.mark.parametrize(
    ("paths", "times_s", "message"),
    [
        ((), (), "as many times as pictures"),
        (("a",), (0.0, 1.0), "got 2, 1"),
        (("a", "b"), (0.0, float("nan")), "finite"),
        (("a", "b"), (1.0, 1.0), "must ascend, got 1 s after 1 s"),
    ],
    ids=["nothing", "too many times", "nan", "twice"],
)
def test_a_list_that_is_none_is_refused(paths, times_s, message):
    with pytest.raises(TevoError, match=message):
        FrameList(paths, times_s)
