"""Decoded once, encoded once, the same ever after; what cannot be decoded is named."""

import logging
import shutil

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.data.features import FeatureStore
from tevo.errors import TevoError
from tevo.video.decoder import VideoError
from tevo.video.info import probe

PARTS = ("tokens", "shuffled", "dense")


@pytest.fixture
def copies(train_videos, tmp_path):
    """Three videos that a test may damage or remove."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in list(train_videos)[:3]:
        shutil.copy(train_videos[name].path, folder / name)
    return {path.name: probe(path) for path in sorted(folder.iterdir())}


def remove(videos):
    for video in videos.values():
        shutil.rmtree(video.path, ignore_errors=True)
        open(video.path, "wb").close()


def same(first, second):
    return all(
        torch.equal(getattr(getattr(first, part), field), getattr(getattr(second, part), field))
        for part in PARTS
        for field in ("values", "spans", "mask")
    )


@pytest.mark.parametrize("clip", [1, 4])
def test_a_second_run_decodes_nothing_and_reads_the_same_bits(copies, colours, tmp_path, clip):
    first = FeatureStore(colours(clip), tmp_path / "cache")
    fresh = {name: first.get(video, name) for name, video in copies.items()}
    remove(copies)
    second = FeatureStore(colours(clip), tmp_path / "cache")
    done = second.encode_all(copies, progress=False)
    assert done.names == list(copies) and done.bad == []
    assert done.seconds == {"decode": 0.0, "encode": 0.0}
    assert second.backbone.num_frames == 0
    for name, video in copies.items():
        assert same(fresh[name], second.get(video, name))


def test_values_come_as_float32_rounded_to_float16(copies, colours, tmp_path):
    video = copies["000000.mp4"]
    half = FeatureStore(colours(), tmp_path).get(video)
    full = FeatureStore(colours(), tmp_path, dtype=torch.float32).get(video)
    assert half.tokens.values.dtype == full.tokens.values.dtype == torch.float32
    assert torch.equal(half.tokens.values, full.tokens.values.half().float())
    assert not torch.equal(half.tokens.values, full.tokens.values)
    assert half.name == video.path


@pytest.mark.parametrize(
    "change",
    [{"fps": 0.5}, {"max_frames": 9}, {"dense_factor": 3}, {"seed": 1}, {"dtype": torch.float32}, {"scale": 0.5}],
    ids=str,
)
def test_anything_that_changes_the_features_has_an_entry_of_its_own(copies, colours, tmp_path, change):
    FeatureStore(colours(), tmp_path / "cache").encode_all(copies, progress=False)
    remove(copies)
    backbone = colours(scale=change.pop("scale", 1.0))
    done = FeatureStore(backbone, tmp_path / "cache", **change).encode_all(copies, progress=False)
    assert done.names == []
    assert [bad.reason for bad in done.bad] == ["empty file"] * 3


def test_a_moved_file_is_known_by_its_content(copies, colours, tmp_path):
    FeatureStore(colours(), tmp_path / "cache").encode_all(copies, progress=False)
    moved = {}
    for name, video in copies.items():
        shutil.move(video.path, tmp_path / f"moved-{name}")
        moved[name] = probe(tmp_path / f"moved-{name}")
    store = FeatureStore(colours(), tmp_path / "cache")
    store.encode_all(moved, progress=False)
    assert store.backbone.num_frames == 0


def test_a_video_that_fails_is_dropped_by_name_and_never_replaced(copies, colours, tmp_path, caplog):
    video = copies["000001.mp4"]
    with open(video.path, "r+b") as file:
        file.truncate(100)
    store = FeatureStore(colours(), tmp_path / "cache")
    with caplog.at_level(logging.WARNING):
        done = store.encode_all(copies, progress=False)
    assert done.names == ["000000.mp4", "000002.mp4"]
    assert [bad.path for bad in done.bad] == [video.path]
    assert done.bad[0].reason and done.bad[0].reason in caplog.text and "000001.mp4" in caplog.text
    with pytest.raises(VideoError):
        store.get(video)


def test_ranks_share_the_work_without_overlap(train_videos, colours, tmp_path):
    shares = []
    for rank in range(3):
        store = FeatureStore(colours(), tmp_path / "cache")
        shares.append(store.encode_all(train_videos, progress=False, rank=rank, world_size=3).names)
        assert store.backbone.num_frames > 0  # none of it was there already
    assert sorted(name for share in shares for name in share) == sorted(train_videos)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_cache_that_cannot_hold_the_videos_says_how_large_it_must_be(copies, colours, tmp_path):
    store = FeatureStore(colours(), tmp_path / "cache", max_cache_bytes=2000)
    with pytest.raises(TevoError, match=r"3 videos need about .* GB.*max_cache_gb"):
        store.encode_all(copies, progress=False)


def test_without_a_cache_features_are_made_each_time(copies, colours):
    store = FeatureStore(colours(), None)
    video = copies["000000.mp4"]
    assert same(store.get(video), store.get(video))
    assert store.encode_all({"one": video}, progress=False).names == ["one"]


def test_a_lower_rate_is_named_in_the_log(copies, colours, caplog):
    with caplog.at_level(logging.INFO):
        FeatureStore(colours(), None, max_frames=5).get(copies["000000.mp4"])
    assert "000000.mp4" in caplog.text and "instead of 1 fps" in caplog.text


@pytest.mark.parametrize("clip", [1, 4])
def test_frames_come_along_where_they_are_wanted_and_make_the_same_tokens(copies, colours, tmp_path, clip):
    store = FeatureStore(colours(clip), tmp_path / "cache", dense_factor=2, with_frames=True)
    first = {name: store.get(video, name) for name, video in copies.items()}
    remove(copies)  # the second time they come from the cache
    for name, video in copies.items():
        found = store.get(video, name)
        frames, times_s = found.frames.frames, found.frames.times_s[None]
        for pixels, tokens in ((frames, found.tokens), (frames[found.order], found.shuffled)):
            again = store.backbone.encode_video(pixels[None], times_s)
            torch.testing.assert_close(again.values, tokens.values, atol=1e-2, rtol=1e-2)
            assert torch.equal(again.spans, tokens.spans)
        assert torch.equal(found.frames.frames, first[name].frames.frames)
    assert FeatureStore(colours(clip), tmp_path / "cache").get(video).frames is None


@pytest.mark.parametrize("max_tokens", [0, -3])
def test_a_budget_that_leaves_a_video_no_token_is_refused(max_tokens):
    with pytest.raises(TevoError, match=f"data.max_tokens must leave a video at least one token.*got {max_tokens}"):
        FeatureStore(build_backbone("qwen2_5_vl_tiny", pretrained=False), None, max_tokens=max_tokens)
