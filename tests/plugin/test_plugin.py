"""The package beside this file works through its entry point; .ci/run installs it for real."""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone, list_backbones, registry
from tevo.backbones.tiny import CLIP_TINY
from tevo.objectives import SolverFacts, list_rewards, load_rewards
from tevo.objectives import registry as rewards
from tevo.testing import check_backbone

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _installed(monkeypatch):
    """What pip would have put into the metadata."""
    table = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["entry-points"]
    points = [EntryPoint(name, value, group) for group, names in table.items() for name, value in names.items()]
    monkeypatch.syspath_prepend(str(HERE))
    for room in (registry, rewards):
        monkeypatch.setattr(room, "entry_points", lambda group: [point for point in points if point.group == group])


def test_the_name_is_listed_and_keeps_the_contract():
    assert list_backbones()["grey_clip_tiny"].startswith("tevo_grey:grey_clip_tiny")
    check_backbone(build_backbone("grey_clip_tiny", pretrained=None))


def test_it_sees_no_colour_and_shares_no_cache_with_what_it_is_made_of():
    grey = build_backbone("grey_clip_tiny", pretrained=None)
    red, blue = torch.zeros(2, 1, 1, 3, 64, 64, dtype=torch.uint8)
    red[:, :, 0] = blue[:, :, 2] = 240
    times_s = torch.tensor([[1.0]])
    assert torch.equal(grey.encode_video(red, times_s).values, grey.encode_video(blue, times_s).values)
    from tevo.backbones.clip import ClipBackbone

    plain = ClipBackbone(CLIP_TINY)
    plain.model.load_state_dict(grey.model.state_dict())
    assert plain.spec.fingerprint != grey.spec.fingerprint


def test_the_reward_is_listed_and_pays_for_short_evidence():
    assert list_rewards()["brief"].startswith("tevo_grey:brief")
    spans = torch.tensor([[[[1.0, 3.0]], [[0.0, 20.0]]]])
    answers, row = torch.zeros(1, 2, dtype=torch.long), torch.zeros(1)
    seen = torch.ones(spans.shape[:-1], dtype=torch.bool)
    facts = SolverFacts(answers, spans, seen, answers[:, 0], spans[:, 0], seen[:, 0], row.bool(), row, row + 30)
    assert load_rewards(["brief"], SolverFacts)["brief"](facts).tolist() == [[pytest.approx(0.8), 0.0]]
