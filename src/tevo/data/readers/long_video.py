"""Multiple choice about long videos."""

from collections.abc import Iterator
from pathlib import Path

from tevo.data.readers.benchmark import FILE, NUMBER, Benchmark, Column, Layout, maybe
from tevo.data.readers.rows import Row, read_table, row_of
from tevo.data.readers.values import as_seconds, repeat, split_options

_VIDEOMME = Layout(
    id="question_id",
    video="videoID",
    text="question",
    options="options",
    answer="answer",
    answer_as="letter",
    groups={"task": "task_type", "duration": "duration", "domain": "domain", "sub_category": "sub_category"},
    ignored=("video_id", "url"),
)
VIDEOMME = Benchmark(
    name="videomme",
    title="Video-MME",
    source="https://huggingface.co/datasets/lmms-lab/Video-MME",
    layouts=(_VIDEOMME,),
    files=("*.parquet", "videomme/*.parquet", "*.jsonl", "*.json"),
    sizes={"test": 2700},
)
VIDEOMME_LONG = Benchmark(
    name="videomme_long",
    title="Video-MME (long)",
    source=VIDEOMME.source,
    layouts=VIDEOMME.layouts,
    files=VIDEOMME.files,
    keeps=lambda row: row.get("duration") == "long",
    sizes={"test": 900},
)


def _mlvu_id(task: object, number: int, given: object) -> object:
    return given or f"{task}_{number}"


MLVU = Benchmark(
    name="mlvu",
    title="MLVU",
    source="https://github.com/JUNJIE99/MLVU",
    layouts=(
        Layout(
            id=Column(("question_type", NUMBER), _mlvu_id, also=("question_id",)),
            video=Column((FILE, "video"), lambda file, video: [f"{file}/{video}", video]),
            text="question",
            options=maybe("candidates"),
            answer=maybe("answer"),
            answer_as="last_text",
            duration_s=maybe("duration"),
            groups={"task": "question_type"},
            extra=("scoring_points",),
        ),
    ),
    files=("[1-9]_*.json", "json/[1-9]_*.json", "*.json"),
    sizes={"dev": 2593, "test": 502},
)


def _lvbench_rows(file: Path) -> Iterator[Row]:
    """One row a question; the file has one a video."""
    for row in read_table(file):
        questions = row.values.get("qa")
        if row.problem or not isinstance(questions, list):
            yield Row(row.where, problem=row.problem or f"`qa` is {repeat(questions)}, wanted a list of questions")
            continue
        shared = {name: value for name, value in row.values.items() if name != "qa"}
        for number, question in enumerate(questions, start=1):
            yield row_of(f"{row.where}, question {number}", question, shared)


def _lvbench_duration_s(info: object) -> float | None:
    minutes = info.get("duration_minutes") if isinstance(info, dict) else None
    return None if minutes is None else 60 * as_seconds(minutes, "`duration_minutes`")


LVBENCH = Benchmark(
    name="lvbench",
    title="LVBench",
    source="https://huggingface.co/datasets/THUDM/LVBench",
    layouts=(
        Layout(
            id="uid",
            video="key",
            text=Column(("question",), lambda question: split_options(question)[0]),
            options=Column(("question",), lambda question: split_options(question)[1]),
            answer="answer",
            answer_as="letter",
            duration_s=Column(("video_info",), _lvbench_duration_s, optional=True),
            groups={"task": "question_type", "type": maybe("type")},
            extra=("time_reference",),
        ),
    ),
    files=("video_info.meta.jsonl", "*.jsonl"),
    rows=_lvbench_rows,
    folders=("all_videos", "videos"),
    sizes={"test": 1549},
)


def _longvideobench_options(candidates: object, *options: object) -> object:
    return [option for option in options if option not in (None, "N/A")] if candidates is None else candidates


LONGVIDEOBENCH = Benchmark(
    name="longvideobench",
    title="LongVideoBench",
    source="https://huggingface.co/datasets/longvideobench/LongVideoBench",
    layouts=(
        Layout(
            id="id",
            video=Column(("video_id",), lambda video, path: path or video, also=("video_path",)),
            text="question",
            options=Column(
                (),
                _longvideobench_options,
                also=("candidates", "option0", "option1", "option2", "option3", "option4"),
            ),
            answer=maybe("correct_choice"),
            answer_as="number",
            duration_s=maybe("duration"),
            groups={
                "duration": "duration_group",
                "task": "question_category",
                "topic": maybe("topic_category"),
                "level": maybe("level"),
            },
            extra=("subtitle_path", "starting_timestamp_for_subtitles"),
            ignored=("question_wo_referring_query", "position", "view_count"),
        ),
    ),
    files=("lvb_val.json", "*.json", "*.parquet"),
    sizes={"val": 1337, "test": 5341},
)
LSDBENCH = Benchmark(
    name="lsdbench",
    title="LSDBench",
    source="https://github.com/dvlab-research/LSDBench",
    layouts=(
        Layout(
            video="video_id",
            text="question",
            options="options",
            answer="correct_answer",
            answer_as="letter",
            window=Column(("time_range",), lambda part: [part["start"], part["end"]]),
            ignored=("original_question", "original_answer", "segment"),
        ),
    ),
    files=("mc_qa_annotations_1300.json", "test.json", "*.json"),
    sizes={"test": 1304},
)


def _file_of(path: str) -> str:
    """The last part of a path: the file's name alone is unique, and the folders are those of another machine."""
    return path.split("/")[-1]


def _vnbench_answer(option: object, text: object) -> object:
    return option or text


VNBENCH = Benchmark(
    name="vnbench",
    title="VNBench (VideoNIAH)",
    source="https://huggingface.co/datasets/Joez1717/VNBench",
    layouts=(
        Layout(
            id=Column(("video", "try"), lambda video, number: f"{_file_of(video).removesuffix('.mp4')}_{number}"),
            video=Column(("video",), _file_of),
            text="question",
            options="options",
            answer=Column((), _vnbench_answer, also=("gt_option", "gt")),
            duration_s=maybe("length"),
            groups={"task": "type", "category": Column(("type",), lambda kind: kind.split("_")[0])},
            extra=("try", "needle_time"),
        ),
    ),
    files=("VNBench-main-4try.json", "*.json"),
    folders=("VNBench_new", "videos", "video"),
    sizes={"test": 5400},
)
