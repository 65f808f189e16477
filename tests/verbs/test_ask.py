"""``tevo ask``: what it prints, what it writes and where, and what it refuses."""

import re
import shutil
from pathlib import Path

import pytest

from tevo.cli import main

VIDEO = Path(__file__).parents[1] / "data" / "videos" / "made" / "events7_vfr.mp4"
OPTIONS = ["the red shape grows", "the blue shape blinks", "the green shape spins"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path


def ask(capsys, video, *words):
    main(["ask", str(video), *words, "--cache_dir", "cache"])
    lines = capsys.readouterr().out.strip().splitlines()
    return {line.split()[0]: line.partition(" ")[2].strip() for line in lines}


def test_it_prints_the_answer_and_writes_a_page_and_a_picture(place, capsys):
    said = ask(capsys, VIDEO, "What happens first?", "--options", *OPTIONS)
    assert re.fullmatch(r"[ABC]\) the \w+ shape \w+", said["answer"])
    assert re.fullmatch(r"\d+\.\d-\d+\.\d s \(\d\.\d\d\)", said["evidence"])
    assert 0 < float(said["confidence"]) <= 1 and said["path"] == "single pass"
    assert re.fullmatch(r"\d+ token-forwards in one look", said["cost"])
    assert "procedural world alone" in said["note"]
    page, picture = Path(said["page"]), Path(said["picture"])
    assert page.parent == picture.parent == Path("runs/ask")
    assert "What happens first?" in page.read_text() and picture.read_bytes().startswith(b"\x89PNG")


def test_a_question_of_markup_and_a_name_that_climbs_stay_text_and_inside(place, capsys):
    video = place / "in" / "..<b>..&.mp4"
    shutil.copy(VIDEO, video)
    said = ask(capsys, video, "<script>alert(1)</script>/../../x", "--out", "deep/out")
    page = Path(said["page"])
    assert page.parent == Path("deep/out") and re.fullmatch(r"b-[0-9a-f]{8}\.html", page.name)
    assert "<script" not in page.read_text()
    made = {path.relative_to(place).parts[0] for path in place.rglob("*")}
    assert made == {"in", "deep", "cache"}


def test_a_longer_way_and_subtitles(place, capsys):
    video = place / "in" / "clip.mp4"
    shutil.copy(VIDEO, video)
    (place / "in" / "clip.srt").write_text("1\n00:00:01,000 --> 00:00:04,000\nthe red shape grows\n")
    words = ["When does this happen: the red shape grows?", "--answering", "divide_and_conquer", "--subtitles", "true"]
    said = ask(capsys, video, *words)
    assert said["path"] == "divide and conquer: one chunk" and said["answer"].endswith(" s")
    assert "the red shape grows" in Path(said["page"]).read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.mp4", "What?"], "'nowhere.mp4': file not found"),
        ([str(VIDEO), " "], "write what you want to know"),
        ([str(VIDEO), "What?", "--options", "one"], "give two or more to choose from"),
        ([str(VIDEO), "What?", "--model", "clip_tny"], "'clip_tny' is no folder and no backbone: give a run"),
        ([str(VIDEO), "What?", "--model", "videomae_tiny"], "before a run has fitted its projection"),
        ([str(VIDEO), "What?", "--out", "file"], "--out file is a file"),
        ([str(VIDEO), "What?", "--answering", "thrice"], "divide_and_conquer"),
    ],
)
def test_what_cannot_be_is_refused_in_words(place, capsys, words, said):
    (place / "file").touch()
    with pytest.raises(SystemExit) as caught:
        main(["ask", *words, "--cache_dir", "cache"])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
    assert not (place / "runs").exists()
