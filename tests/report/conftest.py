"""A made-up run with real mp4 files: everything a report can show, nothing trained."""

import json
import math
import random

import av
import numpy as np
import pytest

from tevo.metrics import RoundResult, RunResults, write_results

OPTIONS = ["the red shape grows", "the blue shape moves to the left", "the green shape blinks", "none of these"]
KINDS = ("when", "what", "before", "after", "first", "count", "duration", "why")
VIDEO_S = 24.0


def write_video(path, shade, width=160, height=90, fps=5, seconds=VIDEO_S):
    """A disc that crosses the picture, so that every frame shows its time."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        rows, columns = np.mgrid[0:height, 0:width]
        for index in range(int(seconds * fps)):
            picture = np.full((height, width, 3), (38, 40 + shade, 70), dtype=np.uint8)
            x = width * index / (seconds * fps)
            picture[(columns - x) ** 2 + (rows - height / 2) ** 2 < 220] = (230, 80 + shade, 60)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def histogram(rng, centre):
    places = [(index + 0.5) / 10 - centre for index in range(10)]
    return [round(400 * math.exp(-(place**2) / 0.05) + rng.random() * 20) for place in places]


def make_results(root, rounds=3):
    rng = random.Random(0)
    entries = []
    for number in range(rounds + 1):
        gain = 1 - math.exp(-number / 1.2)
        metrics = {}
        for split, weight in (("test", 1.0), ("ood", 0.7)):
            for name, start, more in (
                ("mIoU", 21.9, 14),
                ("R1@0.3", 31.0, 22),
                ("R1@0.5", 16.2, 15),
                ("R1@0.7", 6.1, 8),
                ("acc", 28.4, 18),
                ("acc_gqa", 4.4, 17),
                ("acc_iou50", 3.0, 12),
            ):
                metrics[f"{split}/{name}"] = start + weight * more * gain - (2.1 if number == rounds else 0)
        drops = {
            "too easy": 610 - 90 * number,
            "spans disagree": 380,
            "evidence mismatch": 190,
            "tie": 75,
            "too hard": 240,
        }
        signals = {
            "video_dependent_share": 0.353 + 0.1 * gain,
            "dependency_gap": 0.187 + 0.12 * gain,
            "order_gap": 0.03 + 0.02 * gain,
            "necessity": 0.2 + 0.1 * gain,
            "specificity": 0.18 + 0.09 * gain,
            "parse_failure_rate": 0.0,
            "diversity": 0.71 - 0.05 * gain,
        }
        frozen = {name: value * (1 - 0.12 * gain) for name, value in signals.items()}
        if number:
            asked = 2400
            signals |= {
                "agreement_hist": histogram(rng, 0.35 + 0.1 * number),
                "coverage_hist": histogram(rng, 0.1),
                "start_hist": histogram(rng, 0.5),
                "drops": drops,
                "asked": asked,
                "kept": asked - sum(drops.values()),
                "kinds": {kind: 40 + 17 * index for index, kind in enumerate(KINDS)},
                "levels": {"1": 300, "2": 200 + 40 * number, "3": 30 * number, "4": 10 * number},
            }
        seconds = {"decode": 3.1, "encode": 9.0, "sample": 12.5, "score": 21.0, "update": 30.2 + number, "wait": 0.8}
        if number == 0:
            seconds = {"decode": 14.0, "encode": 31.0}
        entries.append(RoundResult(number, metrics, signals, frozen, seconds))
    controls = {
        "shrunk_spans": {
            "test/mIoU": 20.1,
            "test/acc_gqa": 7.1,
            "test/acc_iou50": 2.5,
            "test/acc": 28.4,
            "factor": 0.4,
        },
        "centre_prior": {"test/mIoU": 9.8, "ood/mIoU": 8.8},
    }
    spec = {
        "backbone": "clip_tiny",
        "data_root": str(root / "world" / "train"),
        "annotations": str(root / "world" / "test" / "annotations.jsonl"),
        "seed": 0,
        "rounds": rounds,
        "tevo_version": "0.1.0",
        "protocol": "official",
        "started": "2026-01-05T10:12:44",
        "videos_indexed": 160,
        "videos_bad": 3,
    }
    return RunResults(spec, tuple(entries), controls, best_round=rounds - 1)


def question_row(index, video, rng, last_round=3):
    start = rng.uniform(1, VIDEO_S - 6)
    kind = KINDS[index % len(KINDS)]
    votes = {OPTIONS[0]: 6, OPTIONS[1]: 3, OPTIONS[3]: 1} if kind != "when" else {"agree": 6, "elsewhere": 4}
    kept = index % 3 != 2
    return {
        "id": f"q{index}",
        "video": video,
        "text": f"What happens right after this: the blue shape moves to the left (take {index})?",
        "kind": kind,
        "level": 1 + index % 4,
        "options": OPTIONS if kind != "when" else [],
        "answer": OPTIONS[0] if kind != "when" else "",
        "evidence": [[start, start + 3]],
        "window": [max(start - 2, 0), start + 5],
        "votes": votes,
        "agreement": 0.6,
        "dependency": 0.31,
        "necessity": 0.22,
        "pseudo_answer": OPTIONS[0] if kind != "when" else "",
        "pseudo_evidence": [[start + 0.4, start + 2.6]],
        "round": last_round,
        "kept": kept,
        "reason": "" if kept else "spans disagree",
    }


def prediction_row(index, video, rng):
    start = rng.uniform(1, VIDEO_S - 5)
    when = index % 4 == 0
    text = "When does the red shape grow?" if when else "What does the red shape do before the green shape blinks?"
    spilling = [[VIDEO_S - 1, VIDEO_S + 3, 0.2]] if index % 5 == 0 else []
    return {
        "qid": f"test-{index}",
        "vid": video,
        "query": text,
        "options": [] if when else OPTIONS,
        "pred_answer": "" if when else OPTIONS[index % 3],
        "pred_answer_confidence": 0.62,
        "pred_relevant_windows": [[start, start + 2.5, 0.8], *spilling],
        "answer": "" if when else OPTIONS[1],
        "relevant_windows": [[start + 0.6, start + 3.2]],
        "kind": "when" if when else "before",
        "family": "size",
    }


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Ten small videos: eight to train on (one portrait), two to test on."""
    root = tmp_path_factory.mktemp("report")
    for part, number in (("train", 8), ("test", 2)):
        (root / "world" / part).mkdir(parents=True)
        for index in range(number):
            size = (90, 160) if (part, index) == ("train", 3) else (160, 90)
            write_video(root / "world" / part / f"{index:06d}.mp4", 15 * index, *size)
    return root


@pytest.fixture
def run_dir(world, tmp_path):
    """A run folder with every file in it."""
    return make_run(world, tmp_path / "run")


def make_run(root, folder):
    rng = random.Random(1)
    folder.mkdir()
    write_results(folder, make_results(root))
    write_rows(folder / "questions.jsonl", [question_row(i, f"{i % 8:06d}.mp4", rng) for i in range(40)])
    write_rows(folder / "predictions.jsonl", [prediction_row(i, f"{i % 2:06d}.mp4", rng) for i in range(12)])
    bad = [("clips/noise.mp4", "not a video"), ("clips/deep/er/empty.mp4", "empty file")]
    bad += [("x.mp4", "decode error at 10.4 s")]
    write_rows(folder / "bad_videos.jsonl", [{"path": path, "reason": reason} for path, reason in bad])
    (folder / "config.yaml").write_text("model:\n  backbone: clip_tiny\n  rounds: 3\ndata:\n  root: world/train\n")
    return folder
