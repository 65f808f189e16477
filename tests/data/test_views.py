"""The base, shuffled and dense views of one video agree with each other and with the file."""

from dataclasses import replace

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.data.views import ViewPlan, distinct, encode_views, restore_views
from tevo.errors import TevoError
from tevo.structures import FrameBatch
from tevo.video.interventions import shuffled
from tevo.video.reader import read_frames


def plan(fps=1.0, max_frames=512, dense_factor=2, seed=0, dtype=torch.float16):
    return ViewPlan(fps, max_frames, dense_factor, seed, dtype)


def read(video, plan, size_px=16):
    return read_frames(video, plan.times(video), size_px)


def views(backbone, plan, video, frames):
    return restore_views(plan, video, "v", encode_views(backbone, plan, video, frames))


@pytest.fixture
def video(train_videos):
    return train_videos["000000.mp4"]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_every_nth_dense_frame_is_in_the_base_view(video, colours, factor):
    one = plan(dense_factor=factor)
    found = views(colours(), one, video, read(video, one))
    num_base, num_dense = found.tokens.values.shape[1], found.dense.values.shape[1]
    assert num_base == pytest.approx(video.duration_s, abs=1.5)
    assert num_base * factor - num_dense in range(factor)
    step = slice((factor - 1) // 2, None, factor)
    assert torch.equal(found.tokens.values, found.dense.values[:, step])
    assert torch.equal(found.tokens.spans, found.dense.spans[:, step])
    assert found.tokens.mask.all() and found.dense.mask.all()
    assert (found.name, found.start_s, found.end_s) == ("v", video.start_s, video.end_s)


def test_a_long_video_is_looked_at_thinly_but_whole(video, colours):
    one = plan(max_frames=6)
    found = views(colours(), one, video, read(video, one))
    assert found.tokens.values.shape[1] == 6
    assert found.dense.values.shape[1] == 12
    step_s = video.duration_s / 6
    starts = found.tokens.spans[0, :, 0]
    assert starts[0] <= video.start_s + step_s and starts[-1] >= video.end_s - step_s
    assert (starts.diff() - step_s).abs().max() < 1.0


@pytest.mark.parametrize("name", ["clip_tiny", "videomae_tiny", "internvid_tiny"])
def test_shuffled_view_equals_encoding_shuffled_frames(video, name):
    """Also where a frame encoder takes the short cut of shuffling values."""
    backbone = build_backbone(name, pretrained=None)
    one = plan(dtype=torch.float32)
    frames = read(video, one, backbone.spec.image_size_px)
    stored = encode_views(backbone, one, video, frames)
    assert ("shuffled.values" in stored) is (name != "clip_tiny")
    found = restore_views(one, video, "v", stored)
    mixed = shuffled(one.base(frames), one.generator(video))
    encoded = backbone.encode_video(mixed.frames[None], mixed.times_s[None])
    moved = (found.shuffled.values - found.tokens.values).abs().max()
    assert (found.shuffled.values - encoded.values).abs().max() < 0.01 * moved
    assert torch.equal(found.shuffled.spans, found.tokens.spans)


def test_the_shuffled_order_belongs_to_the_file_and_the_seed(video, colours):
    frames = read(video, plan())
    first = views(colours(), plan(), video, frames).shuffled.values
    assert torch.equal(first, views(colours(), plan(), replace(video, path="/moved.mp4"), frames).shuffled.values)
    assert not torch.equal(first, views(colours(), plan(seed=1), video, frames).shuffled.values)
    other = replace(video, fingerprint="another")
    assert not torch.equal(first, views(colours(), plan(), other, frames).shuffled.values)


def test_a_frame_asked_for_twice_is_encoded_once(video, colours):
    one = plan(fps=32.0, max_frames=4096)  # the world has 8 frames a second
    backbone = colours()
    found = views(backbone, one, video, read(video, one))
    assert found.dense.values.shape[1] == found.tokens.values.shape[1] == video.num_frames
    assert (found.dense.spans[0, :, 0].diff() > 0).all()


def test_one_frame_gives_one_token_everywhere(colours, video):
    for factor in (1, 2, 3, 4):
        batch = FrameBatch(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.tensor([1.5]))
        found = views(colours(), plan(dense_factor=factor), video, batch)
        assert found.tokens.values.shape == found.dense.values.shape == found.shuffled.values.shape == (1, 1, 3)
    assert len(distinct(batch).times_s) == 1


def test_what_float16_cannot_hold_stays_float32(video, colours):
    stored = encode_views(colours(scale=1e6), plan(), video, read(video, plan()))
    assert stored["base.values"].dtype == torch.float32
    assert encode_views(colours(), plan(), video, read(video, plan()))["base.values"].dtype == torch.float16
    assert restore_views(plan(), video, "v", stored).tokens.values.isfinite().all()


def test_encoding_is_in_eval_mode_and_leaves_the_mode_alone(video, colours):
    backbone = colours().train()
    encode_views(backbone, plan(), video, read(video, plan()))
    assert backbone.modes == {False}
    assert backbone.training


def test_a_dense_factor_below_one_is_refused():
    with pytest.raises(TevoError, match="dense_factor"):
        plan(dense_factor=0)
