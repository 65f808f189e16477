"""``tevo score`` as it is typed: published predictions give the published table, bad files a clear word."""

import csv
import json
from pathlib import Path

import pytest

import tevo
from tevo.cli import main

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
GT, PRED = VECTORS / "nextgqa_gt.json", VECTORS / "nextgqa_pred.json"
OFFICIAL = json.loads((VECTORS / "nextgqa_expected.json").read_text())["printed_1dp"]


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def score(*words):
    main(["score", *map(str, words)])
    protocol = words[words.index("--protocol") + 1] if "--protocol" in words else "tevo"
    return json.loads(Path(f"score-{words[0]}-{protocol}.json").read_text())


def printed(report):
    return {name: float(value) for name, value in report["printed"].items()}


def test_published_predictions_give_the_official_table(capsys):
    report = score("nextgqa", PRED, GT, "--protocol", "official")
    assert printed(report) == OFFICIAL
    assert report["counts"]["questions"] == 1173
    assert report["counts"]["counted"] == 1045
    table = capsys.readouterr().out
    for name, value in OFFICIAL.items():
        assert [name, f"{value:.1f}"] in [line.split() for line in table.splitlines()]


def test_shares_of_the_video_are_scored_as_with_gs():
    expected = json.loads((VECTORS / "nextgqa_gs_expected.json").read_text())["full_precision"]
    report = score("nextgqa", VECTORS / "nextgqa_gs_pred.json", GT, "--protocol", "official", "--fractions", "true")
    assert report["figures"] == pytest.approx(expected, abs=1e-9)


def test_the_same_predictions_under_every_protocol_of_the_benchmark():
    reports = {name: score("nextgqa", PRED, GT, "--protocol", name) for name in ("video_zero", "zoom_zero", "tevo")}
    assert {report["counts"]["counted"] for report in reports.values()} == {1173}
    assert reports["video_zero"]["figures"]["mIoU"] < 0.434  # what is missing counts 0, other than officially
    assert reports["tevo"]["figures"]["acc_gqa"] < OFFICIAL["Acc&GQA"]
    assert reports["zoom_zero"]["figures"]["Acc"] == pytest.approx(reports["tevo"]["figures"]["acc"] / 100)


