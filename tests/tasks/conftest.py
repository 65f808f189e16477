"""Stand-ins: a backbone that costs nothing and has no name, and weights for the tiny ones."""

import pytest
import torch

from tevo.backbones import Backbone, BackboneSpec, TextEncoder, build_backbone
from tevo.backbones.tiny import save_tiny
from tevo.structures import VideoTokens

WORDS = ["a door opens", "a pan falls", "a dog barks", "a light goes out"]


class Colours(Backbone, TextEncoder):
    """No name in the registry, no weights but a palette."""

    def __init__(self, width=3, fingerprint="colours"):
        super().__init__()
        self.register_buffer("palette", torch.eye(width))
        self.spec = BackboneSpec("colours", width, 8, 1, 2.0, fingerprint)

    def encode_video(self, frames, times_s):
        values = frames.float().mean(dim=(-1, -2)) @ self.palette
        return VideoTokens(values, torch.stack([times_s, times_s + 0.5], -1), torch.ones_like(times_s).bool())

    def encode_text(self, texts):
        return self.palette[[len(text) % len(self.palette) for text in texts]]


@pytest.fixture
def colours():
    return Colours


@pytest.fixture(scope="module")
def stand_in_weights(tmp_path_factory):
    """In the place of the package's weights, so that `build_backbone(name)` gives the same backbone every time."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    ids = build_backbone("clip_tiny", pretrained=None).tokenizer(WORDS).unique().tolist()
    for name in ("clip_tiny", "videomae_tiny"):
        save_tiny(build_backbone(name, pretrained=None).model, folder / f"{name}.safetensors", ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tevo.backbones.tiny.WEIGHTS", folder)
        yield folder
