"""Writes the evaluation questions of a planned scene; every answer can be had only from the video and its timing.

Answers are drawn so that their text gives nothing away: a right option is as likely as a wrong one to be a clause that
repeats, and no wrong option is a clause that never happens.
"""

import random
from collections import Counter
from typing import Any

from tevo.data.world.scene import REPEATABLE, Event, Scene
from tevo.data.world.vocabulary import Share, allowed
from tevo.prompts.grammar import LEVELS, Ask, render
from tevo.prompts.phrases import COUNTS, DURATIONS, HITS
from tevo.structures import Span

Row = dict[str, Any]
NUM_OPTIONS = 4
COUNT_SHARE = {1: 0.2, 2: 0.3, 3: 0.7, 4: 1.0}  # of the count questions kept, by number: all four equally common


def _row(rng: random.Random, ask: Ask, options: list[str], answer: str, events: list[Event]) -> Row:
    shuffled = rng.sample(options, len(options)) if ask.kind not in ("count", "duration") else options
    return {
        "query": render(ask),
        "kind": ask.kind,
        "family": events[0].family,
        "options": shuffled,
        "answer": answer,
        "relevant_windows": [[round(event.start_s, 3), round(event.end_s, 3)] for event in events],
    }


def _others(rng: random.Random, scene: Scene, right: str, banned: str = "") -> list[str] | None:
    """The right clause among three other events of the same video, or None where it has too few."""
    rest = sorted({event.phrase for event in scene.events} - {right, banned})
    return [right, *rng.sample(rest, NUM_OPTIONS - 1)] if len(rest) >= NUM_OPTIONS - 1 else None


def _what(rng: random.Random, scene: Scene) -> Row | None:
    """A stretch around one event, wider than it and free of any other; every clause is as likely as the next."""
    phrase = rng.choice(sorted({event.phrase for event in scene.events}))
    index = rng.choice([index for index, event in enumerate(scene.events) if event.phrase == phrase])
    event = scene.events[index]
    floor = scene.events[index - 1].end_s if index else 0.0
    ceiling = scene.events[index + 1].start_s if index + 1 < len(scene.events) else scene.duration_s
    start = max(floor, event.start_s - rng.uniform(0.5, 6.0))
    end = min(ceiling, event.end_s + rng.uniform(0.5, 6.0))
    options = _others(rng, scene, event.phrase)
    ask = Ask("what", within=Span(round(start, 1), round(end, 1)))
    return _row(rng, ask, options, event.phrase, [event]) if options else None


def _neighbour(rng: random.Random, scene: Scene, kind: str, once: list[Event]) -> Row | None:
    """Right before / after an event that happens once; the evidence is the neighbour."""
    step = 1 if kind == "after" else -1
    events = scene.events
    pairs = [(e, events[events.index(e) + step]) for e in once if 0 <= events.index(e) + step < len(events)]
    pairs = [(anchor, target) for anchor, target in pairs if anchor.phrase != target.phrase]
    if not pairs:
        return None
    answer = rng.choice(sorted({target.phrase for _, target in pairs}))
    anchor, target = rng.choice([pair for pair in pairs if pair[1].phrase == answer])
    options = _others(rng, scene, target.phrase, banned=anchor.phrase)
    return _row(rng, Ask(kind, anchor.phrase), options, target.phrase, [target]) if options else None


def _why(rng: random.Random, scene: Scene) -> Row | None:
    """What knocked a thing away, once: a hit by that thing, or by others that do hit in this share of the world."""
    effects = Counter(event.effect for event in scene.events if event.effect)
    hits = [event for event in scene.events if effects[event.effect] == 1]
    if not hits:
        return None
    event = rng.choice(hits)
    knocked = " ".join(event.effect.split()[:3])
    share: Share = "seen" if event.phrase in allowed("seen") else "ood"
    rest: list[str] = []
    for clauses in (allowed(share), allowed("seen")):  # ood/ has too few hits of its own
        known = sorted(c for c in clauses if c.endswith(f" {HITS}") and c not in rest)
        known = [c for c in known if c != event.phrase and not c.startswith(f"{knocked} ")]
        rest += rng.sample(known, min(len(known), NUM_OPTIONS - 1 - len(rest)))
    return _row(rng, Ask("why", event.effect), [event.phrase, *rest], event.phrase, [event])


def _count(rng: random.Random, scene: Scene) -> Row | None:
    """How often one of the things that may repeat happens; all four numbers are equally common."""
    counts = Counter(event.phrase for event in scene.events if event.phrase.split(" ", 3)[3] in REPEATABLE)
    if not counts:
        return None
    number = rng.choice(sorted(set(counts.values())))
    if rng.random() >= COUNT_SHARE[number]:
        return None
    phrase = rng.choice(sorted(p for p, n in counts.items() if n == number))
    events = [event for event in scene.events if event.phrase == phrase]
    return _row(rng, Ask("count", phrase), list(COUNTS), COUNTS[number - 1], events)


def _one(rng: random.Random, scene: Scene, kind: str) -> Row | None:
    counts = Counter(event.phrase for event in scene.events)
    once = [event for event in scene.events if counts[event.phrase] == 1]
    if kind in ("before", "after"):
        return _neighbour(rng, scene, kind, once)
    if kind in ("first", "last"):
        event = scene.events[0 if kind == "first" else -1]
        if kind == "last" and event not in once:
            return None  # what repeats is often last: the answer could be guessed
        options = _others(rng, scene, event.phrase)
        return _row(rng, Ask(kind), options, event.phrase, [event]) if options else None
    if kind == "what":
        return _what(rng, scene)
    if kind == "why":
        return _why(rng, scene)
    if kind == "count":
        return _count(rng, scene)
    if not once:
        return None
    event = rng.choice(once)
    if kind == "when":
        return _row(rng, Ask("when", event.phrase), [], "", [event])
    answer = DURATIONS[min(max(round(event.end_s - event.start_s), 2), 5) - 2]
    return _row(rng, Ask("duration", event.phrase), list(DURATIONS), answer, [event])


def ask_about(rng: random.Random, scene: Scene, num_questions: int) -> list[Row]:
    """Up to ``num_questions`` distinct questions of a scene, kinds in turn, so that no kind is crowded out."""
    rows: dict[str, Row] = {}
    kinds = list(LEVELS)
    rng.shuffle(kinds)
    for kind in kinds * 2:
        if len(rows) >= num_questions:
            break
        row = _one(rng, scene, kind)
        if row is not None:
            rows.setdefault(str(row["query"]), row)
    return list(rows.values())