def folder_of_both_splits(folder):
    """Span files of both splits as they are published, and a table that holds the first three test questions."""
    content = json.loads(GT.read_text())
    videos = list(content)
    for split, names in (("val", videos[:90]), ("test", videos[90:])):
        (folder / f"gsub_{split}.json").write_text(json.dumps({name: content[name] for name in names}))
    header = [
        "video_id",
        "frame_count",
        "width",
        "height",
        "question",
        "answer",
        "qid",
        "type",
        *(f"a{i}" for i in range(5)),
    ]
    with (folder / "test.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for number in list(content[videos[90]]["location"])[:3]:
            writer.writerow([videos[90], 900, 320, 240, "why?", "b", number, "CW", *"abcde"])


def test_a_folder_with_both_splits_gives_the_official_table_too(tmp_path, capsys):
    folder_of_both_splits(tmp_path)
    report = score("nextgqa", PRED, tmp_path, "--protocol", "official")
    assert printed(report) == OFFICIAL
    assert report["by"]["task"]["CW"]["count"] == 3
    assert sum(split["count"] for split in report["by"]["split"].values()) == 1173
    assert "1170 questions are annotated with spans alone" in capsys.readouterr().err


def test_another_benchmark_in_its_own_layout(tmp_path):
    rows = json.loads((VECTORS / "qvhighlights_synth_gt.json").read_text())
    annotations = tmp_path / "highlight_val_release.jsonl"
    annotations.write_text("\n".join(map(json.dumps, rows)))
    report = score("qvhighlights", VECTORS / "qvhighlights_synth_pred.json", annotations, "--protocol", "official")
    brief = json.loads((VECTORS / "qvhighlights_synth_expected.json").read_text())["brief"]
    assert printed(report)["full mAP"] == brief["MR-full-mAP"]
    assert printed(report)["HL-VeryGood HIT@1"] == brief["HL-min-VeryGood-Hit1"]
    assert report["spec"]["reading"]["questions"] == 40


def test_replies_as_text_against_rows_of_ones_own(tmp_path, capsys):
    asked = {"vid": "a.mp4", "duration": 30, "query": "What happens?", "relevant_windows": [[2, 5]]}
    asked |= {"options": ["a door opens", "a pan falls"], "answer": "a pan falls"}
    Path("mine.jsonl").write_text("\n".join(json.dumps(asked | {"qid": qid}) for qid in "abc"))
    replies = {"a": "<answer>B</answer> <evidence>[2, 5]</evidence>", "b": "no idea", "d": "A"}
    Path("pred.jsonl").write_text("\n".join(json.dumps({"qid": q, "response": r}) for q, r in replies.items()) + "\n{")
    report = score("generic", "pred.jsonl", "mine.jsonl")
    assert [report["figures"][name] for name in ("acc", "mIoU")] == pytest.approx([100 / 3, 100 / 3])
    assert (report["missing_qids"], report["unknown_qids"], report["unparsed_qids"]) == (["c"], ["d"], ["b"])
    assert "line 4: not JSON" in report["problems"][0]
    assert "without a prediction: c" in capsys.readouterr().out


def test_a_judge_looks_at_the_videos(tmp_path, capsys):
    """Its figures stand in the report and in the table: those of ``tevo.load`` of the judge, asked by itself."""
    videos = Path(__file__).parents[1] / "data" / "videos" / "made"
    said = {"vid": "events7_vfr.mp4", "pred_relevant_windows": [[2, 5]]}
    rows = [{"qid": q, "query": text} | said for q, text in {"a": "the red circle grows", "b": "a dog barks"}.items()]
    Path("mine.jsonl").write_text("\n".join(json.dumps(row | {"relevant_windows": [[2, 6]]}) for row in rows))
    Path("pred.jsonl").write_text("\n".join(map(json.dumps, rows)))
    files, cache = ["generic", "pred.jsonl", "mine.jsonl"], ["--cache_dir", tmp_path / "cache"]
    report = score(*files, "--judge", "clip_tiny", "--videos", videos, *cache)
    found = report["evidence"]["models"]["the predictions"]
    asked = [row | {"kind": "when", "vid": str(videos / row["vid"])} for row in rows]
    judged = tevo.load("clip_tiny", cache_dir=tmp_path / "cache").evidence_quality(asked, progress=False)
    assert found["questions"] == 2 and report["evidence"]["judge"] == "clip_tiny"
    assert found["terms"]["quality"] == pytest.approx(sum(one.terms["quality"] for one in judged) / 2)
    table = capsys.readouterr().out
    assert "evidence, judged by clip_tiny" in table and f"{found['terms']['quality']:.3f}" in table
    for words, message in [
        (["--judge", "clip_tiny"], "give --judge MODEL and --videos FOLDER together"),
        (["--judge", "clip_tiny", "--videos", str(videos), "--fractions", "true"], "give them in seconds"),
        (["--judge", "nonesuch", "--videos", str(videos)], "is no folder and no backbone"),
    ]:
        with pytest.raises(SystemExit):
            main(["score", *files, *words])
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nextgqa", "absent.json", GT], "no prediction file at absent.json"),
        (["nextgqa", PRED, GT, "--protocol", "lmms_eval"], "not scored under 'lmms_eval'"),
        (["nextgqa", PRED, GT, "--protocol", "mine"], "protocol"),
        (["nextgqa", PRED, GT, "--confidence", "95"], "between 0 and 1"),
        (["nextgqa", PRED, "absent"], "absent"),
        (["../escape", PRED, GT], "no benchmark is called '../escape'"),
        (["qvhighlights", PRED, VECTORS / "qvhighlights_synth_gt.json"], "no prediction is for a question"),
    ],
)
def test_what_cannot_be_scored_is_one_message_and_no_file(words, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["score", *map(str, words)])
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message
    assert not list(tmp_path.rglob("*.json"))
