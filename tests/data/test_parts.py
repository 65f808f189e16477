"""Tokens of parts of real videos: which frames, whose seconds, decoded once."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.backbones.tuning import TowerConfig, TunedTower
from tevo.data.features import FeatureStore
from tevo.data.parts import Part, PartReader
from tevo.structures import Span, VideoTokens
from tevo.video.decoder import VideoError
from tevo.video.info import probe

CLIPS = Path(__file__).parent / "videos"
LONG = CLIPS / "made" / "events7_vfr.mp4"  # 23 s
FEW = (Span(3.0, 7.0), Span(12.0, 18.0))


@pytest.fixture(scope="module")
def info():
    return probe(LONG)


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return build_backbone("clip_tiny", pretrained=None)


@pytest.fixture(scope="module")
def videomae():
    torch.manual_seed(0)
    return build_backbone("videomae_tiny", pretrained=None)


def store_of(backbone, folder, max_frames=32, **settings):
    return FeatureStore(backbone, folder, 2.0, max_frames, dtype=torch.float32, **settings)


def whole(info):
    return Part(info, (Span(info.start_s, info.end_s),))


def read(store, part, tower=None):
    (found,) = PartReader(store, tower).read([part])
    return found


def same(one, other):
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("values", "spans", "mask"))


@pytest.mark.parametrize("name", ["clip", "videomae"])
def test_the_whole_is_the_base_view_of_a_run(request, name, info, tmp_path):
    """Whether the store has it or not: the model sees what it learnt from."""
    store = store_of(request.getfixturevalue(name), tmp_path)
    alone = read(store, whole(info))
    assert same(alone, store.get(info).tokens)
    assert store.has(info) and same(read(store, whole(info)), alone)


@pytest.mark.parametrize("name", ["clip", "videomae"])
def test_parts_are_seen_more_closely_and_by_themselves(request, name, info, tmp_path):
    backbone = request.getfixturevalue(name)
    store = store_of(backbone, tmp_path, max_frames=16)
    tokens = read(store, Part(info, FEW))
    middle = tokens.spans[0].mean(-1)
    inside = ((middle > 3) & (middle < 7)) | ((middle > 12) & (middle < 18))
    assert bool(inside.all()) and bool((middle.diff() > 0).all())
    assert bool((tokens.spans[0, :, 1] - tokens.spans[0, :, 0] < 2.5).all())  # none reaches over the gap
    seen = read(store, whole(info)).spans[0].mean(-1)
    here = ((seen > 3) & (seen < 7)) | ((seen > 12) & (seen < 18))
    assert len(middle) > int(here.sum())


def test_a_part_is_never_seen_more_closely_than_the_model_learnt(clip, info, tmp_path):
    tokens = read(store_of(clip, tmp_path, max_frames=512), Part(info, (Span(3.0, 7.0),)))
    assert tokens.values.shape[1] == 8


def test_what_was_seen_is_not_decoded_again(clip, info, tmp_path, monkeypatch):
    first = read(store_of(clip, tmp_path), Part(info, FEW))
    monkeypatch.setattr("tevo.data.parts.read_probed", None)  # would raise
    assert same(read(store_of(clip, tmp_path), Part(info, FEW)), first)


def test_no_cache_is_needed(clip, info):
    assert isinstance(read(store_of(clip, None), Part(info, FEW)), VideoTokens)


def test_many_parts_come_in_order_and_a_failure_is_named(clip, info, tmp_path):
    gone = replace(info, path=str(tmp_path / "gone.mp4"), fingerprint="gone")
    parts = [Part(info, (Span(1.0, 5.0),)), Part(gone, FEW), Part(info, (Span(5.0, 9.0),))]
    first, failed, last = PartReader(store_of(clip, tmp_path / "cache")).read(parts)
    assert isinstance(failed, VideoError) and failed.path.endswith("gone.mp4")
    assert float(first.spans.max()) <= 5.5 and float(last.spans.min()) >= 4.5


def test_a_tower_that_learnt_looks_in_the_backbones_place(clip, info, tmp_path):
    tower = TunedTower(clip, TowerConfig(trainable="head"))
    with torch.no_grad():
        for weight in tower.own.values():
            weight += 0.1 * torch.randn(weight.shape)
    store = store_of(clip, tmp_path, with_frames=True)
    for part in (whole(info), Part(info, FEW)):
        frozen, own = read(store, part), read(store, part, tower)
        assert torch.equal(frozen.spans, own.spans) and not torch.allclose(frozen.values, own.values, atol=1e-3)
