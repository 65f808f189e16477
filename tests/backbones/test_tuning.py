"""A tuned tower begins as the frozen one, learns what it is told to and nothing else, and leaves the frozen one be."""

import copy

import pytest
import torch

from tevo.backbones import Backbone, BackboneSpec, build_backbone
from tevo.backbones.clip import ClipBackbone
from tevo.backbones.tuning import TowerConfig, TunedTower
from tevo.backbones.videomae import VideoMAEBackbone
from tevo.errors import TevoError
from tevo.structures import FrameBatch, VideoTokens

NAMES = ("clip_tiny", "videomae_tiny", "internvid_tiny")
LEARN = ("head", "last_n", "lora", "all")


@pytest.fixture(scope="module")
def backbones():
    torch.manual_seed(0)
    return {name: shaken(build_backbone(name, pretrained=False)) for name in NAMES}  # a fresh ResNet has idle blocks


def videos_of(*lengths):
    generator = torch.Generator().manual_seed(0)
    return [
        FrameBatch(
            torch.randint(0, 256, (time, 3, 64, 64), generator=generator, dtype=torch.uint8),
            torch.arange(time) * 0.25 + 1.0,
        )
        for time in lengths
    ]


def seen_by(backbone, videos):
    tokens = [backbone.encode_video(video.frames[None], video.times_s[None]) for video in videos]
    return VideoTokens.collate(tokens)


def target(tokens):
    """A loss that every token and dimension has a part in."""
    weight = torch.randn(tokens.values.shape[-1], generator=torch.Generator().manual_seed(1))
    return (tokens.values @ weight * tokens.mask).square().sum()


def shaken(tower):
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in tower.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=generator)
    return tower


@pytest.mark.parametrize("trainable", LEARN)
@pytest.mark.parametrize("name", NAMES)
def test_it_begins_as_the_frozen_tower(backbones, name, trainable):
    videos = videos_of(11, 3)
    seen = seen_by(backbones[name], videos)
    tower = TunedTower(backbones[name], TowerConfig(trainable, frames_at_once=8))
    with torch.no_grad():
        looked = tower.look(videos, seen)
    torch.testing.assert_close(looked.values * looked.mask[..., None], seen.values, atol=1e-4, rtol=0)
    assert looked.spans is seen.spans and looked.mask is seen.mask


@pytest.mark.parametrize("name", NAMES)
def test_more_learns_from_choice_to_choice_and_never_the_words(backbones, name):
    chosen = {kind: set(TunedTower(backbones[name], TowerConfig(kind)).names) for kind in LEARN}
    assert chosen["head"] < chosen["last_n"] < chosen["all"]
    assert chosen["lora"] < chosen["all"] - chosen["head"]
    everything = {part for part, _ in backbones[name].named_parameters()}
    assert chosen["all"] < everything
    words = ("text_tower.", "model.text.", "model.token_embedding", "model.transformer", "model.ln_final")
    assert not any(part.startswith(words) for part in chosen["all"])
    one = set(TunedTower(backbones[name], TowerConfig("last_n", last_n=1)).names)
    assert chosen["head"] < one < chosen["last_n"]


def test_lora_is_small(backbones):
    sizes = {
        kind: sum(weight.numel() for weight in TunedTower(backbones["internvid_tiny"], TowerConfig(kind)).parameters())
        for kind in ("lora", "all")
    }
    assert sizes["lora"] < 0.15 * sizes["all"]


