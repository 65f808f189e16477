"""What a question may see: parts of files and of pictures, in seconds of the whole."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tevo.backbones import Backbone, BackboneSpec
from tevo.data.collection import Collection, Probing
from tevo.data.features import FeatureStore
from tevo.data.shown import look_up, part_of, what_is_shown
from tevo.structures import FrameList, Question, Span, VideoTokens
from tevo.video.frame_list import PictureInfo
from tevo.video.index import BadVideo
from tevo.video.info import probe

CLIP = Path(__file__).parent / "videos" / "made" / "events7_vfr.mp4"  # 0 to 23.4 s


class Grey(Backbone):
    """A token a frame: its brightness."""

    def __init__(self):
        super().__init__()
        self.spec = BackboneSpec("grey", 1, 8, 1, 1.0, "grey")

    def encode_video(self, frames, times_s):
        import torch

        values = frames.float().mean(dim=(-1, -2, -3))[..., None]
        return VideoTokens(values, torch.stack([times_s, times_s + 1], -1), torch.ones_like(times_s).bool())


@pytest.fixture
def pictures(tmp_path):
    """Six pictures, one a second from second 2 on, each brighter than the one before."""
    paths = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        with av.open(str(path), "w", format="image2") as out:
            stream = out.add_stream("png", rate=Fraction(1))
            stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb24"
            pixels = np.full((16, 16, 3), 40 * number, dtype=np.uint8)
            for packet in [*stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")), *stream.encode()]:
                out.mux(packet)
        paths.append(str(path))
    return FrameList(tuple(paths), tuple(2.0 + number for number in range(6)))


def asked(**parts):
    return Question("q", str(CLIP), "When does this happen: a?", "when", **parts)


@pytest.fixture
def store():
    return FeatureStore(Grey(), None, dense_factor=1)


def test_a_part_is_seen_by_itself_in_seconds_of_the_file(store):
    info = probe(CLIP)
    part = part_of(info, Span(10.0, 14.0))
    tokens = store.get(part).tokens
    assert 10.0 - 0.2 <= float(tokens.spans.min()) and float(tokens.spans.max()) <= 14.0 + 1.0
    assert tokens.values.shape[1] == 4
    assert part.fingerprint == info.fingerprint
    assert store.plan.describe(part) != store.plan.describe(info)  # not one place in the cache


@pytest.mark.parametrize(
    ("shown", "limits"), [((-5.0, 3.0), (0.0, 3.0)), ((20.0, 99.0), (20.0, None)), ((30.0, 40.0), None)]
)
def test_a_part_never_leaves_the_file(shown, limits):
    info = probe(CLIP)
    part = part_of(info, Span(*shown))
    if limits is None:
        assert part is None
    else:
        assert (part.start_s, part.end_s) == (limits[0], limits[1] or info.end_s)


def test_questions_of_one_part_share_it_and_each_sees_its_own(tmp_path):
    info = probe(CLIP)
    found = Collection({str(CLIP): info}, [BadVideo("gone.mp4", "not a video")])
    one, same, whole, outside = (asked(shown=s and Span(*s)) for s in [(1.0, 5.0), (1.0, 5.0), None, (50.0, 60.0)])
    gone = Question("g", "gone.mp4", "?", "open")
    shown = what_is_shown([one, same, whole, outside, gone], found)
    names = [question.video for question in shown.questions]
    assert names[0] == names[1] != names[2] == str(CLIP)
    assert (shown.videos[names[0]].start_s, shown.videos[names[0]].end_s) == (1, 5)
    assert shown.videos[names[2]] is info
    assert "outside the video, which runs from 0" in shown.reasons[names[3]]
    assert shown.reasons["gone.mp4"] == "not a video"


def test_pictures_are_a_video_whose_frames_are_read_by_the_second(pictures, store, tmp_path):
    question = asked(frames=pictures)
    found = look_up([question], Probing(tmp_path, 10.0, 1, False))
    (info,) = found.videos.values()
    assert isinstance(info, PictureInfo)
    assert (info.start_s, info.end_s, info.num_frames, info.width) == (2.0, 8.0, 6, 16)
    tokens = store.get(info).tokens
    assert [round(float(value)) for value in tokens.values[0]] == [0, 40, 80, 120, 160, 200]
    assert tokens.spans[0, :, 0].tolist() == list(pictures.times_s)
    (part,) = what_is_shown([asked(frames=pictures, shown=Span(4.0, 6.0))], found).videos.values()
    assert [round(float(value)) for value in store.get(part).tokens.values[0]] == [80, 120]


def test_other_pictures_are_another_video_and_an_annotated_length_is_kept(pictures, tmp_path):
    fewer = FrameList(pictures.paths[:2], pictures.times_s[:2])
    probing = Probing(tmp_path, 10.0, 1, False)
    found = look_up([asked(frames=pictures), asked(frames=fewer, duration_s=30.0)], probing)
    six, two = found.videos.values()
    assert six.fingerprint != two.fingerprint
    assert (two.end_s, two.duration_s) == (30.0, 28.0)
    alone = look_up([asked(frames=FrameList(pictures.paths[:1], (4.0,)))], probing)
    assert next(iter(alone.videos.values())).duration_s == 1.0


def test_a_picture_that_is_gone_is_a_reason(pictures, tmp_path):
    gone = FrameList((*pictures.paths, str(tmp_path / "gone.png")), (*pictures.times_s, 20.0))
    question = asked(frames=gone)
    shown = what_is_shown([question], look_up([question], Probing(tmp_path, 10.0, 1, False)))
    assert list(shown.reasons.values()) == [f"{tmp_path / 'gone.png'}: file not found"]
