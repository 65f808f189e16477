"""Subtitle files as timed text: SubRip, WebVTT, SubStation Alpha, and the JSON of LongVideoBench.

FFmpeg reads the first three as well, but mends in silence: it turns a cue that ends before it starts into another
stretch of time, and hangs a cue whose time line is missing onto the one before. Here such a cue is left out and
named. Text that is embedded in a video comes as packets, cue by cue (``tracks.py``), and is only cleaned here.
"""

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tevo.errors import TevoError
from tevo.structures import Span, TimedText

MAX_BYTES = 32 * 2**20  # assumed: no film has this much text
SHOWN = 60  # characters of a damaged cue that its problem repeats

_CLOCK = r"(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6})(?:[.,](\d{1,9}))?"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-{{1,2}}>\s*{_CLOCK}(?:\s.*)?")
_ASS_CLOCK = re.compile(rf"\s*{_CLOCK}\s*")
_TAG = re.compile(r"</?(?:[a-zA-Z][^<>]*|\d[\d:.]*)>")  # <i>, <font ...>, <v Bob>, <c.red>, <00:01.500>
_BRACES = re.compile(r"(\{[^{}]*\})")  # {\an8}, and with words in them where they are no override
_DRAWS = re.compile(r"\\p(\d)")  # {\p1} begins a drawing, {\p0} ends it
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a subtitle file that says nothing usable.

    Attributes:
        where: "line 12", "row 3".
        reason: what is wrong.
    """

    where: str
    reason: str


Parsed = Iterator[TimedText | Damage]


def parse_subtitles(text: str, suffix: str) -> tuple[tuple[TimedText, ...], tuple[Damage, ...]]:
    """The cues of a subtitle file in the order of their times, and what of it is damaged.

    Args:
        text: the file's text.
        suffix: ".srt", ".vtt", ".ass", ".ssa" or ".json".

    Raises:
        TevoError: for another suffix, or JSON that is cut off.
    """
    if suffix not in _PARSERS:
        raise TevoError(f"subtitles ending in {suffix!r} are not read; give one of {', '.join(_PARSERS)}")
    found = list(_PARSERS[suffix](text.replace("\r\n", "\n").replace("\r", "\n")))
    if not found:
        found = [Damage("the file", "no cues in it")]
    cues = sorted((cue for cue in found if isinstance(cue, TimedText)), key=lambda cue: cue.span)
    return tuple(cues), tuple(part for part in found if isinstance(part, Damage))


def read_text(file: Path) -> tuple[str, tuple[Damage, ...]]:
    """A subtitle file's text, whatever it is written in: UTF-8, UTF-16 with its mark, else Windows' western letters.

    Raises:
        TevoError: when it cannot be opened, or is too long to be subtitles.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise TevoError(f"{file} has more than {MAX_BYTES >> 20} MiB: these are no subtitles")
        raw = file.read_bytes()
    except OSError as error:
        raise TevoError(f"{file} cannot be read ({error.strerror}): give a subtitle file") from error
    for encoding in ("utf-16", "utf-8-sig") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return raw.decode(encoding), ()
        except UnicodeDecodeError:
            continue
    return raw.decode("cp1252", errors="replace"), (Damage("the file", "not UTF-8, read as Windows-1252"),)


def clean(text: str) -> str:
    """The words alone: no tags, no positions, no control characters; lines are joined."""
    without_tags = _BRACES.sub(lambda braces: "" if "\\" in braces[1] else braces[1], _TAG.sub("", text))
    lines = (_CONTROL.sub("", line).strip() for line in without_tags.split("\n"))
    return " ".join(line for line in lines if line)


def clean_ass(text: str) -> str:
    r"""The same for SubStation's text: drawings are no words, ``\N`` ends a line."""
    words, draws = [], False
    for part in _BRACES.split(text):
        if part.startswith("{") and "\\" in part:
            draws = _DRAWS.findall(part)[-1] != "0" if _DRAWS.search(part) else draws
        elif not draws:
            words.append(part)
    return clean("".join(words).replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " "))


def _srt(text: str) -> Parsed:
    yield from _blocks(text, 0)


def _vtt(text: str) -> Parsed:
    lines = text.split("\n")
    if not lines[0].lstrip("\ufeff").startswith("WEBVTT"):
        yield Damage("line 1", "no WEBVTT header; read all the same")
        yield from _blocks(text, 0, html.unescape)
        return
    head = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    yield from _blocks("\n".join(lines[head:]), head, html.unescape)


