"""NExT-GQA's annotated spans by themselves: its official scorer reads these files and no other."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tevo.errors import TevoError
from tevo.structures import Question, Span

SPAN_FILES = ("gsub_val.json", "gsub_test.json")


def span_files(path: str | Path) -> list[Path]:
    """The span files that belong to a path: those of a folder, the one beside ``SPLIT.csv``, or the file itself."""
    place = Path(path)
    if place.is_dir():
        return [place / name for name in SPAN_FILES if (place / name).is_file()]
    if place.suffix.lower() == ".csv":
        beside = place.with_name(f"gsub_{place.stem}.json")
        return [beside] if beside.is_file() else []
    return [place] if place.suffix.lower() == ".json" and _is_span_file(place) else []


def nextgqa_spans(files: list[Path]) -> dict[str, Question]:
    """Questions by id, ``VIDEO_NUMBER``, with spans and nothing else; group ``split`` is the file's.

    Spans are kept as annotated, the few that begin before 0 or end after the video too; one that ends before it
    begins is an error of the file.

    Raises:
        TevoError: for a file of another layout, or an id that stands in two files.
    """
    found: dict[str, Question] = {}
    for file in files:
        content = _load(file)
        for video, annotation in content.items():
            for number, spans in annotation["location"].items():
                qid = f"{video}_{number}"
                if qid in found:
                    raise TevoError(f"{file}: question {qid!r} stands in another of {', '.join(map(str, files))} too")
                found[qid] = Question(
                    qid,
                    video,
                    "",
                    "",
                    evidence=tuple(_span(span, f"{file}, question {qid!r}") for span in spans),
                    duration_s=float(annotation["duration"]),
                    groups={"split": (file.stem.removeprefix("gsub_"),)},
                )
    return found


def with_split(question: Question, spans: Mapping[str, Question]) -> Question:
    """A question of the table with the groups that the span file gives it."""
    there = spans.get(question.id)
    return replace(question, groups={**there.groups, **question.groups}) if there else question


def _span(value: object, where: str) -> Span:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(time, int | float) for time in value):
        raise TevoError(f"{where}: the span is {value!r}, wanted [start, end] in seconds")
    try:
        return Span(float(value[0]), float(value[1]))
    except TevoError as error:
        raise TevoError(f"{where}: {error}") from error


def _load(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise TevoError(f"{file} cannot be read as JSON ({error}): fetch it again") from error
    if not _is_spans(content):
        raise TevoError(f'{file} has another layout, wanted {{video: {{"duration": 35, "location": {{...}}}}}}')
    return dict(content)


def _is_span_file(file: Path) -> bool:
    try:
        return _is_spans(json.loads(file.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return False


def _is_spans(content: object) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and all(
            isinstance(value, dict)
            and isinstance(value.get("location"), dict)
            and isinstance(value.get("duration"), int | float)
            for value in content.values()
        )
    )
