"""Which videos a run has, and what a backbone sees of them: once, the usable ones, in the teacher's frames too."""

import json
import os
import shutil

import pytest
import torch

from tevo.data.collection import Probing
from tevo.data.seen import TEACHER_VIDEOS, Looking, SeenVideos
from tevo.data.sources import Found, Sources


@pytest.fixture
def seen(world, tmp_path):
    """The videos of a folder; every test has a cache of its own."""

    def make(root=world / "train", min_duration_s=2.0):
        cache = tmp_path / "cache"
        sources = Sources(str(root), None, None, 2, min_duration_s, Probing(cache, 60.0, 1, False))
        looking = Looking(cache, 10**9, fps=None, max_frames=512, dense_factor=2, max_tokens=64, seed=0)
        return SeenVideos(sources, looking, videos_per_batch=3, progress=False)

    return make


def values_of(one):
    return {name: one.store.get(info).tokens.values for name, info in one.videos.items()}


def test_bad_and_short_videos_are_listed_and_never_replaced(seen, colours, world, tmp_path):
    root = tmp_path / "videos"
    shutil.copytree(world / "train", root)
    (root / "000001.mp4").write_bytes(b"")
    (root / "000002.mp4").write_text("no video at all")
    shutil.copy(world / "clips" / "000000.mp4", root / "tiny.mp4")
    one = seen(root, min_duration_s=8.0)
    one.prepare_data()
    one.setup("fit")
    late = one.videos["000005.mp4"].path
    with open(late, "r+b") as file:
        file.truncate(200)  # readable when it was indexed
    one.attach(colours())
    assert list(one.videos) == ["000000.mp4", "000003.mp4", "000004.mp4", "000006.mp4", "000007.mp4"]
    assert list(one.durations_s) == list(one.videos) and min(one.durations_s.values()) >= 8.0
    reasons = {bad.path: bad.reason for bad in one.bad_videos}
    assert reasons.keys() == {str(root / f"00000{i}.mp4") for i in (1, 2, 5)} | {str(root / "tiny.mp4")}
    assert reasons[str(root / "tiny.mp4")] == "shorter than 8 s"
    one.write_bad_videos(tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "bad_videos.jsonl").read_text().splitlines()]
    assert {row["path"]: row["reason"] for row in rows} == reasons


def test_a_second_look_opens_no_video(seen, colours, world, tmp_path):
    root = tmp_path / "videos"
    shutil.copytree(world / "train", root)
    first, second = seen(root), seen(root)
    first.setup("fit")
    first.attach(colours())
    values = values_of(first)
    assert first.seconds["decode"] > 0
    for path in root.iterdir():
        status = path.stat()
        path.write_bytes(bytes(status.st_size))  # as large, as old, and empty of sense
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    second.setup("fit")
    second.attach(colours())
    assert second.seconds == {"decode": 0.0, "encode": 0.0}
    assert len(values) == 8
    for name, again in values_of(second).items():
        assert torch.equal(values.pop(name), again)
    assert values == {}


def test_the_teacher_looks_at_the_same_frames(seen, colours):
    one = seen()
    one.setup("fit")
    one.attach(colours())
    met = []
    for videos, tokens in one.teacher_pairs(colours(scale=2.0, fps=3.0)):
        torch.testing.assert_close(tokens.values, 2.0 * videos.tokens.values, atol=2e-3, rtol=2e-3)
        assert torch.equal(tokens.spans, videos.tokens.spans)
        met += videos.names
    assert met == list(one.videos)


@pytest.mark.parametrize("number", [8, TEACHER_VIDEOS, 3 * TEACHER_VIDEOS + 5])
def test_phase_0_sees_some_of_many_videos_from_all_over_the_folder(seen, number, train_videos):
    one = seen()
    (info, *_) = train_videos.values()
    one.found = Found({f"{index:04d}": info for index in range(number)})
    chosen = [int(name) for name in one.teacher_videos]
    assert len(chosen) == min(number, TEACHER_VIDEOS) and chosen == sorted(chosen)
    assert chosen[0] == 0 and chosen[-1] >= 0.9 * number - 1
