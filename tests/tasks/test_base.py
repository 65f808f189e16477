"""The verbs besides fit, as a person types them, on a finished run."""

import json
import re
import shutil

import pytest
import torch
import yaml

import tevo
from tevo.cli import main
from tevo.video.info import probe

WORDS = "--config run/config.yaml --ckpt_path last --trainer.enable_progress_bar false".split()
SETTINGS = {
    "trainer": {"accelerator": "cpu", "enable_progress_bar": False, "default_root_dir": "run"},
    "model": {
        "backbone": "my_backbone.MyBackbone",
        "rounds": 1,
        "pseudo_label_epochs": 1,
        "questioner": {"min_naming": 0.0, "group": 3, "per_video": 4},
        "solver": {"group": 4, "head": {"hidden": 16, "attention_heads": 2, "relation_layers": 1}},
        "pool": {"agreement_low": 0.0, "agreement_high": 1.0},
        "votes": 4,
    },
    "data": {"root": "videos", "cache_dir": "cache", "max_frames": 24, "workers": 1},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory, world, example):
    """A folder with raw videos and nothing else, in which a fit was run; its output and its complaints."""
    root = tmp_path_factory.mktemp("place")
    shutil.copytree(world / "train", root / "videos")
    (root / "fit.yaml").write_text(yaml.safe_dump(SETTINGS))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setitem(__import__("sys").modules, "my_backbone", __import__("types").SimpleNamespace(MyBackbone=example))
        main(["fit", "--config", "fit.yaml"])
        yield root


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def inside(row, folder):
    info = probe(folder / row["vid"])
    return all(info.start_s <= start <= end <= info.end_s for start, end, _ in row["pred_relevant_windows"])


def test_a_fit_needs_raw_videos_and_nothing_else(place):
    """No oracle/, no annotations, no captions: and what it does not know it does not claim to know."""
    assert {path.suffix for path in (place / "videos").iterdir()} == {".mp4"}
    rounds = json.loads((place / "run" / "metrics.json").read_text())["rounds"]
    assert [entry["metrics"] for entry in rounds] == [{}, {}]
    rows = rows_of(place / "run" / "predictions.jsonl")
    pool = {row["id"]: row for row in rows_of(place / "run" / "questions.jsonl")}
    assert rows
    for row in rows:
        assert pool[row["qid"]]["kept"] and pool[row["qid"]]["video"] == row["vid"]
        assert not {"answer", "relevant_windows"} & row.keys()
        assert inside(row, place / "videos")


