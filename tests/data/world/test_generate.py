"""A whole world on disk: layout, truth, the same bytes from any number of workers, and what is kept or refused."""

import json
from importlib import import_module

import pytest

from tevo.data.readers.annotations import read_annotations
from tevo.data.world import generate
from tevo.errors import TevoError
from tevo.prompts.phrases import world_phrases
from tevo.video.info import probe

module = import_module("tevo.data.world.generate")  # the room's face has a function of the same name
PARTS = ("clips", "train", "test", "ood")
FEWER = {"clips": 2, "train": 1, "test": 1, "ood": 1}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def unrendered(monkeypatch):
    """A world of a few empty files; calls are noted."""
    drawn = []

    def touch(scene, path, side_px):
        drawn.append(path.name)
        path.write_bytes(b"")

    monkeypatch.setattr(module, "write_video", touch)
    monkeypatch.setitem(module.SIZES, "tiny", FEWER)
    return drawn


def test_train_holds_videos_alone_and_the_truth_lies_outside(world):
    numbers = module.SIZES["tiny"]
    for part in PARTS:
        videos = sorted(path.name for path in (world / part).glob("*.mp4"))
        assert videos == [f"{index:06d}.mp4" for index in range(numbers[part])]
    assert {path.suffix for path in (world / "train").iterdir()} == {".mp4"}
    assert sorted(path.name for path in (world / "oracle").iterdir()) == ["ood.jsonl", "test.jsonl", "train.jsonl"]
    assert (world / "phrases.txt").read_text().split("\n")[:-1] == list(world_phrases())


def test_captions_name_every_clip(world):
    captions = lines(world / "clips" / "captions.jsonl")
    assert [row["vid"] for row in captions] == sorted(path.name for path in (world / "clips").glob("*.mp4"))
    assert {row["caption"] for row in captions} <= set(world_phrases())


@pytest.mark.parametrize("part", ["test", "ood"])
def test_annotations_are_those_that_evaluation_reads(world, part):
    found = read_annotations(world / part / "annotations.jsonl")
    assert len(found.questions) >= 5 * module.SIZES["tiny"][part]
    assert not found.missing_videos
    for question in found.questions:
        assert question.kind and question.family
        assert question.evidence
        assert question.answer in question.options or question.kind == "when"
    for path, duration in found.durations_s.items():
        assert probe(path).duration_s == pytest.approx(duration, abs=2e-3)


@pytest.mark.parametrize("part", ["train", "test", "ood"])
def test_the_oracle_scripts_every_video(world, part):
    rows = lines(world / "oracle" / f"{part}.jsonl")
    assert len(rows) == module.SIZES["tiny"][part]
    for row in rows:
        spans = [event["span"] for event in row["events"]]
        assert spans == sorted(spans)
        assert all(0 < start < end < row["duration"] for start, end in spans)
        assert ("questions" in row) == (part == "train")


def test_any_number_of_workers_draws_the_same_world(world, tmp_path, monkeypatch):
    """Fewer videos, two processes: the same bytes and the same rows as in the world drawn by one."""
    monkeypatch.setitem(module.SIZES, "tiny", FEWER)
    generate(tmp_path / "again", "tiny", seed=0, workers=2)
    kept = {
        name: content for name, content in files(world).items() if (tmp_path / "again" / name).is_file()
    }  # fmt: skip
    again = files(tmp_path / "again")
    videos = [name for name in again if name.endswith(".mp4")]
    assert len(videos) == sum(FEWER.values())
    for name in videos:
        assert again[name] == kept[name]
    for name in ("clips/captions.jsonl", "test/annotations.jsonl", "ood/annotations.jsonl", "oracle/train.jsonl"):
        assert kept[name].startswith(again[name])


def test_another_seed_is_another_world(tmp_path, unrendered):
    for seed in (0, 1):
        generate(tmp_path / str(seed), "tiny", seed=seed)
    first, second = (lines(tmp_path / seed / "oracle" / "train.jsonl") for seed in ("0", "1"))
    assert first != second


def test_a_finished_world_is_left_as_it_is(tmp_path, unrendered, capsys):
    generate(tmp_path / "world", "tiny")
    before, drawn = files(tmp_path / "world"), len(unrendered)
    generate(tmp_path / "world", "tiny")
    assert "already holds the tiny world of seed 0" in capsys.readouterr().out
    assert len(unrendered) == drawn == sum(FEWER.values())
    assert files(tmp_path / "world") == before
    with pytest.raises(TevoError, match=r"holds a finished world of its own.*delete it or name another folder"):
        generate(tmp_path / "world", "tiny", seed=1)
    assert files(tmp_path / "world") == before


@pytest.mark.parametrize("stop_at", [1, 4])
def test_an_interrupted_world_is_made_again(tmp_path, unrendered, monkeypatch, stop_at):
    touch = module.write_video

    def stop(scene, path, side_px):
        if len(unrendered) == stop_at:
            raise KeyboardInterrupt
        touch(scene, path, side_px)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_video", stop)
        with pytest.raises(KeyboardInterrupt):
            generate(tmp_path / "world", "tiny")
    assert not (tmp_path / "world" / "world.json").exists()
    (tmp_path / "world" / "train" / "leftover.mp4").parent.mkdir(exist_ok=True)
    (tmp_path / "world" / "train" / "leftover.mp4").write_bytes(b"half a video")
    generate(tmp_path / "world", "tiny")
    generate(tmp_path / "whole", "tiny")
    assert files(tmp_path / "world") == files(tmp_path / "whole")


def test_a_stamp_cut_short_is_no_finished_world(tmp_path, unrendered):
    generate(tmp_path / "world", "tiny")
    stamp = tmp_path / "world" / "world.json"
    stamp.write_text(stamp.read_text()[:9])
    drawn = len(unrendered)
    generate(tmp_path / "world", "tiny")
    assert len(unrendered) == 2 * drawn


def test_a_folder_of_somebody_elses_is_refused(tmp_path, unrendered):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "mine.mp4").write_bytes(b"precious")
    with pytest.raises(TevoError, match="not empty and was not made by tevo world; name another folder"):
        generate(tmp_path, "tiny")
    assert files(tmp_path) == {"train/mine.mp4": b"precious"}
    with pytest.raises(TevoError, match="is a file; name a folder"):
        generate(tmp_path / "train" / "mine.mp4", "tiny")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"size": "huge"}, "no world size 'huge'; choose one of tiny, small, full"), ({"workers": 0}, "got workers = 0")],
)
def test_bad_arguments_are_named(tmp_path, wrong, message):
    with pytest.raises(TevoError, match=message):
        generate(tmp_path / "world", **wrong)
    assert not (tmp_path / "world").exists()


def test_the_full_size_is_as_large_as_the_tables_need():
    full = module.SIZES["full"]
    assert full["train"] >= 800
    assert full["test"] >= 200
    assert full["ood"] >= 200
