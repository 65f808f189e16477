"""Questions to be answered: a user's own (few columns, none of them a label), and where their videos lie."""

import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tevo.data.collection import Probing, video_name
from tevo.data.readers.annotations import REQUIRED, read_annotations
from tevo.errors import TevoError
from tevo.prompts.grammar import parse
from tevo.structures import Question
from tevo.video.index import BadVideo
from tevo.video.info import VideoInfo

VIDEO, TEXT, ID = ("vid", "video"), ("query", "question", "text"), ("qid", "id")
WANTED = '{"video": "clip.mp4", "question": "...", "options": ["...", "..."]}'


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions to be answered, and their videos by the name that ``Question.video`` says."""

    questions: list[Question]
    videos: dict[str, VideoInfo]
    bad: list[BadVideo]

    def only(self, names: Collection[str]) -> "QuestionSet":
        """The questions about these videos."""
        kept = {name: info for name, info in self.videos.items() if name in names}
        return QuestionSet([question for question in self.questions if question.video in kept], kept, self.bad)


def locate(questions: Sequence[Question], folder: Path, probing: Probing) -> QuestionSet:
    """Probe the videos that questions name by path, and name them by their path inside a folder.

    Questions about videos that cannot be read are left out; the videos are listed as bad.

    Raises:
        TevoError: when no question is left.
    """
    found = probing.paths(sorted({question.video for question in questions}))
    names = {path: video_name(os.path.abspath(path), Path(os.path.abspath(folder))) for path in found.videos}
    named = [replace(q, video=names[q.video]) for q in questions if q.video in names]
    if not named:
        reasons = "; ".join(f"{Path(bad.path).name}: {bad.reason}" for bad in found.bad[:5])
        raise TevoError(f"none of the {len(found.bad)} videos that the questions are about can be read ({reasons})")
    return QuestionSet(named, {names[path]: info for path, info in found.videos.items()}, found.bad)


def read_questions(path: str | Path, root: str | Path | None = None) -> list[Question]:
    """Read questions to answer: JSON lines of a video and a question, with options or without.

    Keys: ``video`` (or ``vid``), ``question`` (or ``query``, ``text``), and if you like ``options`` (list of
    texts), ``id`` (or ``qid``; the line's number otherwise) and ``kind``. A file whose rows have all the columns of
    an annotation file is read as one, so that its truth travels on into the predictions.

    Args:
        path: a ``.jsonl`` file.
        root: where videos are looked for that do not lie in the file's own folder.

    Returns:
        Questions in the file's order; ``Question.video`` is the path of a file that exists.

    Raises:
        TevoError: for a file that is not there or holds no question, or a row that cannot be used. The message
            names file and line, what came and what was wanted.
    """
    file = Path(path)
    if not file.is_file():
        raise TevoError(f"no question file at {file}: give a .jsonl file with lines like {WANTED}")
    rows = list(_rows(file))
    if not rows:
        raise TevoError(f"{file} holds no question: lines like {WANTED} are wanted")
    if all(set(REQUIRED) <= row.keys() for _, row in rows):
        return list(read_annotations(file).questions)
    folders = [file.parent, *([Path(root)] if root is not None and Path(root).is_dir() else [])]
    questions = [_question(row, f"{file}, line {number}", number, folders) for number, row in rows]
    lines: dict[str, int] = {}
    for (number, _), question in zip(rows, questions, strict=True):
        if question.id in lines:
            raise TevoError(
                f"{file}, line {number}: id {question.id!r} stands on line {lines[question.id]} already; "
                "give every question an id of its own"
            )
        lines[question.id] = number
    return questions


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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
            raise TevoError(f"{file}, line {number}: not JSON ({error}); lines like {WANTED} are wanted") from error
        if not isinstance(row, dict):
            raise TevoError(f"{file}, line {number}: a JSON {type(row).__name__}; lines like {WANTED} are wanted")
        yield number, row


def _question(row: dict[str, Any], where: str, number: int, folders: list[Path]) -> Question:
    video, text = _first(row, VIDEO, where), _first(row, TEXT, where)
    options = row.get("options") or []
    if not isinstance(options, list) or not all(isinstance(option, str) and option for option in options):
        raise TevoError(f"{where}: `options` is {options!r}, wanted a list of texts, [] for an open question")
    if len(options) == 1:
        raise TevoError(f"{where}: one option, {options[0]!r}; a choice needs two or more, an open question none")
    found = next((folder / video for folder in folders if (folder / video).is_file()), None)
    if found is None:
        places = " or ".join(str(folder) for folder in folders)
        raise TevoError(f"{where}: no video {video!r} in {places}; write its path relative to one of these")
    return Question(
        id=str(next((row[key] for key in ID if key in row), number)),
        video=str(found),
        text=text,
        kind=str(row.get("kind") or parse(text).kind),
        options=tuple(options),
    )


def _first(row: dict[str, Any], keys: tuple[str, ...], where: str) -> str:
    value = next((row[key] for key in keys if key in row), None)
    if not isinstance(value, str) or not value.strip():
        came = f"it is {value!r}" if value is not None else f"the columns are {', '.join(row) or 'none'}"
        raise TevoError(f"{where}: no `{keys[-1]}` ({' or '.join(keys)}): {came}; wanted a line like {WANTED}")
    return value