def test_a_file_of_questions_is_answered_as_the_saved_model_answers(place, world, capsys):
    options = ["the red shape grows", "the blue shape spins", "the green shape moves left"]
    asked = [
        {"video": "000003.mp4", "question": "What happens last?", "options": options, "id": "mine"},
        {"video": "000001.mp4", "question": "When does this happen: the red shape grows?"},
        {"video": "000003.mp4", "question": "What happens first?"},
        {"video": "000001.mp4", "question": "What happens between 500 s and 502 s?", "options": options},
        {"video": "damaged.mp4", "question": "What happens first?"},
    ]
    (place / "videos" / "damaged.mp4").touch()
    (place / "videos" / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    main(["predict", *WORDS, "--data.questions", "videos/questions.jsonl"])
    printed = capsys.readouterr().out

    rows = rows_of(place / "run" / "answers.jsonl")
    assert [row["qid"] for row in rows] == ["mine", "2", "3", "4"]
    assert [row["options"] for row in rows] == [options, [], [], options]
    model = tevo.load("run/hf/round-1/solver", backbone=_backbone(), cache_dir="cache")
    for row in rows[:3]:
        answer = model.answer(f"videos/{row['vid']}", row["query"], row["options"])
        assert row["pred_answer"] == (answer.answer or "")
        windows = [[s.start_s, s.end_s, p] for s, p in zip(answer.spans, answer.span_scores, strict=True)]
        assert torch.tensor(row["pred_relevant_windows"]).allclose(torch.tensor(windows), atol=1e-4)
        assert inside(row, place / "videos") and "reason" not in row
    assert rows[3]["pred_relevant_windows"] == [] and "name seconds inside the video" in rows[3]["reason"]
    assert "3 questions answered: run/answers.jsonl" in printed
    assert "damaged.mp4 cannot be read (empty file)" in printed and "asks about 500 to 502 s" in printed


def _backbone():
    import my_backbone

    return my_backbone.MyBackbone()


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_metrics_of_annotated_questions_are_printed(place, world, capsys, verb):
    before = (place / "run" / "metrics.json").read_bytes()
    annotations = world / "test" / "annotations.jsonl"
    main([verb, *WORDS, "--data.val_annotations", str(annotations)])
    printed = dict(re.findall(r"test/(\S+)\s+\S?\s+([\d.]+)", capsys.readouterr().out))
    assert {"mIoU", "acc", "acc_gqa", "acc_iou50", "R1@0.5"} <= printed.keys()

    main(["predict", *WORDS, "--data.questions", str(annotations)])
    capsys.readouterr()
    rows, truth = rows_of(place / "run" / "answers.jsonl"), rows_of(annotations)
    assert [row["answer"] for row in rows] == [row["answer"] for row in truth]
    chosen = [row["pred_answer"] == row["answer"] for row in rows if row["options"]]
    assert float(printed["acc"]) == pytest.approx(100 * sum(chosen) / len(chosen), abs=1e-3)
    assert (place / "run" / "metrics.json").read_bytes() == before


def test_a_backbone_that_reads_no_words_yet_is_refused(place, capsys, monkeypatch):
    monkeypatch.setattr(type(_backbone()), "teacher", property(lambda self: self), raising=False)
    words = [word for word in WORDS if word not in ("--ckpt_path", "last")]
    with pytest.raises(SystemExit):
        main(["predict", *words, "--data.questions", "videos/questions.jsonl"])
    assert "reads words only after phase 0 of a fit: give a checkpoint" in capsys.readouterr().err


def test_answers_of_an_untrained_model_are_called_that(place, capsys):
    (place / "videos" / "one.jsonl").write_text('{"video": "000003.mp4", "question": "What happens last?"}\n')
    words = [word for word in WORDS if word not in ("--ckpt_path", "last")]
    main(["predict", *words, "--data.questions", "videos/one.jsonl"])
    assert "the untrained model's answers: give a --ckpt_path" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", *WORDS], "give it with --data.questions FILE.jsonl"),
        (["validate", *WORDS], "give them with --data.val_annotations FILE.jsonl"),
        (["fit", "--config", "run/config.yaml", "--model.round", "2"], "model.round"),
        (["fit", "--config", "run/config.yaml", "--config", "{model: {solver: {groups: 3}}}"], "groups"),
        (["fit", "--config", "run/config.yaml", "--model.witness", "nobody"], "model.witness must be one of"),
        (["fit", "--config", "run/config.yaml", "--model.backbone", "clip_tinny"], "did you mean clip_tiny"),
        (["fit", "--config", "run/config.yaml", "--ckpt_path", "foreign.ckpt"], "nothing of tevo's in it"),
        ([*"fit --config run/config.yaml --ckpt_path last --model.solver.head.hidden 32".split()], "do not fit"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_changes_nothing(place, capsys, words, said):
    before = (place / "run" / "config.yaml").read_bytes()
    state = torch.load(place / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    state.pop("tevo")
    torch.save(state, place / "foreign.ckpt")
    with pytest.raises(SystemExit):
        main(words)
    message = capsys.readouterr().err
    assert message.count("tevo: error: ") == 1 and said in message and "Traceback" not in message
    assert (place / "run" / "config.yaml").read_bytes() == before
    assert not list(place.glob("run.earlier*"))
