"""A scan's rows on disk: the journal, and the table that a long journal moves into."""

import json

import pytest

from tevo.errors import TevoError
from tevo.video import manifest
from tevo.video.manifest import Manifest


def row(name, size=5, **other):
    return {"version": 1, "path": f"/videos/{name}.mp4", "size": size, "mtime_ns": 7, "timeout_s": 60.0, **other}


def good(name, size=5, duration_s=30.0):
    info = {"path": f"/videos/{name}.mp4", "start_s": 1.5, "end_s": 1.5 + duration_s, "duration_s": duration_s}
    info |= {"fps": 25.0, "num_frames": 750, "width": 640, "height": 360, "codec": "h264", "rotation": 0}
    return row(name, size, info=info | {"fingerprint": "f" * 32, "keyframes_s": [0.5, 10.25]})


def kept(path, *rows, number=0):
    place = Manifest(path, number)
    for one in rows:
        place.append(one)
    place.close()
    return place


@pytest.fixture
def path(tmp_path):
    return tmp_path / "index" / "manifest.jsonl"


@pytest.fixture
def short(monkeypatch):
    """Every journal is long enough to be moved."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(manifest, "FOLD_BYTES", 1)


def test_a_short_journal_stays_all_there_is(path):
    place = kept(path, good("a"), row("b", reason="empty file"))
    assert not place.fold()
    assert list(Manifest(path).rows()) == [good("a"), row("b", reason="empty file")]
    assert [file.name for file in path.parent.iterdir()] == ["manifest.jsonl"]


def test_a_long_journal_moves_into_a_table_and_comes_back_the_same(path, short):
    rows = [good("a"), row("b", reason="empty file"), good("c")]
    assert kept(path, *rows).fold()
    assert path.read_text() == "" and path.with_suffix(".parquet").exists()
    assert list(Manifest(path).rows()) == rows
    assert not Manifest(path).fold()  # nothing left to move


def test_later_rows_replace_earlier_ones_wherever_these_lie(path, short):
    kept(path, good("a"), good("a", size=6), good("b")).fold()
    place = kept(path, row("b", reason="timeout"), good("c"))
    by_path = {one["path"]: one for one in place.rows()}
    wanted = {one["path"]: one for one in (good("a", size=6), row("b", reason="timeout"), good("c"))}
    assert by_path == wanted
    place.fold()
    assert sorted(Manifest(path).rows(), key=lambda one: one["path"]) == list(wanted.values())  # each once


def test_only_the_duration_is_read_where_nothing_else_is_wanted(path, short):
    kept(path, good("a", duration_s=12.5), row("b", reason="empty file")).fold()
    first, second = Manifest(path).rows(whole=False)
    assert first == row("a", info={"path": "/videos/a.mp4", "duration_s": 12.5})
    assert second == row("b", reason="empty file")


def test_names_that_no_text_stands_for_stay_in_the_journal(path, short):
    odd = good("ü\udcff")
    kept(path, odd, good("a")).fold()
    assert list(Manifest(path).rows()) == [good("a"), odd]
    assert json.loads(path.read_text()) == odd


def test_every_process_writes_its_own_files_and_reads_all(path, short):
    kept(path, good("a"))
    kept(path, good("b"), number=3).fold()
    (path.parent / "manifest-copy.jsonl").write_text(json.dumps(good("x")))
    (path.parent / "paths.txt").write_text("/videos/a.mp4")
    assert {file.name for file in path.parent.iterdir()} >= {"manifest.jsonl", "manifest-3.jsonl", "manifest-3.parquet"}
    for number in (0, 3, 5):
        assert sorted(one["path"] for one in Manifest(path, number).rows()) == ["/videos/a.mp4", "/videos/b.mp4"]


def test_without_pyarrow_the_journal_stays_and_a_table_is_asked_for(path, short, monkeypatch):
    kept(path, good("a")).fold()
    monkeypatch.setattr(manifest, "find_spec", lambda name: None)
    place = kept(path, good("b"))
    assert not place.fold() and json.loads(path.read_text()) == good("b")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(TevoError, match=r"manifest\.parquet, which needs pyarrow: pip install 'tevo\[parquet\]'"):
        list(place.rows())


def test_a_damaged_table_is_refused_in_words(path):
    pytest.importorskip("pyarrow")
    path.parent.mkdir()
    path.with_suffix(".parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(TevoError, match="delete it, and its videos are probed again"):
        list(Manifest(path).rows())
