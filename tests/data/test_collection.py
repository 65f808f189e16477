"""Videos by name, wherever they were found."""

from pathlib import Path

import pytest

from tevo.data.collection import (
    Collection,
    Probing,
    check_enough,
    default_cache_dir,
    keep_usable,
    video_name,
    videos_folder,
)
from tevo.errors import TevoError
from tevo.video.index import BadVideo


def test_names_are_relative_to_what_was_given(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    clip, listing = tmp_path / "in" / "deep" / "a.mp4", tmp_path / "in" / "list.txt"
    clip.touch()
    listing.touch()

    def name(root):
        return video_name(str(clip), videos_folder(root))

    assert name(tmp_path / "in") == name(listing) == name(f"{tmp_path}/in/**/*.mp4") == "deep/a.mp4"
    assert name(clip) == name(f"{tmp_path}/in/deep/[a-c].mp4") == "a.mp4"
    assert name(f"{tmp_path}/i?/deep/a.mp4") == "in/deep/a.mp4"
    assert video_name("/elsewhere/b.mp4", tmp_path) == "/elsewhere/b.mp4"


def test_every_way_to_name_a_folder_gives_the_same_videos(world, tmp_path):
    probing = Probing(tmp_path / "cache", 60.0, 1, False)
    root = world / "test"
    (tmp_path / "list.txt").write_text(f"{root / '000000.mp4'}\n{root / '000001.mp4'}\n")
    by_folder = probing.root(str(root))
    assert list(by_folder.videos) == [f"00000{index}.mp4" for index in range(4)]
    assert probing.root(f"{root}/*.mp4").videos == by_folder.videos
    assert list(probing.root(str(root / "000002.mp4")).videos) == ["000002.mp4"]
    listed = probing.root(str(tmp_path / "list.txt")).videos
    assert [Path(info.path).name for info in listed.values()] == ["000000.mp4", "000001.mp4"]
    paths = [str(root / "000003.mp4"), str(root / "000001.mp4")]
    assert sorted(probing.paths(paths).videos) == sorted(paths)


def test_short_videos_and_those_of_the_evaluation_are_kept_apart(train_videos):
    shortest = min(train_videos, key=lambda name: train_videos[name].duration_s)
    other = next(name for name in train_videos if name != shortest)
    found = Collection(train_videos, [BadVideo("/x.mp4", "empty file")])
    limit = train_videos[shortest].duration_s + 0.01
    kept = keep_usable(found, limit, {train_videos[other].path})
    assert set(kept.videos) == set(train_videos) - {shortest, other}
    assert [bad.path for bad in kept.bad] == ["/x.mp4", train_videos[shortest].path]
    assert kept.bad[1].reason == f"shorter than {limit:g} s"


def test_a_long_list_of_bad_videos_is_cut_in_the_message():
    bad = [BadVideo(f"/{index}.mp4", "empty file") for index in range(14)]
    with pytest.raises(TevoError, match=r"0 usable videos, at least 3 .*9\.mp4: empty file; and 4 more"):
        check_enough(Collection({}, bad), 3, "videos")


def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_dir() == Path("/somewhere/tevo")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache" / "tevo"
