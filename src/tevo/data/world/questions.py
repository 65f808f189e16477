"""Writes the evaluation questions of a planned scene; every answer can be had only from the video and its timing.

Options are drawn so that their text gives little away: a right option is about as likely as a wrong one to be a clause
that repeats, no wrong option is a clause that never happens, and no two options of a question about order tell which of
them came first. A head trained on the text alone stays within a few points of chance, not exactly at it.
"""

import random
from collections import Counter
from typing import Any

from tevo.data.world.scene import REPEATABLE, Event, Scene
from tevo.data.world.vocabulary import Share, allowed
from tevo.prompts.grammar import LEVELS, Ask, render
from tevo.prompts.phrases import COLOURS, COUNTS, DURATIONS, DURATIONS_S, HITS
from tevo.structures import Span

Row = dict[str, Any]
NUM_OPTIONS = 4
COUNT_SHARE = {1: 0.16, 2: 0.24, 3: 0.5, 4: 1.0}  # of the count questions kept, by number: all four about as common
HIGHEST_SHARE = 0.7  # of the count questions about what happens most often: high numbers are rare
MOST_TURNS = 3  # of all kinds, before a video is left with fewer questions than wanted
SCARCE = ("count", "why")  # kinds that few scenes allow: asked before the others
AMBIGUOUS_S = 0.45  # off a whole number of seconds by more, an event lasts about as long as two of the options say
ORDER_TELLING = ("appears", "disappears", "turns")  # whoever acts in blue acts after something turned blue
DRIFTING = (
    f" {HITS}",
    " appears",
)  # hits come early and appearances late in a scene: no options where order is asked for


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


def _colours(phrase: str) -> set[str]:
    """The colours that a clause speaks of: its thing's, and the one that the thing turns to."""
    return set(phrase.split()) & set(COLOURS)


def _order_told(one: str, other: str) -> bool:
    """Whether two clauses by themselves may tell which happened first: one decides if the other is possible."""
    tells = any(phrase.split(" ", 3)[3].startswith(ORDER_TELLING) for phrase in (one, other))
    return tells and bool(_colours(one) & _colours(other))


def _others_in_any_order(rng: random.Random, scene: Scene, right: str) -> list[str] | None:
    """As :func:`_others`, but clauses that could have happened in any order; None where there are too few."""
    phrases = sorted({event.phrase for event in scene.events if not event.phrase.endswith(DRIFTING)})
    if right not in phrases:
        return None
    chosen = [right]
    for phrase in rng.sample(phrases, len(phrases)):
        if phrase != right and not any(_order_told(phrase, other) for other in chosen):
            chosen.append(phrase)
    return chosen[:NUM_OPTIONS] if len(chosen) >= NUM_OPTIONS else None


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
    """What knocked a thing away, once: a hit by that thing, or by others that do hit in this share of the world.

    None where fewer than three others do: whoever never hits could be ruled out unseen.
    """
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
    if len(rest) < NUM_OPTIONS - 1:
        return None
    return _row(rng, Ask("why", event.effect), [event.phrase, *rest], event.phrase, [event])


def _count(rng: random.Random, scene: Scene) -> Row | None:
    """How often one of the things that may repeat happens; all four numbers are equally common."""
    counts = Counter(event.phrase for event in scene.events if event.phrase.split(" ", 3)[3] in REPEATABLE)
    if not counts:
        return None
    numbers = sorted(set(counts.values()))
    number = numbers[-1] if rng.random() < HIGHEST_SHARE else rng.choice(numbers)
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
        options = _others_in_any_order(rng, scene, event.phrase)
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
    return _duration(rng, event)


def _duration(rng: random.Random, event: Event) -> Row | None:
    """How long an event lasts, unless two of the options are as good."""
    length_s = event.end_s - event.start_s
    if abs(length_s - round(length_s)) > AMBIGUOUS_S:
        return None
    nearest = min(range(len(DURATIONS_S)), key=lambda index: abs(DURATIONS_S[index] - length_s))
    return _row(rng, Ask("duration", event.phrase), list(DURATIONS), DURATIONS[nearest], [event])


def ask_about(rng: random.Random, scene: Scene, num_questions: int) -> list[Row]:
    """Up to ``num_questions`` distinct questions of a scene: kinds in turn, so that none is crowded out."""
    rows: dict[str, Row] = {}
    kinds = list(LEVELS)
    rng.shuffle(kinds)
    kinds.sort(key=lambda kind: kind not in SCARCE)
    for kind in kinds * MOST_TURNS:
        if len(rows) >= num_questions:
            break
        row = _one(rng, scene, kind)
        if row is not None:
            rows.setdefault(str(row["query"]), row)
    return list(rows.values())
