"""``tevo index``: the result lies where fit looks for it, and what is printed stays short."""

import pytest

from tevo.cli import main
from tevo.data.collection import Probing
from tevo.video import index


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for number in range(60):
        (root / f"{number:02d}.mp4").touch()
    return root


def test_fit_finds_what_the_verb_found(folder, tmp_path, capsys, monkeypatch):
    main(["index", str(folder), "--cache_dir", str(tmp_path / "cache")])
    printed = capsys.readouterr().out
    assert "00.mp4: empty file" in printed and "and 10 more" in printed and "0 videos, 0.00 hours; 60 bad" in printed
    monkeypatch.setattr(index.Prober, "ask", lambda self, path: pytest.fail(f"{path} is opened again"))
    assert len(Probing(tmp_path / "cache", 60.0, 1, False).root(str(folder)).bad) == 60


def test_a_share_says_what_is_left_to_the_others(folder, tmp_path, capsys):
    words = ["index", str(folder), "--manifest", str(tmp_path / "out/manifest.jsonl"), "--world_size", "2", "--rank"]
    main([*words, "1"])
    first = capsys.readouterr().out
    assert "files are left to the other processes" in first
    main([*words, "0"])
    assert "60 bad files\n" in capsys.readouterr().out
