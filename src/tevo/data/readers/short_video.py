"""Multiple choice about short videos: NExT-QA, Causal-VidQA, TempCompass."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tevo.data.readers.benchmark import FILE, Benchmark, Column, Layout, gathered, joined
from tevo.data.readers.grounded_qa import place_of, with_folders
from tevo.data.readers.rows import Row, read_document, read_nested, row_of
from tevo.data.readers.values import repeat, split_options

_NEXTQA = Layout(
    id=joined("video", "qid"),
    video=Column(("video",), place_of, also=("path",)),
    text="question",
    options=gathered("a0", "a1", "a2", "a3", "a4"),
    answer="answer",
    answer_as="number",
    groups={"task": "type"},
    ignored=("frame_count", "width", "height", "qid"),
)
_NEXTQA_OF_NEXTGQA = replace(  # the copy in that repository: another name for the video, answers as texts
    _NEXTQA,
    id=joined("video_id", "qid"),
    video=Column(("video_id",), place_of, also=("path",)),
    answer_as="text",
)
NEXTQA = Benchmark(
    name="nextqa",
    title="NExT-QA (multiple choice)",
    source="https://github.com/doc-doc/NExT-QA",
    layouts=(_NEXTQA, _NEXTQA_OF_NEXTGQA),
    files=("val.csv", "test.csv"),
    rows=with_folders,
    folders=("NExTVideo", "videos"),
    sizes={"val": 4996, "test": 8564},
)

# In the order of the official keys, VIDEO_0 to VIDEO_5.
_CAUSAL = (
    ("D", "descriptive", "answer"),
    ("E", "explanatory", "answer"),
    ("PA", "predictive", "answer"),
    ("PR", "predictive", "reason"),
    ("CA", "counterfactual", "answer"),
    ("CR", "counterfactual", "reason"),
)


def _causal_rows(file: Path) -> Iterator[Row]:
    """The six questions of a video; ``answer.json`` beside its ``text.json`` says which options are right."""
    video = file.parent.name
    texts, beside = read_document(file), file.with_name("answer.json")
    answers = read_document(beside) if beside.is_file() else {}
    for number, (task, part, column) in enumerate(_CAUSAL):
        found = texts.get(part) if isinstance(texts, dict) else None
        right = answers.get(part) if isinstance(answers, dict) else None
        if not isinstance(found, dict):
            yield Row(task, problem=f"`{part}` is {repeat(found)}, wanted a question and its options")
            continue
        row = {"id": f"{video}_{number}", "video": video, "type": task, "question": found.get("question")}
        row |= {"options": found.get(column), "right": right.get(column) if isinstance(right, dict) else None}
        yield Row(task, row)


CAUSAL_VIDQA = Benchmark(
    name="causal_vidqa",
    title="Causal-VidQA",
    source="https://github.com/bcmi/Causal-VidQA",
    layouts=(
        Layout(
            id="id",
            video="video",
            text="question",
            options="options",
            answer="right",
            answer_as="number",
            groups={"task": "type"},
        ),
    ),
    files=("*/text.json", "QA/*/text.json"),
    rows=_causal_rows,
)

_ASPECT_LINE = re.compile(r"\s*(?:Option|Sentence|Caption) (?:\d|[A-Z]):\s*(.+)")


def _tempcompass_rows(file: Path) -> Iterator[Row]:
    yield from read_nested(file, _by_aspect)


def _by_aspect(content: Mapping[str, Any]) -> Iterator[Row]:
    for video, aspects in content.items():
        for aspect, rows in aspects.items() if isinstance(aspects, dict) else [("", aspects)]:
            for number, row in enumerate(rows if isinstance(rows, list) else [rows] if rows else []):
                where = f"video {repeat(video)}, {repeat(aspect)}, question {number + 1}"
                yield row_of(where, row, {"video": video, "aspect": aspect, "place": number})


def _choice(file: str, question: str) -> tuple[str, tuple[str, ...]]:
    """The question alone and its options, as each of the four files writes them."""
    if file == "yes_no":
        return question, ("yes", "no")
    if file == "captioning":
        return question, ()
    if file == "caption_matching":
        lines = question.split("\n")
        options = [match[1] for line in lines if (match := _ASPECT_LINE.fullmatch(line))]
        return "\n".join(line for line in lines if not _ASPECT_LINE.fullmatch(line)), tuple(options)
    return split_options(question)


def _right(file: str, question: str, answer: str) -> str:
    """The right option's text."""
    if file == "caption_matching" and (match := _ASPECT_LINE.fullmatch(answer)):
        return match[1]
    return answer


TEMPCOMPASS = Benchmark(
    name="tempcompass",
    title="TempCompass",
    source="https://github.com/llyx97/TempCompass",
    layouts=(
        Layout(
            id=joined(FILE, "video", "aspect", "place"),
            video="video",
            text=Column((FILE, "question"), lambda file, question: _choice(file, question)[0]),
            options=Column((FILE, "question"), lambda file, question: _choice(file, question)[1]),
            answer=Column((FILE, "question", "answer"), _right),
            groups={"task": "aspect", "form": FILE},
            extra=("question", "answer"),
        ),
    ),
    files=("[cmy]*.json", "questions/[cmy]*.json"),
    rows=_tempcompass_rows,
    sizes={"all": 7540, "multi-choice": 1580, "yes_no": 2453, "caption_matching": 1503, "captioning": 2004},
)
