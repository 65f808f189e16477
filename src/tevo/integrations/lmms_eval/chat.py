"""Between a chat of lmms-eval and a question of tevo: what is asked, and how the answer is written.

lmms-eval hands over a prompt. Its options are those that stand in it, one a line, since the task's scorer goes by
their letters. The question itself is the row's own, where the prompt holds it: harnesses put sentences around it that
are meant for language models. How to answer is read from the rest of the prompt.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal

from tevo.answer import Answer
from tevo.data.readers.values import split_options
from tevo.errors import TevoError
from tevo.prompts.grammar import parse
from tevo.prompts.wording import put_in_words
from tevo.structures import Question, Span

Form = Literal["letter", "moment", "tags", "text"]
"""How an answer is written: a bare letter; a sentence with a span; Zoom-Zero's tags; the answer's own words."""

COLUMNS = ("question", "query", "caption", "sentence", "problem", "description")
"""Columns of a row that may hold what is asked, however they are written; the first that the prompt repeats counts."""
_MOMENT = re.compile(r"\bstart(?:s|ing)?\b.{0,40}?\bend(?:s|ing)?\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """What one request of lmms-eval comes to.

    Attributes:
        question: to be put, in the words of :mod:`tevo.prompts.wording`; of options that read alike it has one.
        form: of the reply.
        options: all of them, as they are lettered in the prompt.
    """

    question: Question
    form: Form
    options: tuple[str, ...]


def read_request(messages: Sequence[Mapping[str, Any]], row: Mapping[str, Any], where: str) -> Request:
    """A question out of the messages that a task makes of a row.

    Args:
        messages: in lmms-eval's chat layout; what the user says counts.
        row: that they were made of.
        where: the task and the row's number, for messages.

    Raises:
        TevoError: when they show anything but one video file that is there, or ask nothing.
    """
    parts = [part for turn in messages if turn.get("role") == "user" for part in turn["content"]]
    video, shown = _video([part for part in parts if part.get("type") != "text"], where)
    prompt = "\n".join(str(part["text"]) for part in parts if part.get("type") == "text").strip()
    rest, options = split_options(prompt)
    asked = _asked(row, prompt)
    text = asked or rest
    if not text:
        raise TevoError(f"{where} asks nothing: its prompt is {prompt!r}")
    form = _form(prompt.replace(asked, "") if asked else rest, options)
    kind = "when" if not options and form in ("moment", "tags") else parse(text).kind
    question = Question(where, video, text, kind, options, shown=shown)
    return Request(put_in_words(question), form, options)


def _video(media: Sequence[Mapping[str, Any]], where: str) -> tuple[str, Span | None]:
    """The one video's file, and which part of it is shown, if only a part is."""
    kinds = [str(part.get("type")) for part in media]
    if kinds != ["video"]:
        raise TevoError(f"{where} shows {' and '.join(kinds) or 'nothing'}; tevo answers questions about one video")
    video = media[0]
    path, start, end = video.get("url"), video.get("start_time"), video.get("end_time")
    if isinstance(path, Mapping):  # the other way in which lmms-eval says it
        start, end = path.get("video_start"), path.get("video_end")
        path = path.get("url") or path.get("path")
    if not isinstance(path, str) or not Path(path).is_file():
        raise TevoError(
            f"{where}: there is no video file at {path}: put the task's videos where the task looks for them"
        )
    if (start is None) != (end is None):
        raise TevoError(f"{where} shows {path} from {start} to {end} s; wanted are both bounds, or none")
    return path, None if start is None or end is None else Span(float(start), float(end))


def _asked(row: Mapping[str, Any], prompt: str) -> str:
    """The row's own question, without options that may stand under it; "" where the prompt holds no such column."""
    columns = {str(name).lower(): value for name, value in row.items()}
    found = (columns.get(name) for name in COLUMNS)
    texts = (value.strip() for value in found if isinstance(value, str))
    return next((split_options(text)[0] for text in texts if text and text in prompt), "")


def _form(instructions: str, options: Sequence[str]) -> Form:
    if "<glue>" in instructions:
        return "tags"
    if options:
        return "letter"
    return "moment" if _MOMENT.search(instructions) else "text"


def write_answer(answer: Answer, request: Request) -> str:
    """The answer in the form that was asked for; "" where there is none in it."""
    options = request.options
    letter = ascii_uppercase[options.index(answer.answer)] if answer.answer in options else ""
    spans = [f"{_seconds(span.start_s)}, {_seconds(span.end_s)}" for span in answer.spans]
    if request.form == "letter":
        return letter
    if request.form == "tags":
        said = f"<answer>{letter}</answer>" if options else ""
        return f"{said}<glue>[{', '.join(f'({span})' for span in spans)}]</glue>"
    if request.form == "moment" or answer.answer is None:
        return f"The event happens in the {spans[0].replace(', ', ' - ')} seconds." if spans else ""
    return answer.answer


def _seconds(time_s: float) -> str:
    """Seconds in plain decimals, to the millionth, so that a score of the text is that of the number."""
    return f"{max(time_s, 0.0):.6f}".rstrip("0").rstrip(".")
