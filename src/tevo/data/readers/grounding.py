"""Temporal grounding: a sentence or a question, and the seconds that it is about."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tevo.data.readers.benchmark import Benchmark, Column, Layout, gathered, joined, maybe
from tevo.data.readers.onethinker import ONETHINKER
from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.rows import Row, read_nested, read_table, read_text, row_of
from tevo.data.readers.values import as_rate, as_seconds, repeat

_CHARADES_LINE = re.compile(r"(\S+)\s+(\S+)\s+(\S+?)\s*##(.*)")
_BETWEEN = re.compile(r"\s*(-?[\d.]+(?:e[-+]?\d+)?)\s*-\s*([\d.]+(?:e[-+]?\d+)?)\s*", re.IGNORECASE)
_BOXES = ("spatial_question", "spatial_question_2", "bboxes")  # of V-STaR; only its question of when is read
_IN_ANGLES = re.compile(r"<\s*(\d*\.?\d+)\s*>")


def moments(content: Mapping[str, Any]) -> Iterator[Row]:
    """``{video: {"duration", "timestamps", "sentences"}}`` as rows, one a moment."""
    for video, found in content.items():
        stamps, sentences = (found.get(key) if isinstance(found, dict) else None for key in ("timestamps", "sentences"))
        if not isinstance(stamps, list) or not isinstance(sentences, list) or len(stamps) != len(sentences):
            yield Row(f"video {repeat(video)}", problem=f"no timestamps and as many sentences, but {repeat(found)}")
            continue
        shared = {name: value for name, value in found.items() if name not in ("timestamps", "sentences")}
        for number, (stamp, sentence) in enumerate(zip(stamps, sentences, strict=True)):
            row = shared | {"video": video, "moment": number, "timestamp": stamp, "sentence": sentence}
            yield Row(f"video {repeat(video)}, moment {number + 1}", row)


def _charades_rows(file: Path) -> Iterator[Row]:
    if file.suffix.lower() != ".txt":
        yield from read_nested(file, _annotations_or_moments)
        return
    lengths = {
        row.values["id"]: row.values["length"]
        for table in sorted(file.parent.glob("Charades_v1_*.csv"))
        for row in read_table(table)
        if {"id", "length"} <= row.values.keys()
    }
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if found := _CHARADES_LINE.fullmatch(line.strip()):
            row = dict(zip(("video", "start", "end", "caption"), found.groups(), strict=True))
            yield Row(f"line {number}", row | ({"length": lengths[found[1]]} if found[1] in lengths else {}))
        elif line.strip():
            yield Row(f"line {number}", problem=f"{repeat(line)}, wanted: VIDEO START END##SENTENCE")


def _annotations_or_moments(content: Mapping[str, Any]) -> Iterator[Row]:
    if isinstance(content.get("annotations"), list):  # TimeChat's copy
        for number, row in enumerate(content["annotations"], start=1):
            yield row_of(f"row {number}", row)
    else:
        yield from moments(content)


def _youcook_rows(content: Mapping[str, Any]) -> Iterator[Row]:
    for video, found in content.get("database", {}).items():
        steps = found.get("annotations") if isinstance(found, dict) else None
        if not isinstance(steps, list):
            yield Row(f"video {repeat(video)}", problem=f"no list of annotations, but {repeat(found)}")
            continue
        shared = {name: value for name, value in found.items() if name != "annotations"}
        for number, step in enumerate(steps, start=1):
            where = f"video {repeat(video)}, step {number}"
            yield (
                Row(where, shared | {"video": video} | step)
                if isinstance(step, dict)
                else Row(where, problem=repeat(step))
            )


def _between(text: str, start: object) -> list[float]:
    """``13.4-28.1`` in seconds of the part shown, as seconds of the file."""
    found = _BETWEEN.fullmatch(text)
    if found is None:
        raise RowProblem(Reason.BAD_TIME, f"`answer` is {repeat(text)}, wanted START-END in seconds")
    offset_s = 0.0 if start is None else as_seconds(start, "`start`")
    return [offset_s + as_seconds(bound, "`answer`") for bound in found.groups()]


def _in_angles(answer: str) -> list[float]:
    """The first two times of ``<12.3> <45.6> because ...``, the earlier one first as in the official scorer."""
    times = sorted(float(time) for time in _IN_ANGLES.findall(answer)[:2])
    if len(times) < 2:
        raise RowProblem(Reason.BAD_TIME, f"`answer` is {repeat(answer)}, wanted <START> <END> and a text")
    return times


def _part(start: object, end: object) -> list[object] | None:
    return None if start is None and end is None else [start, end]


def _length_s(frame_count: object, fps: object) -> float:
    return round(as_seconds(frame_count, "`frame_count`") / as_rate(fps), 2)


def _length_class(frame_count: object, fps: object) -> str:
    length_s = _length_s(frame_count, fps)
    return "Short" if length_s < 60 else "Medium" if length_s < 180 else "Long"


_MOMENT = Layout(
    id=joined("video", "moment"),
    video="video",
    text="sentence",
    spans="timestamp",
    duration_s=maybe("duration"),
    ignored=("fps", "num_frames"),
)
_WINDOWS = Layout(
    id="qid",
    video="vid",
    text="query",
    spans=maybe("relevant_windows"),
    duration_s="duration",
    extra=("relevant_clip_ids", "saliency_scores"),
)

CHARADES_STA = Benchmark(
    name="charades_sta",
    title="Charades-STA",
    source="https://github.com/jiyanggao/TALL",
    layouts=(
        Layout(video="video", text="caption", spans=gathered("start", "end"), duration_s=maybe("length")),
        Layout(id="id", video="image_id", text="caption", spans="timestamp", duration_s=maybe("duration")),
        Layout(video="video", text="caption", spans="timestamp", duration_s=maybe("duration")),
        _MOMENT,
        _WINDOWS,
        ONETHINKER,
    ),
    files=("charades_sta_test.txt", "charades_sta*.txt", "*.json", "*.jsonl"),
    rows=_charades_rows,
    folders=("Charades_v1_480", "Charades_v1", "videos"),
    sizes={"train": 12408, "test": 3720},
)
ACTIVITYNET_CAPTIONS = Benchmark(
    name="activitynet_captions",
    title="ActivityNet Captions",
    source="https://cs.stanford.edu/people/ranjaykrishna/densevid",
    layouts=(_MOMENT, _WINDOWS, ONETHINKER),
    files=("val_2.json", "val_1.json", "*.json", "*.jsonl"),
    rows=partial(read_nested, unfold=moments),
    sizes={"train": 37421, "val_1": 17505, "val_2": 17031},
)
ANET_RTL = Benchmark(
    name="anet_rtl",
    title="ActivityNet-RTL",
    source="https://github.com/NVlabs/LITA",
    layouts=(
        Layout(
            id=joined("vid", "question_id"),
            video=Column(("vid",), lambda vid: [f"v_{vid}", vid]),
            text="question",
            spans=Column(("answer",), _in_angles),
            duration_s="duration",
            groups={"video": "vid"},
            extra=("answer",),
        ),
        ONETHINKER,
    ),
    sizes={"val": 229},
)
TVGBENCH = Benchmark(
    name="tvgbench",
    title="TVGBench",
    source="https://github.com/xiaomi-research/time-r1",
    layouts=(
        Layout(
            video=Column(("path",), lambda path: [path, path.split("/")[-1]]),
            text="question",
            spans=Column(("answer",), _between, also=("start",)),
            shown=Column((), _part, also=("start", "end")),
            duration_s="duration",
            groups={
                "task": "qsemtype",
                "dataset": Column(("bins",), lambda bins, name: name or bins["dataset"], also=("dataset_name",)),
            },
            ignored=("question_type", "source"),
        ),
    ),
    files=("tvgbench.json", "*.json"),
    folders=("tvgbench_data", "videos"),
    sizes={"test": 800},
)
QVHIGHLIGHTS = Benchmark(
    name="qvhighlights",
    title="QVHighlights",
    source="https://github.com/jayleicn/moment_detr",
    layouts=(_WINDOWS,),
    files=("highlight_val_release.jsonl", "highlight_test_with_gt.jsonl", "*.jsonl"),
    sizes={"train": 7218, "val": 1550, "test": 1542},
)
VSTAR = Benchmark(
    name="vstar",
    title="V-STaR (when)",
    source="https://huggingface.co/datasets/V-STaR-Bench/V-STaR",
    layouts=(
        Layout(
            video="vid",
            text="temporal_question",
            spans="timestamps",
            duration_s=Column(("frame_count", "fps"), _length_s),
            groups={"domain": "domain", "duration": Column(("frame_count", "fps"), _length_class)},
            extra=("question", "answer"),
            ignored=("width", "height", "chain", "object", *_BOXES),
        ),
    ),
    sizes={"test": 2094},
)
YOUCOOK2 = Benchmark(
    name="youcook2",
    title="YouCook2 (steps of the validation videos)",
    source="http://youcook2.eecs.umich.edu",
    layouts=(
        Layout(
            id=joined("video", "id"),
            video=Column(
                ("video", "recipe_type"),
                lambda video, recipe: [video, f"{recipe}/{video}", f"validation/{recipe}/{video}"],
            ),
            text="sentence",
            spans="segment",
            duration_s="duration",
            groups={"recipe": "recipe_type"},
            ignored=("subset", "video_url"),
        ),
    ),
    files=("youcookii_annotations_trainval.json", "*.json"),
    rows=partial(read_nested, unfold=_youcook_rows),
    keeps=lambda row: row.get("subset") == "validation",
    folders=("raw_videos", "videos"),
)
