"""The words that a benchmark's question is put in: the same for every model."""

import re
from dataclasses import replace

from tevo.prompts.grammar import Ask, parse, render
from tevo.structures import Question

WORDING = {"when": render(Ask("when", "{clause}")), "choice": "{question}", "open": "{question}"}
"""What is put where spans alone are asked for, where there are options, and where there are none."""

_ASKS_WHEN = re.compile(
    r"(?:when|at (?:what|which) (?:time|moment|point)|during (?:what|which) (?:time|part|period))(?: in the video)?,?"
    r"\s+(?:(?:do|does|did|is|are|was|were|has|have|can|will)\s+)?(?P<clause>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


def put_in_words(question: Question) -> Question:
    """A question as a model is asked it.

    A benchmark of temporal grounding gives a bare sentence ("person turn a light on."), which a model would take for
    an open question: it becomes "When does this happen: person turn a light on?". A choice is put without options that
    are empty or stand there twice; what is predicted is an option's text, so that nothing else changes.
    """
    options = tuple(dict.fromkeys(option for option in question.options if option.strip()))
    if question.kind != "when" or parse(question.text).kind == "when" or not question.text.strip():
        return replace(question, options=options)
    return replace(question, options=options, text=render(Ask("when", bare_clause(question.text))))


def bare_clause(text: str) -> str:
    """What is said to happen, without the stop at its end and without "when does ..." before it."""
    line = " ".join(text.split())
    clause = line.rstrip(".?! ") or line
    found = _ASKS_WHEN.fullmatch(clause)
    return found["clause"] if found else clause
