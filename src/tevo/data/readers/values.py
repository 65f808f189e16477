"""What stands in a cell, made into what a question holds: texts, seconds, spans, options, answers."""

import math
import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from tevo.data.readers.report import Reason, RowProblem
from tevo.structures import Span

_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?([eE][-+]?\d+)?\s*")
_CLOCK = re.compile(r"\s*(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)\s*")  # h:mm:ss or mm:ss
_LABEL = re.compile(r"\s*[(\[]?([A-Z])[)\].:]\s*(.*)", re.DOTALL)
_LETTER = re.compile(r"\s*[(\[]?([A-Za-z])(?:[)\].:].*)?\s*", re.DOTALL)
_MARKUP = re.compile(
    r"</?(?:a|b|body|br|button|code|div|em|embed|font|form|h[1-6]|head|html|i|iframe|img|input|li|link|meta|object|ol|p"
    r"|pre|script|span|strong|style|sub|sup|svg|table|td|th|tr|u|ul)\b[^<>]*>",
    re.IGNORECASE,
)
SHOWN = 80  # characters of a value that a note repeats


def repeat(value: object) -> str:
    """A value as a note shows it: control characters escaped, long ones cut."""
    try:
        text = repr(value)
    except RecursionError:
        return f"a {type(value).__name__} nested too deeply"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def as_text(value: object, what: str, may_be_empty: bool = False) -> str:
    """A text; numbers are written out.

    Raises:
        RowProblem: for anything else, an empty text unless it may be, and characters that no file can hold (lone
            surrogates).
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not (may_be_empty or value.strip()):
        raise RowProblem(Reason.BAD_VALUE, f"{what} is {repeat(value)}, wanted a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RowProblem(Reason.BAD_VALUE, f"{what} is {repeat(value)}, which is no valid Unicode") from None
    return value


def as_seconds(value: object, what: str) -> float:
    """A number of seconds, also written as a text or as ``h:mm:ss``.

    Raises:
        RowProblem: for anything else, nan and infinity.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    elif isinstance(value, str) and (clock := _CLOCK.fullmatch(value)):
        hours, minutes, seconds = clock.groups()
        value = 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RowProblem(Reason.BAD_TIME, f"{what} is {repeat(value)}, wanted a number of seconds")
    try:
        seconds_s = float(value)
    except OverflowError:
        seconds_s = math.inf
    if not math.isfinite(seconds_s):
        raise RowProblem(Reason.BAD_TIME, f"{what} is {repeat(value)}, wanted a finite number of seconds")
    return seconds_s


def as_rate(value: object) -> float:
    """Pictures a second.

    Raises:
        RowProblem: for anything but a number above 0.
    """
    rate = as_seconds(value, "`fps`")
    if rate <= 0:
        raise RowProblem(Reason.BAD_TIME, f"`fps` is {repeat(value)}, wanted pictures a second, above 0")
    return rate


def as_spans(value: object, what: str) -> tuple[Span, ...]:
    """Spans, out of ``[start, end]`` or ``[[start, end], ...]`` in seconds; None and ``[]`` are none.

    Raises:
        RowProblem: for another shape, a time that is no number, or an end before its start.
    """
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise RowProblem(Reason.BAD_VALUE, f"{what} is {repeat(value)}, wanted [start, end] or a list of these")
    pairs = [value] if len(value) == 2 and not any(isinstance(item, (list, tuple)) for item in value) else value
    return tuple(as_span(pair, what) for pair in pairs)


def as_span(value: object, what: str) -> Span:
    """One span, out of ``[start, end]`` in seconds.

    Raises:
        RowProblem: as :func:`as_spans`.
    """
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise RowProblem(Reason.BAD_VALUE, f"{what} holds {repeat(value)}, wanted [start, end]")
    start_s, end_s = (as_seconds(bound, f"a bound of {what}") for bound in value)
    if end_s < start_s:
        raise RowProblem(Reason.REVERSED, f"{what} holds {repeat(value)}, which ends before it begins")
    return Span(start_s, end_s)


