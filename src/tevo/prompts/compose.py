"""Makes a question out of named events: the Questioner's choices in, text, options, answer and evidence out."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tevo.prompts.grammar import Ask, render
from tevo.prompts.phrases import COUNTS, DURATIONS, DURATIONS_S
from tevo.structures import Span

NUM_OPTIONS = 4
NEAR_S = 1.0  # assumed; an event this much longer or shorter than every duration on offer has no right answer


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

    None too where the answer would stand in the question, or where what the question names happens more than once.

    Args:
        kind: of the grammar, not ``open``.
        events: all events of the video, in order of time.
        target: index of the event that answers.
        anchor: index of the event that the question names (= target for most kinds).
        clause: chosen name of the target.
        anchor_clause: chosen name of the anchor.
        similar: clauses of the bank most like ``clause``, used as options where the video has too few events.
        rng: of the options' order.
    """
    if kind in ("when", "duration", "count"):
        return _measure(kind, events, target, clause)
    others = [named.clause for index, named in enumerate(events) if index not in (target, anchor)]
    options = _options(kind, clause, others, anchor_clause, similar, rng)
    ask = _ask(kind, events, target, anchor, clause, anchor_clause, rng)
    if options is None or ask is None:
        return None
    return Composed(render(ask), options, clause, (events[target].span,))


def _measure(kind: str, events: Sequence[Named], target: int, clause: str) -> Composed | None:
    """When, how long or how often: the kinds that name the target and ask for a figure."""
    text, span = render(Ask(kind, clause)), events[target].span
    spans = tuple(named.span for index, named in enumerate(events) if index == target or named.clause == clause)
    if kind == "count":
        return Composed(text, COUNTS, COUNTS[len(spans) - 1], spans) if len(spans) <= len(COUNTS) else None
    if len(spans) > 1:
        return None  # it happens more than once: no single span answers
    if kind == "when":
        return Composed(text, (), "", spans)
    nearest = min(DURATIONS_S, key=lambda seconds: abs(seconds - span.length_s))
    if abs(nearest - span.length_s) > NEAR_S:
        return None
    return Composed(text, DURATIONS, DURATIONS[DURATIONS_S.index(nearest)], spans)


def _ask(
    kind: str,
    events: Sequence[Named],
    target: int,
    anchor: int,
    clause: str,
    anchor_clause: str,
    rng: random.Random,
) -> Ask | None:
    """The question itself, for the kinds whose answer is the clause of the target."""
    if kind == "what":
        return Ask(kind, within=_stretch(events[target], rng))
    if kind in ("first", "last"):
        return Ask(kind) if target == (0 if kind == "first" else len(events) - 1) else None
    if anchor_clause == clause:
        return None
    if kind == "why":
        return Ask(kind, anchor_clause)
    step = {"before": -1, "after": 1}[kind]
    again = any(named.clause == anchor_clause for index, named in enumerate(events) if index not in (target, anchor))
    return None if again or target != anchor + step else Ask(kind, anchor_clause)


def _stretch(event: Named, rng: random.Random) -> Span:
    """Part of the window, with the event in it: were it the whole, its edges would tell where the event lies."""
    span, window = event.span, event.window
    start = round(span.start_s - rng.random() * (span.start_s - window.start_s), 1)
    return Span(start, max(start, round(span.end_s + rng.random() * (window.end_s - span.end_s), 1)))


def _options(
    kind: str, answer: str, others: Sequence[str], anchor_clause: str, similar: Sequence[str], rng: random.Random
) -> tuple[str, ...] | None:
    """The answer among other events of the same video; filled up from the bank where there are too few.

    A *why* question takes its options from the bank: causes of the same sort.
    """
    banned = {answer, anchor_clause}
    same_video = [] if kind == "why" else sorted(set(others) - banned)
    chosen = rng.sample(same_video, min(len(same_video), NUM_OPTIONS - 1))
    spare = [text for text in dict.fromkeys(similar) if text not in banned and text not in chosen]
    chosen += spare[: NUM_OPTIONS - 1 - len(chosen)]
    if len(chosen) < NUM_OPTIONS - 1:
        return None
    options = [answer, *chosen]
    rng.shuffle(options)
    return tuple(options)
