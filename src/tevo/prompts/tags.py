"""Tagged text: what stands between which tags, and where; spans of seconds as text; roles of tokens.

Nothing here knows a tokenizer: a token is the stretch of characters that it adds to the text, so its role is exact for
any of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from tevo.structures import Role, Span

_NUMBER = r"\d+(?:\.\d+)?"
_PAIR = re.compile(rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)")
_PAIRS = re.compile(rf"\s*\[\s*(?:{_PAIR.pattern}(?:\s*,\s*{_PAIR.pattern})*)?\s*\]\s*")
SLACK_S = (
    0.5  # assumed; a span that leaves the video by no more than this is cut to it, one that leaves by more is a fault
)


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between an opening and its closing tag."""

    name: str
    text: str
    start: int  # characters before its first one, in the whole text
    end: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """A text taken apart."""

    sections: tuple[Section, ...]
    faults: tuple[str, ...]

    def get(self, name: str) -> str:
        """Text of the section of that name, "" where there is none."""
        return next((section.text for section in self.sections if section.name == name), "")


def take_apart(text: str, required: Sequence[str], optional: Sequence[str] = ()) -> Tagged:
    """Find sections that follow one another and make up the whole text, and name what is wrong.

    Args:
        text: the whole text.
        required: names of tags that must occur, once each.
        optional: names of tags that may occur, once each. Sections stand in the order ``optional``, then ``required``.

    Returns:
        The sections that are whole, in order of place, and the faults: "no <x>", "<x> is not closed", "several <x>",
        "tags out of order", "text outside the tags".
    """
    sections, faults = [], []
    for name in (*optional, *required):
        opened, closed = f"<{name}>", f"</{name}>"
        start = text.find(opened)
        if start < 0:
            faults += [f"no {opened}"] if name in required else []
            continue
        end = text.find(closed, start + len(opened))
        if end < 0:
            faults.append(f"{opened} is not closed")
            continue
        if text.count(opened) > 1 or text.count(closed) > 1:
            faults.append(f"several {opened}")
        sections.append(Section(name, text[start + len(opened) : end], start + len(opened), end))
    if not faults:
        faults += _misplaced(text, sections)
    return Tagged(tuple(sorted(sections, key=lambda section: section.start)), tuple(faults))


def _misplaced(text: str, sections: Sequence[Section]) -> list[str]:
    """Whether sections that stand in the order wanted follow one another, and nothing but space is left over."""
    at, rest = 0, ""
    for section in sections:
        opening = section.start - len(f"<{section.name}>")
        if opening < at:
            return ["tags out of order"]
        rest += text[at:opening]
        at = section.end + len(f"</{section.name}>")
    return ["text outside the tags"] if (rest + text[at:]).strip() else []


def write_spans(spans: Sequence[Span], origin_s: float = 0.0) -> str:
    """``[(12.3, 15.0), (20.0, 21.5)]``: seconds since the origin, to a tenth."""
    return "[" + ", ".join(f"({span.start_s - origin_s:.1f}, {span.end_s - origin_s:.1f})" for span in spans) + "]"


def read_spans(text: str, limits: Span, origin_s: float = 0.0) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """The inverse of :func:`write_spans`, and what is wrong: a span at fault is left out.

    Args:
        text: between the tags.
        limits: the part of the video that was shown, seconds (pts).
        origin_s: pts that the text calls second 0.

    Returns:
        The spans in seconds (pts), in the order written, and the faults: "spans are not a list", "no span",
        "a span is reversed", "a span is outside the video".
    """
    if not _PAIRS.fullmatch(text):
        return (), ("spans are not a list",)
    spans, faults = [], []
    for start, end in _PAIR.findall(text):
        start_s, end_s = float(start) + origin_s, float(end) + origin_s
        if end_s < start_s:
            faults.append("a span is reversed")
        elif start_s < limits.start_s - SLACK_S or end_s > limits.end_s + SLACK_S:
            faults.append("a span is outside the video")
        else:
            spans.append(Span(start_s, end_s).clamp(limits))
    if not spans and not faults:
        faults.append("no span")
    return tuple(spans), tuple(dict.fromkeys(faults))


def token_roles(marked: Sequence[tuple[int, int, Role]], ends: Int[Tensor, "token"]) -> Int[Tensor, "token"]:
    """The role of each token: that of the first marked stretch of which it holds a character, else OTHER.

    Args:
        marked: stretches of the text (characters) and their roles.
        ends: characters of the text up to and with each token; a token that adds none is OTHER.
    """
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    roles = torch.full_like(ends, int(Role.OTHER))
    for start, end, role in reversed(marked):
        if end > start:
            roles[(starts < end) & (ends > start) & (ends > starts)] = int(role)
    return roles
