"""One row made a question, by the layout that its columns follow."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tevo.data.readers.benchmark import NUMBER, Layout
from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.values import (
    as_answer,
    as_options,
    as_rate,
    as_seconds,
    as_span,
    as_spans,
    as_text,
    has_markup,
    repeat,
)
from tevo.data.readers.videos import VideoFolder, safe_name
from tevo.errors import TevoError
from tevo.prompts.grammar import parse
from tevo.structures import FrameList, Question, Span

EXACT_S = 1e-6  # seconds; a span that passes the end by no more than this is inside
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass
class Made:
    """A question, what is odd about it, and the name of its video when that is not there."""

    question: Question
    oddities: list[tuple[Reason, str]] = field(default_factory=list)
    missing: str = ""


def make_question(layout: Layout, row: Mapping[str, Any], folder: VideoFolder) -> Made:
    """Make a row a question and look for its video.

    Raises:
        RowProblem: when a column is missing or holds what cannot be used.
    """
    parts = _parts(layout, row)
    options = as_options(parts.get("options"), _named(layout, "options"))
    answer, number, oddity = as_answer(parts.get("answer"), options, layout.answer_as, _named(layout, "answer"))
    text = as_text(parts["text"], _named(layout, "text"), may_be_empty=True)
    evidence = as_spans(parts.get("spans"), _named(layout, "spans"))
    is_when = not options and not answer and (bool(evidence) or layout.answer is None)
    video, frames, missing = _video(parts, folder)
    groups = _groups(parts)
    shown = _span(layout, parts, "shown")
    question = Question(
        id=str(row[NUMBER]) if layout.id is None else as_text(parts["id"], _named(layout, "id")),
        video=video,
        text=text,
        kind="when" if is_when else _kind(text),
        options=options,
        answer=answer,
        evidence=evidence,
        window=_span(layout, parts, "window"),
        family=groups["task"][0] if len(groups.get("task", ())) == 1 else "",
        answer_index=number,
        duration_s=_duration_s(layout, parts),
        shown=None if set(Path(video).parts) & set(layout.cut_in) else shown,
        groups=groups,
        extra={name: row[name] for name in layout.extra if name in row},
        frames=frames,
    )
    oddities = [*_span_oddities(layout, question, shown), *_text_oddities(question)]
    if oddity is not None and not (oddity == Reason.NO_ANSWER and (is_when or question.evidence)):
        oddities.append((oddity, _answer_detail(question, oddity)))
    return Made(question, oddities, missing)


def _parts(layout: Layout, row: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a question as they stand in the row."""
    missing = [column for column in layout.required if not column.is_in(row)]
    if missing:
        names = ", ".join((" or " if column.choice else ", ").join(column.names) for column in missing)
        raise RowProblem(Reason.MISSING_COLUMN, f"no {names}")
    parts = {}
    for name, column in layout.parts.items():
        try:
            parts[name] = column.read(row)
        except RowProblem:
            raise
        except Exception as error:  # a declaration's own code, on a value that it was not made for
            values = {column_name: row.get(column_name) for column_name in column.names}
            raise RowProblem(Reason.BAD_VALUE, f"{repeat(values)} ({type(error).__name__}: {error})") from error
    return parts


def _kind(text: str) -> str:
    """What is asked, as tevo's own grammar has it; a question that is none of its own is open."""
    try:
        return parse(text).kind
    except TevoError:  # it looks like one of them and names no finite seconds
        return "open"


def _named(layout: Layout, part: str) -> str:
    """A part's columns, for messages."""
    column = layout.parts.get(part)
    return " or ".join(f"`{name}`" for name in column.names) if column is not None else part


def _span(layout: Layout, parts: Mapping[str, Any], part: str) -> Span | None:
    value = parts.get(part)
    return None if value is None else as_span(value, _named(layout, part))


def _duration_s(layout: Layout, parts: Mapping[str, Any]) -> float:
    value = parts.get("duration_s")
    if value is None:
        return 0.0
    duration_s = as_seconds(value, _named(layout, "duration_s"))
    if duration_s <= 0:
        raise RowProblem(Reason.BAD_TIME, f"{_named(layout, 'duration_s')} is {repeat(value)}, wanted more than 0 s")
    return duration_s


