"""Questions that ask for knowledge, mathematics or reasoning, with options or open."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tevo.data.readers.benchmark import NUMBER, Benchmark, Column, Layout, joined, maybe
from tevo.data.readers.onethinker import ONETHINKER
from tevo.data.readers.rows import Row, read_nested, row_of
from tevo.data.readers.values import repeat, split_options

_TRACKS = ("Perception", "Comprehension", "Adaptation")
_DISCIPLINES = ("Art", "Business", "Engineering", "Humanities", "Medicine", "Science")


def _after_videos(address: str) -> str:
    """The place in the videos' folder: rows hold the file's address on the hub."""
    return address.split("/videos/")[-1]


MMVU = Benchmark(
    name="mmvu",
    title="MMVU",
    source="https://huggingface.co/datasets/yale-nlp/MMVU",
    layouts=(
        Layout(
            id="id",
            video=Column(("video",), _after_videos),
            text="question",
            options="choices",  # all empty where the question is open
            answer=maybe("answer"),
            answer_as="letter",
            groups={
                "task": "question_type",
                "subject": Column(("metadata",), lambda metadata: metadata["subject"], optional=True),
            },
            ignored=("youtube_url",),
        ),
        ONETHINKER,
    ),
    files=("validation.json", "*.json"),
    sizes={"val": 1000},
)


def _mathqa_id(question: object, options: list[object], number: int) -> str:
    """In the multi-binary file a question stands once for each wrong option, under one id."""
    return f"{question}_{number}" if len(options) == 2 else str(question)


VIDEOMATHQA = Benchmark(
    name="videomathqa",
    title="VideoMathQA",
    source="https://huggingface.co/datasets/MBZUAI/VideoMathQA",
    layouts=(
        Layout(
            id=Column(("question_id", "options", NUMBER), _mathqa_id),
            video="videoID",
            text="question",
            options="options",
            answer="answer",
            answer_as="letter",
            groups={"task": "category", "duration": "length"},
            extra=("question_id",),
            ignored=("video_id", "steps", "url"),
        ),
        ONETHINKER,
    ),
    files=("*mcq*.parquet", "*mcq*.json", "*.parquet", "*.json", "*.jsonl"),
    sizes={"mcq": 420},
)


def _videommmu_rows(file: Path) -> Iterator[Row]:
    """Rows with the track they belong to: the key they stand under, or part of the file's path."""
    named = next((track for track in _TRACKS if track.lower() in f"{file.parent.name}/{file.stem}".lower()), None)
    for row in read_nested(file, _by_track):
        track = row.values.get("track", named)
        yield Row(row.where, {**row.values, **({"track": track} if track else {})}, row.problem)


def _by_track(content: Mapping[str, Any]) -> Iterator[Row]:
    for track, rows in content.items():
        for key, row in rows.items() if isinstance(rows, dict) else enumerate(rows):
            yield row_of(f"{repeat(track)}, {repeat(key)}", row, {"track": track})


VIDEOMMMU = Benchmark(
    name="videommmu",
    title="Video-MMMU",
    source="https://huggingface.co/datasets/lmms-lab/VideoMMMU",
    layouts=(
        Layout(
            id=joined("track", "id"),
            video="id",
            text="question",
            options=maybe("options"),
            answer="answer",
            answer_as="letter",
            groups={
                "task": "track",
                "subject": Column(("id",), lambda name: "_".join(name.split("_")[1:-1])),
                "form": maybe("question_type"),
            },
            ignored=("link_selected", "image", "qa_type"),
        ),
        ONETHINKER,
    ),
    files=("*.json", "*/*.parquet", "*.parquet"),
    rows=_videommmu_rows,
    folders=(*_DISCIPLINES, "videos"),
    sizes={"test": 900},
)
LONGVIDEO_REASON = Benchmark(
    name="longvideo_reason",
    title="LongVideo-Reason",
    source="https://huggingface.co/datasets/LongVideo-Reason/longvideo-reason",
    layouts=(
        Layout(
            video=Column(("videos",), lambda video: [video, video.split("/")[-1]]),
            text=Column(("problem",), lambda problem: split_options(problem)[0]),
            options=Column(("problem",), lambda problem: split_options(problem)[1]),
            answer="answer",
            groups={"task": maybe("problem_type")},
            ignored=("reasoning",),
        ),
        ONETHINKER,
    ),
    files=("*test*.json*", "*.parquet", "*.jsonl", "*.json"),
    folders=("longvila_videos", "videos"),
    sizes={"test": 1000},
)
VIDEO_HOLMES = Benchmark(
    name="video_holmes",
    title="Video-Holmes",
    source="https://huggingface.co/datasets/TencentARC/Video-Holmes",
    layouts=(
        Layout(
            id=joined("video ID", "Question ID"),
            video="video ID",
            text="Question",
            options="Options",
            answer="Answer",
            answer_as="letter",
            groups={"task": "Question Type"},
            extra=("Question ID",),
            ignored=("Explanation",),
        ),
    ),
    files=("test_Video-Holmes.json", "*.json"),
    folders=("videos", "videos_cropped"),
    sizes={"train": 1551, "test": 1837},
)
