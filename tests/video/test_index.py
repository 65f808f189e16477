import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tevo.errors import TevoError
from tevo.video import build_index, find_videos, index, probe, update_index

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="named pipes stand in for files that hang")


@pytest.fixture
def folder(tmp_path, clips):
    """A collection with two readable videos and two that are not."""
    root = tmp_path / "videos"
    (root / "deep" / "er").mkdir(parents=True)
    shutil.copy(clips / "moviepy/bitmap.mp4", root / "b.mp4")
    shutil.copy(clips / "made/two_frames_1fps.mp4", root / "deep/er/A.MP4")
    shutil.copy(clips / "made/text_named.mp4", root / "text.mp4")
    shutil.copy(clips / "made/empty.mp4", root / "deep/empty.mkv")
    (root / "notes.txt").write_text("no video")
    (root / "._b.mp4").write_text("what a Mac leaves behind")
    (root / ".trash").mkdir()
    shutil.copy(clips / "moviepy/bitmap.mp4", root / ".trash/gone.mp4")
    return root


def build(root, manifest=None, **options):
    return build_index(root, manifest, **{"timeout_s": 60.0, "workers": 2, "progress": False, **options})


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def asked(monkeypatch):
    """Paths that a probing process was asked for."""
    paths = []
    ask = index.Prober.ask
    monkeypatch.setattr(index.Prober, "ask", lambda self, path: paths.append(path) or ask(self, path))
    return paths


def test_good_and_bad_are_told_apart_in_the_order_of_their_paths(folder, tmp_path):
    got = build(folder, tmp_path / "out/manifest.jsonl")
    assert got.videos == [probe(folder / "b.mp4"), probe(folder / "deep/er/A.MP4")]
    assert [(bad.path, bad.reason) for bad in got.bad] == [
        (str(folder / "deep/empty.mkv"), "empty file"),
        (str(folder / "text.mp4"), "not a video"),
    ]
    assert rows(tmp_path / "out/bad_videos.jsonl") == [{"path": bad.path, "reason": bad.reason} for bad in got.bad]


def test_known_files_are_not_opened_again(folder, tmp_path, asked):
    manifest = tmp_path / "manifest.jsonl"
    first = build(folder, manifest)
    assert len(asked) == 4
    asked.clear()
    assert build(folder, manifest) == first
    assert asked == []


def test_changed_and_new_files_are_probed_and_lost_ones_forgotten(folder, clips, tmp_path, asked):
    manifest = tmp_path / "manifest.jsonl"
    build(folder, manifest)
    asked.clear()
    shutil.copy(clips / "made/one_frame.mp4", folder / "text.mp4")
    shutil.copy(clips / "made/one_frame.mp4", folder / "new.mp4")
    (folder / "b.mp4").unlink()
    got = build(folder, manifest)
    assert sorted(asked) == [str(folder / "new.mp4"), str(folder / "text.mp4")]
    names = [os.path.basename(video.path) for video in got.videos]
    assert names == ["A.MP4", "new.mp4", "text.mp4"]
    assert [bad.reason for bad in got.bad] == ["empty file"]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_manifest_cut_short_by_a_kill_loses_only_its_last_row(folder, tmp_path, asked, cut):
    manifest = tmp_path / "manifest.jsonl"
    first = build(folder, manifest)
    manifest.write_bytes(manifest.read_bytes()[:-cut])
    asked.clear()
    assert build(folder, manifest) == first
    assert len(asked) == (0 if cut == 1 else 1)  # without its newline the last row is still whole
    asked.clear()
    assert build(folder, manifest) == first
    assert asked == []


def test_rubbish_in_the_manifest_is_passed_over(folder, tmp_path):
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_bytes(b'\xff\xfe\n[1]\n{"path": 3}\nnull\n{"version": 0, "path": "x"}')
    assert len(build(folder, manifest).videos) == 2


