import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.videos import VideoFolder, safe_name


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a/../../b.mp4", "/etc/passwd", "..", "a\\..\\..\\b", "C:\\b.mp4", "c:b", "https://x.org/a.mp4",
     "file:/etc/passwd", "a\0.mp4"],
)  # fmt: skip
def test_a_name_that_leads_out_is_refused(name):
    with pytest.raises(RowProblem) as caught:
        safe_name(name)
    assert caught.value.reason == Reason.ESCAPES


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="ab./\\:\0~", max_size=12), st.text(alphabet="ab./\\", max_size=6))
def test_no_name_leads_out(left, right):
    root = Path("/videos")
    try:
        name = safe_name(left + ".." + right)
    except RowProblem:
        return
    assert Path(os.path.normpath(root / name)).is_relative_to(root)


@pytest.mark.parametrize(
    ("name", "safe"),
    [("./a/b.mp4", "a/b.mp4"), (" a.mp4", "a.mp4"), (2574374895, "2574374895"), ("a..b/c", "a..b/c"), ("~/a", "~/a")],
)
def test_other_names_are_paths_inside(name, safe):
    assert safe_name(name) == safe


def test_a_video_is_found_with_or_without_its_ending_and_folder(videos):
    root = videos("a.mp4", "videos/b.MP4", "clips/c.webm", "clips/d.v1.mkv")
    folder = VideoFolder(root, ("videos", "clips"))
    assert folder.find(["a"]) == str(root / "a.mp4")
    assert folder.find(["a.mp4"]) == str(root / "a.mp4")
    assert folder.find(["b"]) == str(root / "videos" / "b.MP4")
    assert folder.find(["1101/c", "c"]) == str(root / "clips" / "c.webm")
    assert folder.find(["d.v1"]) == str(root / "clips" / "d.v1.mkv")
    assert folder.find(["e"]) is None
    assert folder.find(["x" * 5000]) is None


def test_a_folder_of_pictures_is_found_where_it_may_be_one(videos):
    root = videos("clip/0001.jpg")
    folder = VideoFolder(root, ())
    assert folder.find(["clip"]) is None
    assert folder.find(["clip"], may_be_folder=True) == str(root / "clip")


def test_without_a_root_the_name_stays():
    assert VideoFolder(None, ("videos",)).find(["1101/a", "a"]) == "1101/a"
