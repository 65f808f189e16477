"""A procedural world of a few short videos, and backbones that cost nothing."""

import pytest
import torch

from tevo.backbones.base import Backbone, BackboneSpec
from tevo.data.collection import video_name, videos_folder
from tevo.data.world import generate
from tevo.structures import VideoTokens
from tevo.video.index import build_index


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("worlds") / "tiny"
    generate(root, "tiny")
    return root


@pytest.fixture(scope="session")
def train_videos(world):
    """VideoInfo by name of the eight videos in train/."""
    root = world / "train"
    found = build_index(root, workers=1, progress=False)
    assert not found.bad
    return {video_name(info.path, videos_folder(root)): info for info in found.videos}


class MeanColour(Backbone):
    """A frame's mean colour, times ``scale``; with ``clip`` > 1 also that of the frame before it, as a clip would."""

    def __init__(self, clip=1, scale=1.0, fps=1.0):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(scale), requires_grad=False)
        self.spec = BackboneSpec("mean_colour", 3, 16, clip, fps, f"colours-{clip}-{scale}")
        self.num_frames = 0  # encoded so far
        self.modes = set()

    def encode_video(self, frames, times_s):
        self.num_frames += frames.shape[1]
        self.modes.add(self.training)
        values = frames.float().mean(dim=(-1, -2)) / 255 * self.scale
        if self.spec.frames_per_clip > 1:
            values = values - 0.5 * values.roll(1, dims=1)
        return VideoTokens(values, torch.stack([times_s, times_s + 0.5], -1), torch.ones_like(times_s).bool())


@pytest.fixture
def colours():
    return MeanColour
