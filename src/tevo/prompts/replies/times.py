"""Which seconds a reply points at, under every protocol: one table of parsers, and tevo's own.

A parser takes the reply and the length of the video in seconds and gives pairs ``(start, end)`` as they were
said: a protocol that keeps inverted spans gets inverted spans. No pair means that nothing was found.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tevo.prompts.replies.tags import after_last, first_tagged, last_tagged, strip_reasoning

Pair = tuple[float, float]
SpanParser = Callable[[str, float], list[Pair]]

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_NUMBER = r"\d+(?:\.\d+)?"
_LOOSE = r"\d+\.?\d*"
_TIME = rf"(?:{_CLOCK}(?:\.\d+)?|{_NUMBER})"
_SECONDS = r"\s*(?:s|secs?|seconds?)?\b"
_DASH = r"\s*(?:-|–|—|~|\bto\b)\s*"
_PLAIN = (
    re.compile(rf"[\[(]\s*({_TIME}){_SECONDS}\s*,\s*({_TIME}){_SECONDS}\s*[\])]"),  # [3.5, 10], (3.5, 10)
    re.compile(rf"(?<![\w.:-])({_TIME}){_SECONDS}{_DASH}({_TIME})(?![\d:]|\.\d)"),  # 3.5 - 10 s, 0:12 to 1:15
    re.compile(rf"\bbetween\s+({_TIME}){_SECONDS}\s+and\s+({_TIME})(?![\d:]|\.\d)", re.IGNORECASE),
)


def plain_spans(reply: str, duration_s: float) -> list[Pair]:
    """The reading of tevo: every span inside the evidence tag, or, without one, in the reply outside reasoning.

    Tags ``<evidence>``, ``<grounding>``, ``<glue>``, then ``<answer>``. Spans are ``[3.5, 10]``, ``(3.5, 10)``,
    ``3.5 - 10``, ``3.5 to 10`` or ``between 3.5 and 10``, in seconds or clock times. One that ends before it
    begins, or where it begins, points at nothing and is left out.
    """
    text = strip_reasoning(reply)
    tagged = (last_tagged(text, tag) for tag in ("evidence", "grounding", "glue", "answer"))
    text = next((inner for inner in tagged if inner is not None), text)
    for pattern in _PLAIN:
        found = [(_clock(start), _clock(end)) for start, end in pattern.findall(text)]
        if found:
            return [(start, end) for start, end in found if end > start]
    return []


def _clock(text: str) -> float:
    """Seconds of "75.5", "1:15" or "0:01:15"."""
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def charades_sta(reply: str) -> list[Pair]:
    """lmms-eval, Charades-STA: the first pair, put in order; "to" becomes a dash everywhere, inside words too.

    Only sentences with a word such as "start" or "happen" are read, if there is one.
    """
    text = reply.lower().replace("a specific example is : 20.8 - 30.0 seconds", "").replace("to", "-")
    sentences = re.split(r"[!?\n]", text)
    read = [sentence for sentence in sentences if re.search("start|end|happen", sentence)] or sentences
    for pattern in (rf"\b({_CLOCK})\s*[–-]\s*({_CLOCK})\b", rf"({_NUMBER})\s*[–-]\s*({_NUMBER})"):
        for sentence in read:
            found = re.findall(pattern, sentence)
            if found:
                return [_ordered(_clock(found[0][0]), _clock(found[0][1]))]
    clocks = [_clock(said) for sentence in read for said in re.findall(rf"\b({_CLOCK})\b", sentence)]
    firsts = [float(said[0]) for sentence in read if (said := re.findall(rf"\b({_NUMBER})\b", sentence))]
    for times in (clocks, firsts):
        if len(times) > 1:
            return [_ordered(times[0], times[1])]
    for sentence in read:
        found = re.findall(rf"({_NUMBER})\s*s?\s*[–-]\s*({_NUMBER})\s*s?", sentence)
        if found:
            return [_ordered(float(found[0][0]), float(found[0][1]))]
    return []


def _ordered(start: float, end: float) -> Pair:
    return (start, end) if end > start else (end, start)


def timelens(reply: str) -> list[Pair]:
    """lmms-eval, TimeLens: clock times two by two, else every "a - b", else "a to b", else any two numbers."""
    text = reply.lower()
    clock = r"\b(\d{1,2}:\d{2}:\d{2}(?:\.\d+)?|\d{1,2}:\d{2}(?:\.\d+)?)\b"
    clocks = [_clock(said) for said in re.findall(clock, text)]
    if len(clocks) > 1:
        return list(zip(clocks[::2], clocks[1::2], strict=False))
    for pattern in (rf"({_LOOSE})\s*-\s*({_LOOSE})", rf"({_LOOSE})\s+to\s+({_LOOSE})"):
        found = re.findall(pattern, text)
        if found:
            return [(float(start), float(end)) for start, end in found]
    numbers = [float(said) for said in re.findall(rf"\b{_LOOSE}\b", text)]
    return list(zip(numbers[::2], numbers[1::2], strict=False))


def extremewhenbench(reply: str) -> list[Pair]:
    """lmms-eval, ExtremeWhenBench: the last "a - b" or "a to b", put in order."""
    found = re.findall(rf"({_NUMBER})\s*(?:-|to|~|–|—)\s*({_NUMBER})", reply)
    return [(min(last), max(last)) for last in [tuple(map(float, found[-1]))]] if found else []


def video_zero(reply: str) -> list[Pair]:
    """Video-Zero: every "[a, b]", "a - b", "a ~ b", else "a to b", that ends after it begins."""
    text = reply.split("<grounding>")[-1].split("</grounding>")[0] if "<grounding>" in reply else reply
    text = after_last(text, "answer") or text
    patterns = (
        rf"\[?\s*({_LOOSE})\s*[,\-~]\s*({_LOOSE})\s*\]?",
        rf"({_LOOSE})\s*(?:s|seconds?)?\s*(?:to|-)\s*({_LOOSE})\s*(?:s|seconds?)?",
    )
    for pattern in patterns:
        found = [(float(start), float(end)) for start, end in re.findall(pattern, text)]
        if spans := [(start, end) for start, end in found if end > start]:
            return spans
    return []


def onethinker(reply: str) -> list[Pair]:
    """OneThinker: ``{"time": [s, e]}`` as strict JSON in ``<answer>`` (or the whole reply), two numbers."""
    said = (first_tagged(reply, "answer") or "").strip() or reply.strip()
    try:
        value = json.loads(said)
        times = value["time"]
        return [(float(times[0]), float(times[1]))] if isinstance(times, list) and len(times) == 2 else []
    except _BAD_JSON:
        return []


_BAD_JSON = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
_BAD_LITERAL = (*_BAD_JSON, SyntaxError, MemoryError)
_GLUE_SPAN = rf"\({_NUMBER},\s*{_NUMBER}\)"
_GLUE = re.compile(rf"\[(?:{_GLUE_SPAN}(?:,\s*{_GLUE_SPAN})*,?)?\]")


def zoom_zero(reply: str) -> list[Pair]:
    """Zoom-Zero: ``<glue>[(s, e), ...]</glue>`` to the letter, plain decimals, none inverted; else nothing at all."""
    said = first_tagged(reply, "glue")
    if said is None or not _GLUE.fullmatch(said.strip()):
        return []
    try:
        spans = [(float(start), float(end)) for start, end in ast.literal_eval(said.strip())]
    except _BAD_LITERAL:  # "012" is no number in Python
        return []
    return spans if all(start <= end for start, end in spans) else []


def time_r1(reply: str) -> list[Pair]:
    """Time-R1: the last "a to b" or "a and b" of the whole reply, one blank on either side."""
    found = re.findall(rf"({_LOOSE}) (?:to|and) ({_LOOSE})", reply)
    return [(float(found[-1][0]), float(found[-1][1]))] if found else []


def lita(reply: str, duration_s: float) -> list[Pair]:
    """LITA (ANet-RTL): the first two ``<t>``, clamped to the video and sorted; without two, the whole video."""
    found = [float(said) for said in re.findall(r"<(\d*\.\d+|\d+\.?)>", reply)][:2]
    if len(found) < 2:
        return [(0.0, duration_s)]
    inside = sorted(min(max(time, 0.0), duration_s) for time in found)
    return [(inside[0], inside[1])]


def v_star(answer: object) -> list[Pair]:
    """V-STaR: a list of two numbers, or a text that is one; anything else points at nothing."""
    if isinstance(answer, str):
        try:
            answer = ast.literal_eval(answer)
        except _BAD_LITERAL:
            return []
    if not isinstance(answer, list | tuple) or len(answer) != 2:
        return []
    if not all(isinstance(time, int | float) for time in answer):
        return []
    return [(float(answer[0]), float(answer[1]))]


def _stripped(parse: Callable[[str], list[Pair]]) -> SpanParser:
    return lambda reply, duration_s: parse(strip_reasoning(reply))


def _reply_only(parse: Callable[[str], list[Pair]]) -> SpanParser:
    return lambda reply, duration_s: parse(reply)


SPAN_PARSERS: Mapping[str, SpanParser] = MappingProxyType(
    {
        "tevo": plain_spans,
        "official/anet_rtl": lita,
        "official/vstar": _reply_only(v_star),
        "official/time_r1": _reply_only(time_r1),
        "video_zero": _reply_only(video_zero),
        "onethinker": _reply_only(onethinker),
        "zoom_zero": _reply_only(zoom_zero),
        "lmms_eval/charades_sta": _stripped(charades_sta),
        "lmms_eval/timelens": _stripped(timelens),
        "lmms_eval/extremewhenbench": _stripped(extremewhenbench),
    }
)
"""Parser by name, ``protocol/benchmark``; lmms-eval strips reasoning first, the others do not."""
