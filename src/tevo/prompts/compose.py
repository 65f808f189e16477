"""Makes a question out of named events: the Questioner's choices in, text, options, answer and evidence out."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tevo.prompts.grammar import ORDER_KINDS, Ask, render
from tevo.prompts.phrases import COUNTS, DURATIONS
from tevo.structures import Span

NUM_OPTIONS = 4


@dataclass(frozen=True, slots=True)
class Named:
    """An event that the asker has seen: its span, the window it was seen in, and the clause that names it best."""

    span: Span
    window: Span
    clause: str


@dataclass(frozen=True, slots=True)
class Composed:
    """A question ready to be put."""

    text: str
    options: tuple[str, ...]
    answer: str
    evidence: tuple[Span, ...]


def compose(
    kind: str,
    events: Sequence[Named],
    target: int,
    anchor: int,
    clause: str,
    anchor_clause: str,
    similar: Sequence[str],
    rng: random.Random,
) -> Composed | None:
    """Ask about event ``target``, or None where the events do not allow this kind (the reward's format gate).

    Args:
        kind: of the grammar.
        events: all events of the video, in order of time.
        target: index of the event that answers.
        anchor: index of the event that the question names (= target for most kinds).
        clause: chosen name of the target.
        anchor_clause: chosen name of the anchor.
        similar: clauses of the bank most like ``clause``, used as options where the video has too few events.
        rng: of the options' order.
    """
    event = events[target]
    others = [named.clause for index, named in enumerate(events) if index not in (target, anchor)]
    if kind in ("when", "duration"):
        if clause in others:
            return None  # it happens more than once: no single span answers
        if kind == "when":
            return Composed(render(Ask(kind, clause)), (), "", (event.span,))
        answer = DURATIONS[min(max(round(event.span.length_s), 2), len(DURATIONS) + 1) - 2]
        return Composed(render(Ask(kind, clause)), DURATIONS, answer, (event.span,))
    if kind == "count":
        spans = [named.span for index, named in enumerate(events) if named.clause == clause or index == target]
        if len(spans) > len(COUNTS):
            return None
        return Composed(render(Ask(kind, clause)), COUNTS, COUNTS[len(spans) - 1], tuple(spans))
    options = _options(kind, clause, others, anchor_clause, similar, rng)
    if options is None:
        return None
    ask = _ask(kind, events, target, anchor, anchor_clause, others)
    return None if ask is None else Composed(render(ask), options, clause, (event.span,))


def _ask(kind: str, events: Sequence[Named], target: int, anchor: int, anchor_clause: str, others: list[str]) -> Ask | None:
    """The question itself, for the kinds whose answer is the clause of the target."""
    if kind == "what":
        window = events[target].window
        return Ask(kind, within=Span(round(window.start_s, 1), max(round(window.end_s, 1), round(window.start_s, 1))))
    if kind in ("first", "last"):
        return Ask(kind) if target == (0 if kind == "first" else len(events) - 1) else None
    if kind in ("before", "after"):
        if anchor == target or anchor_clause in others:
            return None
        return Ask(kind, anchor_clause)
    return Ask(kind, anchor_clause) if kind == "why" else None


def _options(
    kind: str, answer: str, others: Sequence[str], anchor_clause: str, similar: Sequence[str], rng: random.Random
) -> tuple[str, ...] | None:
    """The answer among other events of the same video; filled up from the bank where there are too few.

    A *why* question takes its options from the bank: causes of the same sort.
    """
    banned = {answer, anchor_clause} if kind in ORDER_KINDS or kind == "why" else {answer}
    same_video = [] if kind == "why" else sorted(set(others) - banned)
    chosen = rng.sample(same_video, min(len(same_video), NUM_OPTIONS - 1))
    spare = [text for text in similar if text not in banned and text not in chosen]
    chosen += spare[: NUM_OPTIONS - 1 - len(chosen)]
    if len(chosen) < NUM_OPTIONS - 1:
        return None
    options = [answer, *chosen]
    rng.shuffle(options)
    return tuple(options)