@pytest.mark.parametrize("trainable", LEARN)
@pytest.mark.parametrize("name", NAMES)
def test_every_weight_of_its_own_learns_and_the_frozen_ones_stay(backbones, name, trainable):
    backbone, videos = backbones[name], videos_of(11, 3)
    before, seen = copy.deepcopy(backbone.state_dict()), seen_by(backbone, videos)
    tower = TunedTower(backbone, TowerConfig(trainable, frames_at_once=8))
    target(tower.look(videos, seen)).backward()
    still = [part for part, weight in tower.named_parameters() if weight.grad is None or not weight.grad.any()]
    idle = ("/a", "k_proj/bias")  # B is zero at first, so that A has no part yet; a softmax ignores a shift of all keys
    assert all(part.endswith(idle) for part in still)
    torch.optim.SGD(tower.parameters(), lr=1e-2).step()
    with torch.no_grad():
        moved = (tower.look(videos, seen).values - seen.values).abs().max()
    assert moved > 1e-5
    assert all(torch.equal(value, before[part]) for part, value in backbone.state_dict().items())
    assert all(weight.grad is None for weight in backbone.parameters())
    assert torch.equal(seen_by(backbone, videos).values, seen.values)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_training_the_backbone_itself(backbones, name):
    """Also where the frames go through in parts and activations are computed again."""
    videos = videos_of(24)
    seen = seen_by(backbones[name], videos)
    tower = shaken(TunedTower(backbones[name], TowerConfig("all", frames_at_once=8)))
    target(tower.look(videos, seen)).backward()

    direct = copy.deepcopy(backbones[name]).requires_grad_(True)
    direct.load_state_dict(tower.weights(), strict=False)
    target(seen_by(direct, videos)).backward()
    wanted = dict(direct.named_parameters())
    for part in tower.names:
        scale = float(wanted[part].grad.abs().max())
        torch.testing.assert_close(
            tower.own[part.replace(".", "/")].grad, wanted[part].grad, atol=1e-3 * scale + 1e-6, rtol=1e-3
        )


def test_lora_adds_a_product_of_the_rank_asked_for(backbones):
    backbone = backbones["clip_tiny"]  # its matrices are convolutions, too
    tower = shaken(TunedTower(backbone, TowerConfig("lora", lora_rank=3)))
    frozen = dict(backbone.named_parameters())
    for part, weight in tower.weights().items():
        added = (weight - frozen[part]).flatten(1)
        assert int(torch.linalg.matrix_rank(added, tol=1e-4)) == min(3, *added.shape)


def test_two_towers_on_one_backbone_are_apart(backbones):
    backbone, videos = backbones["internvid_tiny"], videos_of(8)
    seen = seen_by(backbone, videos)
    one, other = (TunedTower(backbone, TowerConfig("last_n")) for _ in range(2))
    shaken(one)
    with torch.no_grad():
        assert not torch.allclose(one.look(videos, seen).values, seen.values, atol=1e-4)
        torch.testing.assert_close(other.look(videos, seen).values, seen.values, atol=1e-5, rtol=0)


def test_its_weights_come_back_and_hold_nothing_of_the_backbone(backbones):
    tower = shaken(TunedTower(backbones["clip_tiny"], TowerConfig("head")))
    again = TunedTower(backbones["clip_tiny"], TowerConfig("head"))
    again.load_state_dict(tower.state_dict())
    assert all(torch.equal(weight, again.weights()[part]) for part, weight in tower.weights().items())
    assert len(tower.state_dict()) == len(tower.names)


@pytest.mark.parametrize(
    ("vision", "blocks"),
    [
        ({"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 3}, 3),
        ({"timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear", "image_size": 160}, 6),
        ({"timm_model_name": "test_convnext", "timm_pool": "avg", "timm_proj": "linear", "image_size": 64}, 4),
    ],
    ids=["ViT", "timm ViT", "timm ConvNeXt"],
)
def test_the_towers_of_open_clip_are_known_by_their_parts(vision, blocks):
    text = {"context_length": 8, "width": 16, "heads": 2, "layers": 1}
    parts = ClipBackbone({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}).tower_parts()
    assert len(parts.blocks) == blocks
    assert parts.head


def test_a_tower_without_a_last_norm_has_no_head(backbones):
    bare = VideoMAEBackbone({"num_hidden_layers": 1, "hidden_size": 24, "num_attention_heads": 2, "image_size": 32,
                             "intermediate_size": 24, "use_mean_pooling": True},
                            backbones["clip_tiny"])  # fmt: skip
    with pytest.raises(TevoError, match=r"no weights for tower\.trainable 'head'"):
        TunedTower(bare, TowerConfig("head"))


def test_what_cannot_be_trained_is_refused_in_words():
    with pytest.raises(TevoError, match=r"one of none, head, last_n, lora, all, got 'some'"):
        TowerConfig("some")
    with pytest.raises(TevoError, match="at least 1"):
        TowerConfig("lora", lora_rank=0)

    class Plain(Backbone):
        spec = BackboneSpec("plain", 4, 8, 1, 2.0, "x")

        def encode_video(self, frames, times_s):
            raise AssertionError("not reached")

    with pytest.raises(TevoError, match=r"Plain does not say .*tower_parts"):
        TunedTower(Plain(), TowerConfig("all"))
