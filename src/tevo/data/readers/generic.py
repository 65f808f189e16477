"""Rows of the usual layouts, for any set of one's own: questions, chat messages, conversations, frame lists.

One object a line (``.jsonl``), a list of objects (``.json``), or columns under a header (``.csv``). Each of

- ``{"video": ..., "question": ..., "options": [...], "answer": ...}``, with the usual other names of these columns;
- ``{"qid": ..., "vid": ..., "query": ..., "duration": ..., "relevant_windows": [[s, e], ...]}``;
- ``{"messages": [{"role": "user", "content": [{"type": "video", "video": ...}, {"type": "text", ...}]}, ...]}``;
- ``{"video": ..., "conversations": [{"from": "human", "value": "<video> ..."}, {"from": "gpt", "value": ...}]}``;
- ``{"frames": [file, ...], "times": [second, ...], "question": ...}``.

A conversation with several turns becomes several questions.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tevo.data.readers.benchmark import NUMBER, Benchmark, Column, Layout, maybe
from tevo.data.readers.onethinker import ONETHINKER, tagged
from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.rows import Row, read_table
from tevo.data.readers.values import as_rate, repeat, split_options

_PLACEHOLDERS = ("<video>", "<image>", "<|video_pad|>")
_ASKERS, _ANSWERERS = ("human", "user"), ("gpt", "assistant", "model")


def _rows(file: Path) -> Iterator[Row]:
    for row in read_table(file):
        turns = row.values.get("messages", row.values.get("conversations"))
        if row.problem or turns is None:
            yield row
            continue
        try:
            yield from _asked(row, turns)
        except RowProblem as problem:
            yield Row(row.where, problem=problem.detail)


def _asked(row: Row, turns: object) -> Iterator[Row]:
    """One row a question that is asked in a conversation."""
    shared = {name: value for name, value in row.values.items() if name not in ("messages", "conversations")}
    said = [_said(turn) for turn in (turns if isinstance(turns, list) else [turns])]
    media = [part for _, _, parts in said for part in parts] or [_media(shared)]
    if len(media) != 1:
        raise RowProblem(Reason.BAD_VALUE, f"{len(media)} videos in one conversation; a question is about one")
    places = [place for place, (role, _, _) in enumerate(said) if role in _ASKERS]
    for number, place in enumerate(places):
        following = said[place + 1] if place + 1 < len(said) else ("", "", [])
        turn = {"question": said[place][1], "answer": following[1] if following[0] in _ANSWERERS else None}
        name = {"turn": number} if len(places) > 1 else {}
        yield Row(f"{row.where}, turn {place + 1}" if name else row.where, shared | media[0] | turn | name)
    if not places:
        raise RowProblem(Reason.BAD_VALUE, "a conversation in which nobody asks (role `user`, or from `human`)")


def _said(turn: object) -> tuple[str, str, list[dict[str, Any]]]:
    """Who speaks, the words, and the videos, of one turn."""
    if not isinstance(turn, dict):
        raise RowProblem(Reason.BAD_VALUE, f"a turn is {repeat(turn)}, wanted an object with role and content")
    role, content = str(turn.get("role", turn.get("from"))), turn.get("content", turn.get("value"))
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    if not all(isinstance(part, dict) for part in parts):
        raise RowProblem(Reason.BAD_VALUE, f"a turn's content is {repeat(content)}, wanted a text or a list of parts")
    media = [_media(part) for part in parts if part.get("type") in ("video", "video_url")]
    text = "\n".join(str(part["text"]) for part in parts if part.get("type") == "text" and part.get("text"))
    for placeholder in _PLACEHOLDERS:
        text = text.replace(placeholder, "")
    return role, text.strip(), media


def _media(part: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that name a video: a file, or pictures with a rate."""
    address = part.get("video_url")
    video = part.get("video", address.get("url") if isinstance(address, dict) else address)
    known = {name: part[name] for name in ("video_start", "video_end") if name in part}
    if isinstance(video, list):
        rate = as_rate(part.get("sample_fps", part.get("fps")))
        return known | {"frames": video, "times": [number / rate for number in range(len(video))]}
    return known | ({"video": video} if video is not None else {})


def _id(number: int, turn: object, *given: object) -> str:
    name = next((str(value) for value in given if value not in (None, "")), str(number))
    return name if turn is None else f"{name}_{turn}"


def _video(*given: object) -> object:
    """The video's name; one that stands alone in a list; the folder of the pictures."""
    video = next((value for value in given[:-1] if value not in (None, "")), None)
    if isinstance(video, list):
        if len(video) != 1:
            raise RowProblem(Reason.BAD_VALUE, f"the videos are {repeat(video)}; a question is about one")
        return video[0]
    if video is None and isinstance(given[-1], list) and given[-1]:
        return posixpath.dirname(str(given[-1][0])) or "frames"
    if video is None:
        raise RowProblem(Reason.MISSING_COLUMN, f"no {', '.join(_VIDEO)} or frames")
    return video


def _frames(frames: object, times: object) -> tuple[object, object] | None:
    return None if frames is None else (frames, times)


def _options(text: str, *given: object) -> object:
    options = next((value for value in given if value is not None), None)
    return split_options(text)[1] if options is None else options


def _text(text: str, *given: object) -> str:
    return split_options(text)[0] if all(value is None for value in given) else text


def _answer(answer: object) -> object:
    return tagged(answer) if isinstance(answer, str) else answer


def _shown(start: object, end: object) -> list[object] | None:
    return None if start is None and end is None else [start, end]


_VIDEO = ("video", "vid", "video_path", "videos", "path", "video_id")
_TEXT = ("question", "query", "text", "problem", "caption", "sentence")
_OPTIONS = ("options", "choices", "candidates")
_PLAIN = Layout(
    id=Column((NUMBER,), _id, also=("turn", "qid", "id", "question_id")),
    video=Column((), _video, also=(*_VIDEO, "frames")),
    text=Column(_TEXT, _text, choice=True, also=_OPTIONS),
    options=Column(_TEXT, _options, choice=True, also=_OPTIONS),
    answer=Column(("answer", "solution", "ans"), _answer, choice=True, optional=True),
    spans=maybe("relevant_windows", "spans", "timestamps", "timestamp", "evidence"),
    shown=Column((), _shown, also=("video_start", "video_end")),
    duration_s=maybe("duration"),
    frames=Column((), _frames, also=("frames", "times")),
    groups={"task": maybe("task", "type", "task_type", "question_type", "problem_type", "family")},
    ignored=("kind", "data_type", "system"),
)
GENERIC = Benchmark(
    name="generic",
    title="rows of a usual layout",
    source="docs/benchmarks.md",
    layouts=(ONETHINKER, _PLAIN),
    rows=_rows,
)
MOVIENET = replace(
    GENERIC,
    name="movienet",
    title="questions about films, in a usual layout",
)
