"""Every registered backbone keeps every promise; the walk says how many it found."""

import pytest

from tevo.backbones import build_backbone, list_backbones
from tevo.backbones.base import Backbone, TextEncoder
from tevo.backbones.tiny import WEIGHTS
from tevo.testing import check_backbone

NAMES = sorted(name for name, origin in list_backbones().items() if origin.startswith("tevo.") and "(" not in origin)
TINY = [name for name in NAMES if name.endswith("_tiny")]
FULL = [name for name in NAMES if not name.endswith("_tiny")]
CLASSES = {
    "clip": "ClipBackbone",
    "internvid": "InternVidBackbone",
    "videomae": "VideoMAEBackbone",
    "qwen2_5_vl": "QwenVL",
    "qwen3_vl": "QwenVL",
}


def _tiny(name: str) -> Backbone:
    """With the weights in the package, where they are."""
    shipped = (WEIGHTS / f"{name}.safetensors").is_file() and (WEIGHTS / "clip_tiny.safetensors").is_file()
    return build_backbone(name) if shipped else build_backbone(name, pretrained=False)


def test_the_walk_finds_every_backbone():
    assert len(TINY) == 5 and len(FULL) == 6, f"found {NAMES}; a new backbone is counted here"


@pytest.mark.parametrize("name", TINY)
def test_tiny_variants_keep_the_contract(name):
    check_backbone(_tiny(name))


@pytest.mark.parametrize("name", TINY)
def test_tiny_variants_keep_it_unfrozen(name):
    choice = {"train_vision": True} if CLASSES[name.removesuffix("_tiny")] == "QwenVL" else {"frozen": False}
    check_backbone(build_backbone(name, pretrained=False, **choice))


@pytest.mark.parametrize("name", TINY)
def test_tiny_variants_are_the_classes_of_the_full_ones(name):
    assert type(build_backbone(name, pretrained=False)).__name__ == CLASSES[name.removesuffix("_tiny")]


@pytest.mark.parametrize(
    ("name", "dim", "joint", "frames_per_clip"),
    [
        ("clip_vit_b32", 512, 512, 1),
        ("internvid_b16", 512, 512, 8),
        ("internvid_l14", 768, 768, 8),
        ("videomae_base", 3072, 512, 16),
    ],
    ids=("clip_vit_b32", "internvid_b16", "internvid_l14", "videomae_base"),
)
def test_full_variants_can_be_built_and_say_what_they_are(name, dim, joint, frames_per_clip, two_layers):
    backbone = build_backbone(name, pretrained=False)
    spec = backbone.spec
    assert (spec.name, spec.dim, spec.image_size_px, spec.frames_per_clip) == (name, dim, 224, frames_per_clip)
    assert spec.fingerprint
    assert isinstance(backbone, TextEncoder)
    assert backbone.encode_text(["a person opens a door"]).shape == (1, joint)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
