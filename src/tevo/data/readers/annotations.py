"""Reads ``annotations.jsonl``: tevo's own layout, and the rows of QVHighlights, which are part of it.

One JSON object a line. ``qid``, ``vid``, ``duration`` (seconds), ``query`` and ``relevant_windows``
(``[[start, end], ...]`` in seconds, empty when unknown) must be there; ``kind``, ``family``, ``options``,
``answer`` (one of the options) and ``start`` (pts of the first frame, seconds) may.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from tevo.errors import TevoError
from tevo.structures import Question, Span

REQUIRED = ("qid", "vid", "duration", "query", "relevant_windows")
OPTIONAL = ("kind", "family", "options", "answer", "start")
SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi")  # tried when a vid has none, as in QVHighlights
ROUNDING_S = 0.1  # assumed: a duration written with one decimal may end a little before its last span


@dataclass(frozen=True, slots=True)
class Annotations:
    """What an annotation file holds.

    Attributes:
        path: the file.
        questions: in the file's order; ``Question.video`` is the path of a file that exists.
        durations_s: length of each video in seconds, as annotated, by ``Question.video``.
        missing_videos: paths that were looked for and not found; their questions are left out.
    """

    path: Path
    questions: tuple[Question, ...]
    durations_s: dict[str, float]
    missing_videos: tuple[str, ...] = ()


def read_annotations(
    path: str | Path, root: str | Path | None = None, on_missing: Literal["error", "skip"] = "error"
) -> Annotations:
    """Read and check a whole annotation file.

    Args:
        path: a ``.jsonl`` file.
        root: folder that every ``vid`` is relative to; the file's own folder when None.
        on_missing: what to do when videos are not there: refuse, or leave their questions out and name
            them in the result.

    Raises:
        TevoError: for a file that is not there or has no rows, a row with wrong columns, a span that is
            inverted or outside the video, an id that stands twice, or missing videos. The message names
            file and line, what came and what was wanted.
    """
    file = Path(path)
    if not file.is_file():
        raise TevoError(f"no annotation file at {file}: give the path of a .jsonl file, one question a line")
    folder = Path(root) if root is not None else file.parent
    lines: dict[str, int] = {}  # qid -> line
    questions: list[Question] = []
    durations: dict[str, float] = {}
    missing: dict[str, int] = {}  # path -> line
    for number, row in json_rows(file):
        question = _question(row, f"{file}, line {number}")
        if question.id in lines:
            raise TevoError(
                f"{file}, line {number}: qid {question.id!r} stands on line {lines[question.id]} already; "
                "give every question an id of its own"
            )
        lines[question.id] = number
        video = _existing(folder, question.video)
        if video is None:
            missing.setdefault(str(folder / question.video), number)
            continue
        durations[str(video)] = float(row["duration"])
        questions.append(replace(question, video=str(video)))
    if not lines:
        raise TevoError(f"{file} holds no question: one JSON object a line is wanted, with {', '.join(REQUIRED)}")
    if missing and (on_missing == "error" or not questions):
        raise TevoError(_missing_message(file, missing, len({*durations, *missing})))
    return Annotations(file, tuple(questions), durations, tuple(missing))


def json_rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of every line that holds one.

    Raises:
        TevoError: for a file that is not text, or a line that is no JSON object.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # a JSON text may hold other line ends
    except (OSError, UnicodeDecodeError) as error:
        raise TevoError(f"{file} cannot be read as text ({error}): give a .jsonl file in UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TevoError(
                f"{file}, line {number}: not JSON ({error}), it begins {line.strip()[:60]!r}; "
                "one JSON object a line is wanted"
            ) from error
        if not isinstance(row, dict):
            raise TevoError(f"{file}, line {number}: a JSON {type(row).__name__}, wanted an object {{...}}")
        yield number, row


def _question(row: dict[str, Any], where: str) -> Question:
    _check_columns(row, where)
    options, answer = row.get("options") or [], str(row.get("answer") or "")
    if not isinstance(options, list) or not all(isinstance(option, str) and option for option in options):
        raise TevoError(f"{where}: `options` is {options!r}, wanted a list of texts, [] for an open question")
    if len(options) == 1:
        raise TevoError(f"{where}: one option, {options[0]!r}; a choice needs two or more, an open question none")
    if options and answer and answer not in options:
        raise TevoError(f"{where}: the answer {answer!r} is not among the options {options}; use the same text")
    start_s = _seconds(row.get("start", 0), f"{where}: `start`")
    duration_s = _seconds(row["duration"], f"{where}: `duration`")
    if duration_s <= 0:
        raise TevoError(f"{where}: `duration` is {duration_s:g}, wanted the length of the video in seconds, above 0")
    return Question(
        id=str(row["qid"]),
        video=str(row["vid"]),
        text=str(row["query"]),
        kind=str(row.get("kind") or ("what" if options else "when")),
        options=tuple(options),
        answer=answer,
        evidence=_spans(row["relevant_windows"], Span(start_s, start_s + duration_s), where),
        family=str(row.get("family") or ""),
    )


def _check_columns(row: dict[str, Any], where: str) -> None:
    absent = [name for name in REQUIRED if name not in row]
    if absent:
        raise TevoError(
            f"{where}: no {', '.join(f'`{name}`' for name in absent)}; the columns are {', '.join(row) or 'none'}, "
            f"wanted are {', '.join(REQUIRED)} (and, if you like, {', '.join(OPTIONAL)})"
        )
    for name in row.keys() - {*REQUIRED, *OPTIONAL}:  # other columns are let be, a slip of the pen is not
        close = [near for near in get_close_matches(name, OPTIONAL, cutoff=0.8) if near not in row]
        if close:
            raise TevoError(f"{where}: column `{name}` is not known and would be ignored; write `{close[0]}`")


def _spans(windows: object, video: Span, where: str) -> tuple[Span, ...]:
    wanted = "wanted [[start, end], ...] in seconds, [] when unknown"
    if not isinstance(windows, list):
        raise TevoError(f"{where}: `relevant_windows` is {windows!r}, {wanted}")
    spans = []
    for window in windows:
        if not isinstance(window, list) or len(window) != 2:
            raise TevoError(f"{where}: the window {window!r} is not a pair, {wanted}")
        start, end = (_seconds(bound, f"{where}: a bound of {window}") for bound in window)
        if end <= start:
            raise TevoError(f"{where}: the window {window} ends before it begins; write the earlier second first")
        if start < video.start_s - ROUNDING_S or end > video.end_s + ROUNDING_S:
            raise TevoError(
                f"{where}: the window {window} lies outside the video, which runs from {video.start_s:g} to "
                f"{video.end_s:g} s; windows are seconds of the file (a video that starts late names its `start`)"
            )
        spans.append(Span(start, end))
    return tuple(spans)


def _seconds(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TevoError(f"{what} is {value!r}, wanted a number of seconds")
    return float(value)


def find_video(folder: Path, vid: str) -> str:
    """The path of a video inside a folder, where it may be named without its suffix; of nothing where it is not there.

    Args:
        folder: that names are relative to.
        vid: as a file of questions or predictions names it.
    """
    return os.path.abspath(_existing(folder, vid) or folder / vid)


def _existing(folder: Path, vid: str) -> Path | None:
    names: Iterable[str] = (vid,) if vid.lower().endswith(SUFFIXES) else (vid, *(vid + suffix for suffix in SUFFIXES))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _missing_message(file: Path, missing: dict[str, int], num_videos: int) -> str:
    named = [f"{name} (line {number})" for name, number in list(missing.items())[:5]]
    rest = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return (
        f"{file}: {len(missing)} of its {num_videos} videos are not there: {', '.join(named)}{rest}; a `vid` is "
        "relative to the folder of the annotation file. Put the videos there, or skip their questions"
    )
