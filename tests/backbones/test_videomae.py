import copy

import huggingface_hub.constants
import pytest
import torch
from torch import nn
from transformers import VideoMAEConfig, VideoMAEModel

from tevo.backbones.base import Backbone, BackboneSpec
from tevo.backbones.clip import ClipBackbone, clip_tiny
from tevo.backbones.tiny import VIDEOMAE_TINY
from tevo.backbones.videomae import VideoMAEBackbone, videomae_tiny
from tevo.errors import TevoError

HIDDEN = VIDEOMAE_TINY["hidden_size"]
DIM = 4 * HIDDEN  # two by two regions
PATCHES = (VIDEOMAE_TINY["image_size"] // VIDEOMAE_TINY["patch_size"]) ** 2  # of a frame


@pytest.fixture(scope="module")
def videomae() -> VideoMAEBackbone:
    torch.manual_seed(0)
    return videomae_tiny(pretrained=None)


def _frames(time: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(time)
    frames = torch.randint(0, 256, (2, time, 3, 64, 64), generator=generator, dtype=torch.uint8)
    return frames, torch.arange(time).expand(2, -1) * 0.25 + 1.0


def _rows(num: int = 200) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(num, DIM, generator=generator) + 2.0
    targets = values[:, :20] @ torch.randn(20, 128, generator=generator) + 5.0
    return values, targets, torch.arange(num) * 20 // num  # twenty videos


def test_without_regions_a_token_is_the_mean_of_its_tubelets_patches(videomae):
    whole = VideoMAEBackbone(VIDEOMAE_TINY, videomae.text_tower, grid=1)
    whole.model.load_state_dict(videomae.model.state_dict())
    frames, times_s = _frames(16)
    mean, std = torch.tensor(videomae.mean).view(3, 1, 1), torch.tensor(videomae.std).view(3, 1, 1)
    clips = ((frames / 255 - mean) / std).view(4, 8, 3, 64, 64)
    with torch.no_grad():
        hidden = videomae.model(pixel_values=clips).last_hidden_state
    wanted = torch.stack([part.mean(dim=1) for part in hidden.split(PATCHES, dim=1)], dim=1).view(2, 8, HIDDEN)
    torch.testing.assert_close(whole.encode_video(frames, times_s).values, wanted, atol=1e-4, rtol=0)
    regions = videomae.encode_video(frames, times_s).values.unflatten(-1, (4, HIDDEN))
    torch.testing.assert_close(regions.mean(2), wanted, atol=1e-4, rtol=0)
    assert whole.spec.fingerprint != videomae.spec.fingerprint


@pytest.mark.parametrize("grid", [0, 5])
def test_more_regions_than_patches_are_refused(videomae, grid):
    with pytest.raises(TevoError, match="4 x 4 patches has 1 to 4 regions"):
        VideoMAEBackbone(VIDEOMAE_TINY, videomae.text_tower, grid=grid)


@pytest.mark.parametrize(("time", "tokens"), [(1, 1), (2, 1), (3, 2), (7, 4), (8, 4), (9, 5), (16, 8)])
def test_any_number_of_frames_gives_a_token_for_every_begun_tubelet(videomae, time, tokens):
    encoded = videomae.encode_video(*_frames(time))
    assert encoded.values.shape == (2, tokens, DIM)
    assert bool(encoded.mask.all())


def test_the_last_clip_is_filled_up_with_the_last_frame(videomae):
    frames, times_s = _frames(5)
    filled = torch.cat([frames, frames[:, -1:].expand(-1, 3, -1, -1, -1)], dim=1)
    wanted = videomae.encode_video(filled, torch.arange(8.0).expand(2, -1)).values[:, :3]
    torch.testing.assert_close(videomae.encode_video(frames, times_s).values, wanted, atol=1e-5, rtol=0)


def test_spans_cover_both_frames_of_a_tubelet_at_any_spacing(videomae):
    frames, _ = _frames(3)
    times_s = torch.tensor([[1.0, 2.0, 5.0], [10.0, 10.5, 11.0]])
    spans = videomae.encode_video(frames, times_s).spans
    assert spans.tolist() == [[[0.5, 3.5], [3.5, 6.5]], [[9.75, 10.75], [10.75, 11.25]]]


def test_the_chunk_size_does_not_change_the_tokens(videomae):
    frames, times_s = _frames(17)
    small = copy.deepcopy(videomae)
    small.clips_per_chunk = 1
    torch.testing.assert_close(
        small.encode_video(frames, times_s).values, videomae.encode_video(frames, times_s).values, atol=1e-5, rtol=0
    )


def test_a_cpu_gives_the_same_bits_in_any_company(videomae):
    frames, times_s = _frames(11)
    alone = videomae.encode_video(frames[1:], times_s[1:]).values
    assert torch.equal(videomae.encode_video(frames, times_s).values[1:], alone)


def test_checkpoints_without_a_final_norm_get_one(videomae):
    bare = VideoMAEBackbone({**VIDEOMAE_TINY, "use_mean_pooling": True}, videomae.text_tower)
    state = {name: value for name, value in videomae.model.state_dict().items() if not name.startswith("layernorm.")}
    bare.model.load_state_dict(state)
    frames, times_s = _frames(8)
    wanted = videomae.encode_video(frames, times_s).values  # its affine is still 1 and 0
    torch.testing.assert_close(bare.encode_video(frames, times_s).values, wanted, atol=1e-3, rtol=0)


def test_the_fitted_projection_finds_a_linear_map_on_rows_it_has_not_seen(videomae):
    backbone = copy.deepcopy(videomae)
    values, targets, videos = _rows(2000)
    before = float(torch.cosine_similarity(backbone.project(values), targets).mean())
    figures = backbone.fit_projection(values, targets, videos)
    assert before < 0.5 < 0.99 < figures["cosine_heldout"] <= figures["cosine"] + 1e-3
    torch.testing.assert_close(backbone.project(values).norm(dim=-1), torch.ones(2000))


@pytest.mark.parametrize(("number", "out"), [(20, range(90, 100)), (2, range(9, 200, 10))])
def test_every_tenth_video_is_held_out_and_of_few_videos_every_tenth_row(videomae, number, out):
    values, targets, _ = _rows()
    videos = torch.arange(200) * number // 200
    spoilt = targets.clone()
    out = [*out, *(range(190, 200) if number == 20 else ())]
    spoilt[out] = -spoilt[out]
    first, second = copy.deepcopy(videomae), copy.deepcopy(videomae)
    clean, dirty = first.fit_projection(values, targets, videos), second.fit_projection(values, spoilt, videos)
    assert torch.equal(first.weight, second.weight)
    assert clean["cosine"] == dirty["cosine"]
    assert dirty["cosine_heldout"] == pytest.approx(-clean["cosine_heldout"])


def test_a_checkpoint_carries_the_projection_and_the_fingerprint_does_not(videomae):
    fitted = copy.deepcopy(videomae)
    fitted.fit_projection(*_rows())
    parent, other = nn.ModuleDict({"solver": fitted}), nn.ModuleDict({"solver": copy.deepcopy(videomae)})
    other.load_state_dict(parent.state_dict())
    assert torch.equal(other["solver"].weight, fitted.weight)
    assert fitted.spec.fingerprint == videomae.spec.fingerprint == other["solver"].spec.fingerprint


def test_too_few_rows_or_rows_of_another_space_are_refused(videomae):
    values, targets, videos = _rows()
    for bad in ((values[:9], targets[:9], videos[:9]), (values, targets[:, :64], videos)):
        with pytest.raises(TevoError, match="at least ten tokens"):
            copy.deepcopy(videomae).fit_projection(*bad)


def test_text_and_teacher_are_the_paired_tower(videomae):
    assert isinstance(videomae.teacher, ClipBackbone)
    texts = ["a red circle", "a blue square"]
    assert torch.equal(videomae.encode_text(texts), videomae.teacher.encode_text(texts))


def test_the_tower_may_be_an_instance_and_must_read():
    tower = clip_tiny(pretrained=None)
    assert videomae_tiny(pretrained=None, text_tower=tower).teacher is tower

    class Mute(Backbone):
        spec = BackboneSpec("mute", 4, 8, 1, 2.0, "x")

        def encode_video(self, frames, times_s):
            raise NotImplementedError

    with pytest.raises(TevoError, match="Mute is none"):
        VideoMAEBackbone(VIDEOMAE_TINY, Mute())


def test_frozen_stays_frozen_and_unfrozen_learns(videomae):
    nn.ModuleList([videomae]).train()
    assert not any(module.training for module in videomae.modules())
    free = videomae_tiny(pretrained=None, frozen=False)
    assert free.model.training and not free.text_tower.training
    free.encode_video(*_frames(2)).values.square().sum().backward()
    assert free.model.embeddings.patch_embeddings.projection.weight.grad.abs().sum() > 0


def test_reads_a_local_folder_of_save_pretrained(videomae, tmp_path):
    videomae.model.save_pretrained(tmp_path)
    back = VideoMAEBackbone(str(tmp_path), videomae.text_tower)
    assert back.spec.fingerprint == videomae.spec.fingerprint
    assert back.spec.name == str(tmp_path)


def test_weights_that_cannot_be_fetched_are_named_with_the_ways_out(monkeypatch, tmp_path, videomae):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(TevoError, match=r"(?s)MCG-NJU/none.*could not be loaded.*save_pretrained.*pretrained: false"):
        VideoMAEBackbone("MCG-NJU/none", videomae.text_tower)


def test_configs_that_do_not_fit_together_are_refused(videomae):
    for wrong in ({"num_frames": 7}, {"hidden_size": VIDEOMAE_TINY["hidden_size"] + 1}, {"image_size": [64, 32]}):
        with pytest.raises(TevoError, match="VideoMAE"):
            VideoMAEBackbone({**VIDEOMAE_TINY, **wrong}, videomae.text_tower)
    assert isinstance(VideoMAEModel(VideoMAEConfig(**VIDEOMAE_TINY)), nn.Module)
