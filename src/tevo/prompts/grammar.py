"""The question grammar of backbones without a language model: templates beside their parser.

``parse(render(ask)) == ask`` for every ask; a text outside the grammar parses to the kind ``open`` with the whole
text as its phrase, so that free questions are still answered by similarity.
"""

import re
from dataclasses import dataclass

from tevo.structures import Span

LEVELS = {
    "when": 1,
    "what": 1,
    "before": 2,
    "after": 2,
    "first": 2,
    "last": 2,
    "count": 3,
    "duration": 3,
    "why": 4,
}
KINDS = (*LEVELS, "open")
ORDER_KINDS = ("before", "after", "first", "last")
_TEMPLATES = {
    "when": "When does this happen: {phrase}?",
    "what": "What happens between {start} s and {end} s?",
    "before": "What happens right before this: {phrase}?",
    "after": "What happens right after this: {phrase}?",
    "first": "What happens first?",
    "last": "What happens last?",
    "count": "How often does this happen: {phrase}?",
    "duration": "How long does this last: {phrase}?",
    "why": "Why does this happen: {phrase}?",
}
_PATTERNS = {
    kind: re.compile(
        re.escape(template)
        .replace(re.escape("{phrase}"), r"(?P<phrase>.+)")
        .replace(re.escape("{start}"), r"(?P<start>-?\d+(?:\.\d+)?)")
        .replace(re.escape("{end}"), r"(?P<end>-?\d+(?:\.\d+)?)"),
        re.IGNORECASE,
    )
    for kind, template in _TEMPLATES.items()
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A question taken apart: its kind, the clause it is about, the stretch of time (seconds) it names."""

    kind: str
    phrase: str = ""
    within: Span | None = None


def render(ask: Ask) -> str:
    """The question's text. Times are written to a tenth of a second."""
    if ask.kind == "open":
        return ask.phrase
    start, end = (f"{ask.within.start_s:.1f}", f"{ask.within.end_s:.1f}") if ask.within else ("", "")
    return _TEMPLATES[ask.kind].format(phrase=ask.phrase, start=start, end=end)


def parse(text: str) -> Ask:
    """Take a question's text apart; text that no template made is an ``open`` question about itself."""
    named = named_seconds(text)
    if named is not None:
        return Ask("what", within=Span(*named)) if named[0] <= named[1] else Ask("open", phrase=text)
    for kind, pattern in _PATTERNS.items():
        found = pattern.fullmatch(text.strip())
        if found is not None:
            return Ask(kind, phrase=found.groupdict().get("phrase", ""))
    return Ask("open", phrase=text)


def named_seconds(text: str) -> tuple[float, float] | None:
    """The seconds between which a *what* question asks, in the order written; None of any other text."""
    found = _PATTERNS["what"].fullmatch(text.strip())
    return (float(found["start"]), float(found["end"])) if found else None