def _groups(parts: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    groups = {}
    for name, value in parts.items():
        values = value if isinstance(value, (list, tuple)) else (value,)
        texts = tuple(str(item) for item in values if item is not None and item != "")
        if name.startswith("group ") and texts:
            groups[name.removeprefix("group ")] = texts
    return groups


def _video(parts: Mapping[str, Any], folder: VideoFolder) -> tuple[str, FrameList | None, str]:
    """The video's path, its pictures if it is kept as such, and its name when it is not there."""
    value = parts["video"]
    names = [safe_name(name) for name in (value if isinstance(value, (list, tuple)) else (value,))]
    if not names:
        raise RowProblem(Reason.BAD_VALUE, "no video is named")
    if parts.get("frames") is not None:
        return names[0], *_frames(parts["frames"], folder)
    rate = parts.get("frame_rate")
    found = folder.find(names, may_be_folder=rate is not None)
    if found is None:
        return names[0], None, " or ".join(repeat(name) for name in names)
    if folder.root is not None and rate is not None and Path(found).is_dir():
        pictures = sorted(str(path) for path in Path(found).iterdir() if path.suffix.lower() in PICTURES)
        if not pictures:
            return found, None, f"a picture in {repeat(found)}"
        per_second = as_rate(rate)
        return found, _frame_list(pictures, [number / per_second for number in range(len(pictures))]), ""
    return found, None, ""


def _frames(value: object, folder: VideoFolder) -> tuple[FrameList, str]:
    """Pictures by name, and the name of the first that is not there."""
    if not isinstance(value, tuple) or not all(isinstance(items, list) for items in value):
        raise RowProblem(Reason.BAD_VALUE, f"the pictures are {repeat(value)}, wanted names and seconds")
    names, times = value
    safe = [safe_name(name) for name in names]
    paths = [folder.find([name]) for name in safe]
    missing = next((repeat(name) for name, path in zip(safe, paths, strict=True) if path is None), "")
    found = [path or name for name, path in zip(safe, paths, strict=True)]
    return _frame_list(found, [as_seconds(time, "the time of a picture") for time in times]), missing


def _frame_list(paths: list[str], times_s: list[float]) -> FrameList:
    try:
        return FrameList(tuple(paths), tuple(times_s))
    except TevoError as error:
        raise RowProblem(Reason.BAD_TIME, str(error)) from error


def _span_oddities(layout: Layout, question: Question, shown: Span | None) -> Iterator[tuple[Reason, str]]:
    column = layout.parts.get("spans")
    if column is not None and not question.evidence and (question.kind == "when" or not column.optional):
        yield Reason.NO_SPAN, f"{_named(layout, 'spans')} is empty"
    start_s = shown.start_s if shown else 0.0
    end_s = shown.end_s if shown else question.duration_s
    for span in question.evidence:
        if span.length_s == 0:
            yield Reason.POINT_SPAN, f"[{span.start_s:g}, {span.end_s:g}]"
        if span.start_s < start_s - EXACT_S or 0 < end_s < span.end_s - EXACT_S:
            length = f"{start_s:g} to {end_s:g} s" if end_s else f"from {start_s:g} s"
            yield Reason.OUTSIDE, f"[{span.start_s:g}, {span.end_s:g}] in a video of {length}"


def _text_oddities(question: Question) -> Iterator[tuple[Reason, str]]:
    texts = (question.text, *question.options)
    if not question.text.strip():
        yield Reason.NO_TEXT, repeat(question.text)
    if not all(option.strip() for option in question.options):
        yield Reason.EMPTY_OPTION, repeat(list(question.options))
    if marked := next((text for text in texts if has_markup(text)), None):
        yield Reason.MARKUP, f"{repeat(marked)}, kept as it is"
    if len(set(question.options)) < len(question.options):
        yield Reason.SAME_OPTIONS, repeat(list(question.options))


def _answer_detail(question: Question, oddity: Reason) -> str:
    if oddity == Reason.ODD_ANSWER:
        return f"{repeat(question.answer)} is none of {repeat(list(question.options))}; no prediction can be right"
    if oddity == Reason.NO_OPTIONS:
        return f"the answer is {repeat(question.answer)}, and there are no options to choose it from"
    return f"question {repeat(question.id)} has no answer (a hidden test set?)"