def _blocks(text: str, before: int, unescape: Callable[[str], str] = str) -> Parsed:
    """Cues of blocks that an empty line ends. A time line begins a cue also where that line is missing.

    Args:
        text: the blocks.
        before: lines of the file before them.
        unescape: what entities become.
    """
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if _TIMES.fullmatch(line)]
    yield from _strays(lines[: starts[0] if starts else len(lines)], before)
    for start, following in zip(starts, [*starts, len(lines)][1:], strict=True):
        end = next((n for n in range(start + 1, following) if not lines[n].strip()), following)
        if end == following < len(lines) and lines[end - 1].strip().isdecimal() and end - 1 > start:
            end -= 1  # the number of the next cue, with no empty line before it
        yield _cue(lines[start], unescape(clean("\n".join(lines[start + 1 : end]))), f"line {before + start + 1}")
        yield from _strays(lines[end:following], before + end)


def _strays(lines: list[str], before: int) -> Parsed:
    """Lines between cues that are neither a cue's number or name nor a note: they lost their time line."""
    said = [(number, line.strip()) for number, line in enumerate(lines, start=before + 1) if line.strip()]
    if not said or said[0][1].split()[0] in ("NOTE", "STYLE", "REGION", "WEBVTT"):
        return
    is_name = len(said) == 1 and (before + len(lines) == said[0][0])
    if not is_name and not all(line.isdecimal() for _, line in said):
        words = next(((number, line) for number, line in said if not line.isdecimal()), said[0])
        yield Damage(f"line {words[0]}", f"no time line for {words[1][:SHOWN]!r}")


def _cue(times: str, words: str, where: str) -> TimedText | Damage:
    found = _TIMES.fullmatch(times)
    clocks = found.groups() if found else ()
    return _timed(_seconds(clocks[:4]), _seconds(clocks[4:]), words, where)


def _timed(start_s: float, end_s: float, words: str, where: str) -> TimedText | Damage:
    if not words:
        return Damage(where, "no words")
    if end_s <= start_s:
        return Damage(where, f"{words[:SHOWN]!r} ends at {end_s:g} s, before it starts at {start_s:g} s")
    return TimedText(Span(start_s, end_s), words)


def _seconds(clock: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = clock
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0) + float(f"0.{fraction or 0}")


def _ass(text: str) -> Parsed:
    columns: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        kind, _, rest = line.partition(":")
        if kind.strip() == "Format":  # styles have one too; that of the events comes last
            columns = [name.strip().lower() for name in rest.split(",")]
        elif kind.strip() == "Dialogue":
            yield _dialogue(columns, rest, f"line {number}")


def _dialogue(columns: list[str], rest: str, where: str) -> TimedText | Damage:
    cells = dict(zip(columns, rest.split(",", len(columns) - 1), strict=False)) if columns else {}
    clocks = [_ASS_CLOCK.fullmatch(cells.get(name, "")) for name in ("start", "end")]
    if "text" not in cells or not all(clocks):
        return Damage(where, f"no start, end and text in {rest.strip()[:SHOWN]!r}")
    start_s, end_s = (_seconds(clock.groups()) for clock in clocks if clock)
    return _timed(start_s, end_s, clean_ass(cells["text"]), where)


def _json(text: str) -> Parsed:
    """``[{"start": "00:00:01.5", "end": ..., "line": ...}]`` or ``[{"timestamp": [1.5, 3.0], "text": ...}]``."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TevoError(f"subtitles that are not complete JSON ({error}): fetch them again") from error
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], start=1):
        try:
            bounds = row["timestamp"] if "timestamp" in row else (row["start"], row["end"])
            start_s, end_s = (_number(bound) for bound in bounds)
            words = clean(row["text"] if "text" in row else row["line"])
        except (KeyError, TypeError, ValueError, TevoError):
            yield Damage(f"row {number}", f"no times and text in {str(row)[:SHOWN]!r}")
        else:
            yield _timed(start_s, end_s, words, f"row {number}")


def _number(bound: object) -> float:
    if isinstance(bound, str) and (clock := _ASS_CLOCK.fullmatch(bound)):
        return _seconds(clock.groups())
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not 0 <= bound < float("inf"):
        raise ValueError(f"no second: {bound!r}")
    return float(bound)


_PARSERS: dict[str, Callable[[str], Parsed]] = {".srt": _srt, ".vtt": _vtt, ".ass": _ass, ".ssa": _ass, ".json": _json}
SUFFIXES = tuple(_PARSERS)