def test_a_killed_scan_goes_on_where_it_was(folder, tmp_path, asked):
    os.mkfifo(folder / "z_hangs.mp4")  # keeps the scan busy until it is killed
    manifest = tmp_path / "manifest.jsonl"
    code = "import sys; from tevo.video import build_index; build_index(*sys.argv[1:], 60.0, 1, False)"
    scan = subprocess.Popen([sys.executable, "-c", code, str(folder), str(manifest)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not manifest.exists() or len(manifest.read_text().splitlines()) < 4):
        time.sleep(0.02)
    scan.send_signal(signal.SIGKILL)
    scan.wait()
    (folder / "z_hangs.mp4").unlink()
    assert len(build(folder, manifest).videos) == 2
    assert asked == []


def test_a_file_that_hangs_is_killed_and_named_and_the_others_are_not_harmed(folder, tmp_path, asked):
    os.mkfifo(folder / "a_hangs.mp4")  # opening it waits for a writer that never comes
    manifest = tmp_path / "manifest.jsonl"
    got = build(folder, manifest, timeout_s=1.0, workers=1)
    assert len(got.videos) == 2
    assert [bad.reason for bad in got.bad] == ["timeout", "empty file", "not a video"]
    asked.clear()
    build(folder, manifest, timeout_s=0.5)
    assert asked == []  # more time was not enough
    build(folder, manifest, timeout_s=1.5)
    assert asked == [str(folder / "a_hangs.mp4")]


def test_a_text_file_names_videos_relative_to_itself(folder):
    listing = folder / "list.txt"
    listing.write_text("\ufeff# mine\n\nb.mp4\ndeep/er/A.MP4\nb.mp4\nmissing.mp4\n", encoding="utf-8")
    got = build(listing)
    assert [video.path for video in got.videos] == [str(folder / "b.mp4"), str(folder / "deep/er/A.MP4")]
    assert [(bad.path, bad.reason) for bad in got.bad] == [(str(folder / "missing.mp4"), "file not found")]


def test_a_glob_and_one_file_will_do(folder, monkeypatch):
    assert find_videos(folder / "**/*.mp4") == [str(folder / "b.mp4"), str(folder / "text.mp4")]
    monkeypatch.chdir(folder)
    assert find_videos("b.mp4") == [str(folder / "b.mp4")]


def test_folders_that_link_to_one_another_end(folder):
    (folder / "deep/back").symlink_to(folder, target_is_directory=True)
    assert len(find_videos(folder)) == 4


def test_what_holds_no_video_is_refused_in_words(tmp_path):
    with pytest.raises(TevoError, match=r"no such file or folder"):
        build(tmp_path / "nowhere")
    (tmp_path / "readme.md").write_text("nothing")
    with pytest.raises(TevoError, match=r"\.mkv .*\.mp4"):
        build(tmp_path)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(TevoError, match="names no video"):
        build(tmp_path / "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TevoError, match="UTF-8"):
        build(tmp_path / "binary.txt")
    with pytest.raises(TevoError, match="timeout_s"):
        build(tmp_path, timeout_s=0.0)


def test_strange_names_come_through(folder, clips):
    name = 'it\'s "new"\nline ü\udcff.mp4'
    shutil.copy(clips / "moviepy/bitmap.mp4", folder / name)
    assert str(folder / name) in [video.path for video in build(folder).videos]


def test_processes_share_the_files_and_read_what_the_others_found(folder, clips, tmp_path, asked):
    for number in range(8):
        shutil.copy(clips / "made/one_frame.mp4", folder / f"{number}.mp4")
    manifest = tmp_path / "out/manifest.jsonl"
    whole = build(folder, tmp_path / "alone.jsonl")
    asked.clear()
    shares = []
    for rank in range(3):
        found = update_index(folder, manifest, workers=2, progress=False, rank=rank, world_size=3)
        shares.append(list(asked))
        asked.clear()
        assert found.num_left == 12 - sum(map(len, shares))
    assert sorted(path for share in shares for path in share) == sorted(find_videos(folder))
    assert all(shares) and (found.num_left, found.num_videos, found.bad) == (0, 10, whole.bad)
    assert found.duration_s == pytest.approx(sum(video.duration_s for video in whole.videos))
    assert {path.name for path in manifest.parent.iterdir()} == {f"manifest{end}.jsonl" for end in ("", "-1", "-2")}
    assert build(folder, manifest) == whole and asked == []
    assert (manifest.parent / "bad_videos.jsonl").exists()


def test_a_long_index_moves_into_parquet_and_nothing_is_opened_again(folder, tmp_path, asked, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("tevo.video.manifest.FOLD_BYTES", 1)
    manifest = tmp_path / "out/manifest.jsonl"
    first = build(folder, manifest)
    assert (manifest.with_suffix(".parquet")).exists() and manifest.read_text() == ""
    asked.clear()
    assert build(folder, manifest) == first
    summary = update_index(folder, manifest, progress=False)
    assert (summary.num_videos, summary.bad, summary.num_left) == (2, first.bad, 0)
    (folder / "b.mp4").touch()
    assert build(folder, manifest).videos == first.videos
    assert asked == [str(folder / "b.mp4")]


def test_a_rank_that_cannot_be_is_refused(folder, tmp_path):
    with pytest.raises(TevoError, match="below world_size=2, got 2"):
        update_index(folder, tmp_path / "manifest.jsonl", rank=2, world_size=2)
