"""Grounded question answering: an answer, and the seconds that it rests on."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tevo.data.readers.benchmark import Benchmark, Column, Layout, gathered, joined, maybe
from tevo.data.readers.rows import Row, read_document, read_table
from tevo.data.readers.values import as_seconds
from tevo.errors import TevoError

VIDEO_MAP = "map_vid_vidorID.json"  # NExT's number of a video -> the folder it lies in, in VidOR


def with_folders(file: Path) -> Iterator[Row]:
    """The rows of a file of NExT-QA or NExT-GQA; ``path`` says where the video lies, if the map is beside the file."""
    folders = _object(file.parent / VIDEO_MAP) if (file.parent / VIDEO_MAP).is_file() else {}
    for row in read_table(file):
        video = str(row.values.get("video_id", row.values.get("video", "")))
        yield Row(row.where, {**row.values, **({"path": folders[video]} if video in folders else {})}, row.problem)


def _nextgqa_rows(file: Path) -> Iterator[Row]:
    """Questions of the CSV file, with the spans that lie in ``gsub_SPLIT.json`` beside it."""
    if file.suffix.lower() != ".csv":
        yield from read_table(file)
        return
    beside = file.parent / f"gsub_{file.stem}.json"
    if not beside.is_file():
        raise TevoError(f"{file} has its spans in {beside.name}, which is not beside it: put it there")
    spans = _object(beside)
    for row in with_folders(file):
        found = spans.get(str(row.values.get("video_id"))) or {"duration": None, "location": {}}
        known = {"duration": found["duration"], "location": found["location"].get(str(row.values.get("qid")))}
        yield Row(row.where, {**row.values, **known}, row.problem)


def _object(file: Path) -> Mapping[str, Any]:
    content = read_document(file)
    if not isinstance(content, dict):
        raise TevoError(f"{file} holds a JSON {type(content).__name__}, wanted an object by video: fetch it again")
    return content


def place_of(video: object, path: object) -> list[object]:
    """Where a video of NExT may lie: in its folder of VidOR, or all in one."""
    return [video] if path is None else [path, video]


def _minutes(duration: object) -> str:
    """CG-Bench's length class: tens of minutes."""
    tens = int(as_seconds(duration, "`duration`") // 600)
    return f"{10 * tens}-{10 * tens + 10}" if tens < 6 else "60+"


NEXTGQA = Benchmark(
    name="nextgqa",
    title="NExT-GQA",
    source="https://github.com/doc-doc/NExT-GQA",
    layouts=(
        Layout(
            id=joined("video_id", "qid"),
            video=Column(("video_id",), place_of, also=("path",)),
            text="question",
            options=gathered("a0", "a1", "a2", "a3", "a4"),
            answer="answer",
            answer_as="text",
            spans="location",
            duration_s="duration",
            groups={"task": "type"},
            ignored=("frame_count", "width", "height", "qid"),
        ),
        Layout(  # the copy of VideoChat-R1, which Zoom-Zero reads
            id="id",
            video=Column(("video",), lambda video: [video, video.split("/")[-1]]),
            text="question",
            options="options",
            answer="answer",
            answer_as="letter",
            spans="glue",
            duration_s=maybe("duration"),
            groups={"task": "type"},
        ),
    ),
    files=("test.csv", "val.csv", "*.json"),
    rows=_nextgqa_rows,
    folders=("NExTVideo", "videos"),
    sizes={"val": 3358, "test": 5553},
)
REXTIME = Benchmark(
    name="rextime",
    title="ReXTime",
    source="https://huggingface.co/datasets/ReXTime/ReXTime",
    layouts=(
        Layout(
            id="qid",
            video="vid",
            text="question",
            options="options",
            answer=maybe("ans"),
            answer_as="letter",
            spans=maybe("span"),
            duration_s=maybe("duration"),
            groups={"task": maybe("category")},
            ignored=("answer",),
        ),
        Layout(  # the repository's copy: no options, enough to score predictions
            id="qid",
            video="vid",
            text="query",
            answer="ans",
            answer_as="letter",
            spans="relevant_windows",
            duration_s="duration",
        ),
    ),
    files=("rextime_val.json", "rextime_val.jsonl", "*.json", "*.jsonl"),
    folders=("activitynet", "qvhighlights", "videos"),
    sizes={"val": 921, "test": 2143},
)
CGBENCH = Benchmark(
    name="cgbench",
    title="CG-Bench",
    source="https://huggingface.co/datasets/CG-Bench/CG-Bench",
    layouts=(
        Layout(
            id="qid",
            video="video_uid",
            text="question",
            options="choices",
            answer="right_answer",
            answer_as="letter",
            spans="clue_intervals",
            duration_s="duration",
            groups={
                "task": maybe("sub_category"),
                "domain": maybe("domain"),
                "minutes": Column(("duration",), _minutes),
            },
            ignored=("answer",),
        ),
    ),
    files=("cgbench_mini.json", "cgbench.json", "*.json"),
    folders=("cg_videos_720p", "videos"),
    sizes={"mini": 3000, "full": 12129},
)