def as_options(value: object, what: str) -> tuple[str, ...]:
    """Options in their order, out of a list of texts, or of letters and texts (there, empty ones at the end are none).

    Raises:
        RowProblem: for another shape, a letter left out, or one option alone.
    """
    if isinstance(value, Mapping):
        letters = sorted(str(letter) for letter in value)
        if "".join(letters) != ascii_uppercase[: len(letters)]:
            raise RowProblem(Reason.BAD_VALUE, f"{what} has the letters {repeat(letters)}, wanted A, B, C, ...")
        value = [value[letter] or "" for letter in letters]
        while value and value[-1] == "":
            value.pop()
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise RowProblem(Reason.BAD_VALUE, f"{what} is {repeat(value)}, wanted a list of texts")
    options = tuple(as_text(option, f"an option in {what}", may_be_empty=True) for option in value)
    if len(options) == 1:
        raise RowProblem(Reason.NO_OPTIONS, f"{what} has one option, {repeat(options[0])}; a choice needs two")
    return without_labels(options)


def without_labels(options: Sequence[str]) -> tuple[str, ...]:
    """Options without their ``A. `` or ``(A) ``, where all have one, in order; otherwise as they are."""
    found = [_LABEL.fullmatch(option) for option in options]
    letters = "".join(match.group(1) for match in found if match)
    texts = tuple(match.group(2) for match in found if match)
    is_labelled = letters == ascii_uppercase[: len(options)] and all(texts)
    return texts if is_labelled and len(texts) == len(options) else tuple(options)


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """A question and the options that are written under it, one a line: ``A. ...``, ``(B) ...``.

    Lines that follow the options stay with the question. No two options: the text as it is, and none.
    """
    lines = text.split("\n")
    for first in range(len(lines)):
        options: list[str] = []
        while first + len(options) < len(lines):
            label = _LABEL.fullmatch(lines[first + len(options)])
            if label is None or label[1] != ascii_uppercase[len(options) : len(options) + 1] or not label[2]:
                break
            options.append(label[2].rstrip())
        if len(options) > 1:
            rest = [*lines[:first], *lines[first + len(options) :]]
            return "\n".join(rest).strip(), tuple(options)
    return text, ()


def as_answer(value: object, options: Sequence[str], answer_as: str, what: str) -> tuple[str, int, Reason | None]:
    """The right answer: its text, its number among the options (-1: none), and what is odd about it, if anything.

    Args:
        value: the cell.
        options: texts to choose from; none for an open question.
        answer_as: how it names an option (see :class:`~tevo.data.readers.benchmark.Layout`).
        what: the column, for messages.

    Raises:
        RowProblem: when the cell holds no text or number.
    """
    if value is None or (value == "" and value not in options):
        return "", -1, Reason.NO_ANSWER
    text = as_text(value, what, may_be_empty=True)
    number = _numbers(text, value, options, answer_as)
    if not options:
        return text, number, Reason.NO_OPTIONS if answer_as != "any" and number >= 0 else None
    if not 0 <= number < len(options):
        return text, -1, Reason.ODD_ANSWER
    return options[number], number, None


def _numbers(text: str, value: object, options: Sequence[str], answer_as: str) -> int:
    """Which option is meant; -1 when none is."""
    if answer_as in ("text", "last_text", "any"):
        same = [number for number, option in enumerate(options) if option == text]
        same = same or [number for number, option in enumerate(options) if _normal(option) == _normal(text)]
        if same:
            return same[-1 if answer_as == "last_text" else 0]
    may_be_letter = bool(options) or (answer_as == "letter" and text.isupper())
    if answer_as in ("letter", "any") and may_be_letter and (match := _LETTER.fullmatch(text)):
        return ascii_uppercase.index(match.group(1).upper())
    is_number = answer_as == "number" or (answer_as == "any" and bool(options) and isinstance(value, int))
    return int(text) if is_number and text.strip().isdecimal() else -1


def has_markup(text: str) -> bool:
    """Whether a text has HTML in it. It stays as it is: pages escape it, nothing executes it."""
    return _MARKUP.search(text) is not None


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
