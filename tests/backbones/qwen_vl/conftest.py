import pytest
import torch

from tevo.backbones import build_backbone
from tevo.backbones.language import Prompt

TEXTS = ("When does this happen: the red shape grows?", "What happens first?", "Say hello.")
FAMILIES = ("qwen2_5_vl_tiny", "qwen3_vl_tiny")


def _random_frames(num_frames, height=64, width=64, seed=0):
    """Frames of coarse coloured patches."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randint(0, 256, (num_frames, 3, 4, 4), generator=generator).float()
    return torch.nn.functional.interpolate(patches, (height, width)).to(torch.uint8)


@pytest.fixture(scope="session")
def random_frames():
    return _random_frames


def _build(name, **kwargs):
    torch.manual_seed(0)
    return build_backbone(name, pretrained=False, **kwargs)


@pytest.fixture(scope="session")
def build():
    return _build


@pytest.fixture(params=FAMILIES, scope="module")
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family):
    """A tiny Qwen-VL with random weights; tests leave its weights alone."""
    return _build(family)


@pytest.fixture(scope="module")
def video(model):
    """Seven frames at irregular times, from second 3."""
    times_s = torch.tensor([3.0, 3.4, 4.1, 5.0, 5.2, 6.9, 7.0])
    return model.watch(_random_frames(7), times_s, max_tokens=64)


@pytest.fixture(scope="module")
def seeing(family):
    """A model that is trained whole, vision tower too, and prompts of three sorts: two videos and none."""
    model = _build(family, train_vision=True)
    model.add_role("solver")
    return model


@pytest.fixture(scope="module")
def prompts(seeing):
    long = seeing.watch(_random_frames(9), 3 + torch.arange(9) * 0.7, 100)
    short = seeing.watch(_random_frames(3, 40, 70, seed=1), torch.tensor([0.0, 0.1, 2.0]), 20)
    videos = (long, short, None)
    return [Prompt(text, video) for text, video in zip(TEXTS, videos, strict=True)]
