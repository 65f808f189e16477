import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Qwen2VLVideoProcessor, Qwen3VLVideoProcessor

from tevo.backbones.pixels import rgb
from tevo.backbones.qwen_vl.budget import PatchFormat, fit_budget, spread, to_patches
from tevo.errors import TevoError

FORM = PatchFormat(patch_px=14, merge=2, frames=2, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@given(st.integers(1, 5000), st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 20000))
@settings(max_examples=300, deadline=None)
def test_the_budget_is_never_exceeded_and_nothing_grows(num_frames, height, width, max_tokens):
    steps, rows, columns = fit_budget(num_frames, height, width, FORM, max_tokens)
    assert 1 <= steps * rows * columns <= max_tokens
    assert steps <= -(-num_frames // 2)
    assert rows <= max(1, round(height / 28)) and columns <= max(1, round(width / 28))


def test_a_video_that_fits_keeps_its_frames_and_size():
    assert fit_budget(32, 280, 560, FORM, 16 * 10 * 20) == (16, 10, 20)


def test_resolution_goes_before_frames_and_keeps_its_shape():
    steps, rows, columns = fit_budget(32, 280, 560, FORM, 16 * 50)
    assert steps == 16 and (rows, columns) == (5, 10)


def test_frames_go_when_resolution_is_at_its_floor():
    steps, rows, columns = fit_budget(400, 280, 560, FORM, 320, min_cells=16)
    assert steps == 20 and rows * columns <= 16


@pytest.mark.parametrize("max_tokens", [0, -3])
def test_no_budget_at_all_is_an_error(max_tokens):
    with pytest.raises(TevoError, match="at least one"):
        fit_budget(10, 100, 100, FORM, max_tokens)


@given(st.integers(1, 200), st.integers(1, 200))
@settings(deadline=None)
def test_frames_are_spread_over_the_whole_video(num_frames, wanted):
    chosen = spread(num_frames, wanted)
    assert len(chosen) == wanted and bool((chosen.diff() >= 0).all()) and 0 <= chosen[0] and chosen[-1] < num_frames
    if wanted < num_frames:
        assert chosen[0] <= num_frames / wanted and num_frames - 1 - chosen[-1] <= num_frames / wanted
        assert len(chosen.unique()) == wanted


@pytest.mark.parametrize(("processor", "patch"), [(Qwen2VLVideoProcessor, 14), (Qwen3VLVideoProcessor, 16)])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (100, 70)])
def test_patches_are_those_of_the_published_processor(random_frames, processor, patch, height, width):
    frames = random_frames(4, height, width)
    cell = patch * 2
    theirs = processor(patch_size=patch, do_sample_frames=False, size={"shortest_edge": 1, "longest_edge": 10**6})
    made = theirs(videos=[frames], return_tensors="pt", cap_pixels_per_frame=False)
    _, rows, columns = (made["video_grid_thw"][0] // torch.tensor([1, 2, 2])).tolist()
    form = PatchFormat(patch, 2, 2, rgb(theirs.image_mean), rgb(theirs.image_std))
    ours = to_patches(frames, form, rows, columns)
    assert ours.shape[1] == rows * columns * 4 and cell * rows in range(height - cell, height + cell)
    torch.testing.assert_close(ours.flatten(0, 1), made["pixel_values_videos"], atol=1e-5, rtol=0)
