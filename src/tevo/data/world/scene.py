"""Plans a video of the procedural world: objects, their state over time, and the events, exact by construction.

Every visible property (place, size, opacity, colour, angle) is random at rest, and an event is a change of one of
them, through values that other things have at rest. A single frame still tells something: which things are in view at
all, where one is next to another, and one that is fainter (under 0.35) than any at rest.
"""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tevo.data.world.vocabulary import Share, allowed, family_of
from tevo.prompts.phrases import COLOURS, HITS, KNOCKED, clause

CELLS = 4  # the resting places form a CELLS x CELLS grid
STEP = 1.0 / CELLS
SIZES = (0.07, 0.135)  # radius at rest, as a share of the frame's side: anything in between
GROWTH = 1.55  # by which a thing grows or shrinks
SHAPES = ("circle", "square", "triangle", "cross")
DIRECTIONS = {"moves left": (-1, 0), "moves right": (1, 0), "moves up": (0, -1), "moves down": (0, 1)}
BLINK_PERIOD_S = 1.0
FLICKER_S = 0.4  # a turning thing shows its old and its new colour by turns: no in-between hue gives it away
MAX_REPEATS = 4
Act = Callable[[tuple[float, float]], str]  # does an action over a span (seconds), returns the clause it causes or ""
REPEATABLE = ("spins", "blinks")  # actions that leave a thing as it was, so that they can happen again


@dataclass(frozen=True)
class Event:
    """One thing that happens: its clause, its family, its span in seconds; ``effect`` is the clause it causes."""

    phrase: str
    family: str
    start_s: float
    end_s: float
    effect: str = ""


@dataclass
class Thing:
    """An object of the scene: its state now and the state of every frame so far."""

    colour: str
    shape: str
    cell: tuple[int, int]
    size: float
    visible: bool
    angle: float
    jitter: tuple[float, float]
    opacity: float
    tracks: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def place(self) -> tuple[float, float]:
        """Centre at rest, as a share of the frame."""
        return (self.cell[0] + 0.5) * STEP + self.jitter[0], (self.cell[1] + 0.5) * STEP + self.jitter[1]


@dataclass(frozen=True)
class Scene:
    """A whole video before it is drawn."""

    duration_s: float
    fps: float
    things: list[Thing]
    events: list[Event]
    background_seed: int
    textured: bool


class _Stage:
    """Applies actions to things, refusing what is impossible in the present state."""

    def __init__(self, rng: random.Random, num_frames: int, fps: float, num_things: int) -> None:
        self.rng, self.fps, self.num_frames = rng, fps, num_frames
        cells = [(x, y) for x in range(CELLS) for y in range(CELLS)]
        self.things = [
            Thing(
                colour=colour,
                shape=rng.choice(SHAPES),
                cell=cell,
                size=rng.uniform(*SIZES),
                visible=rng.random() > 0.15,
                angle=rng.uniform(0, 2 * math.pi),
                jitter=(rng.uniform(-0.03, 0.03), rng.uniform(-0.03, 0.03)),
                opacity=rng.uniform(0.35, 1.0),
            )
            for colour, cell in zip(rng.sample(COLOURS, num_things), rng.sample(cells, num_things), strict=True)
        ]
        for thing in self.things:
            rest = {
                "x": thing.place[0],
                "y": thing.place[1],
                "size": thing.size,
                "alpha": thing.opacity if thing.visible else 0.0,
                "angle": thing.angle,
                "mix": 0.0,
            }
            thing.tracks = {key: np.full(num_frames, value, np.float32) for key, value in rest.items()}
            thing.tracks["from"] = np.full(num_frames, COLOURS.index(thing.colour), np.float32)
            thing.tracks["to"] = thing.tracks["from"].copy()

    def free(self, cell: tuple[int, int]) -> bool:
        inside = 0 <= cell[0] < CELLS and 0 <= cell[1] < CELLS
        return inside and all(thing.cell != cell for thing in self.things)

    def ramp(self, thing: Thing, key: str, span: tuple[float, float], target: float) -> None:
        """Move a property from its present value to the target over the span, and keep it there."""
        track = thing.tracks[key]
        times = np.arange(self.num_frames) / self.fps
        progress = np.clip((times - span[0]) / (span[1] - span[0]), 0, 1).astype(np.float32)
        start = track[min(int(span[0] * self.fps), self.num_frames - 1)]
        track[:] = np.where(times < span[0], track, start + (target - start) * progress)

    def move(self, thing: Thing, span: tuple[float, float], cell: tuple[int, int]) -> None:
        thing.cell = cell
        self.ramp(thing, "x", span, thing.place[0])
        self.ramp(thing, "y", span, thing.place[1])

    def options(self, thing: Thing) -> list[tuple[str, Act]]:
        """The actions that this thing could do now; each, called with a span, does it and returns its effect."""
        if not thing.visible:
            return [("appears", partial(self._show, thing, visible=True))]
        found: list[tuple[str, Act]] = [
            ("disappears", partial(self._show, thing, visible=False)),
            ("blinks", partial(self._blink, thing)),
        ]
        if thing.shape != "circle":
            found.append(("spins", partial(self._spin, thing)))
        for action, size in (("grows", thing.size * GROWTH), ("shrinks", thing.size / GROWTH)):
            if SIZES[0] <= size <= SIZES[1]:
                found.append((action, partial(self._resize, thing, size=size)))
        taken = {other.colour for other in self.things}
        for colour in COLOURS:
            if colour not in taken:
                found.append((f"turns {colour}", partial(self._turn, thing, colour=colour)))
        for action, (dx, dy) in DIRECTIONS.items():
            near, far = ((thing.cell[0] + n * dx, thing.cell[1] + n * dy) for n in (1, 2))
            if self.free(near) and self.free(far):
                found.append((action, partial(self._go, thing, cell=far)))
        return found + self._hits(thing)

    def _show(self, thing: Thing, span: tuple[float, float], visible: bool) -> str:
        thing.visible = visible
        self.ramp(thing, "alpha", span, thing.opacity if visible else 0.0)
        return ""

    def _blink(self, thing: Thing, span: tuple[float, float]) -> str:
        times = np.arange(self.num_frames) / self.fps
        inside = (times >= span[0]) & (times < span[1])
        off = ((times - span[0]) % BLINK_PERIOD_S) < BLINK_PERIOD_S / 2
        thing.tracks["alpha"][inside & off] = 0.0
        return ""

    def _spin(self, thing: Thing, span: tuple[float, float]) -> str:
        thing.angle += self.rng.choice((-1, 1)) * self.rng.uniform(1.0, 1.6) * (span[1] - span[0]) * math.pi / 2
        self.ramp(thing, "angle", span, thing.angle)
        return ""

    def _resize(self, thing: Thing, span: tuple[float, float], size: float) -> str:
        thing.size = size
        self.ramp(thing, "size", span, size)
        return ""

    def _turn(self, thing: Thing, span: tuple[float, float], colour: str) -> str:
        frame = min(int(span[0] * self.fps), self.num_frames - 1)
        thing.tracks["from"][frame:] = COLOURS.index(thing.colour)
        thing.tracks["to"][frame:] = COLOURS.index(colour)
        times = np.arange(self.num_frames - frame) / self.fps + frame / self.fps
        thing.tracks["mix"][frame:] = (times >= span[1]) | (((times - span[0]) // FLICKER_S) % 2 == 1)
        thing.colour = colour
        return ""

    def _go(self, thing: Thing, span: tuple[float, float], cell: tuple[int, int]) -> str:
        self.move(thing, span, cell)
        return ""

    def _hits(self, thing: Thing) -> list[tuple[str, Act]]:
        """Hits on a visible thing two cells off, from the free cell between, into the free cell behind it."""
        found: list[tuple[str, Act]] = []
        for other in self.things:
            for dx, dy in DIRECTIONS.values():
                near = (thing.cell[0] + dx, thing.cell[1] + dy)
                behind = (other.cell[0] + dx, other.cell[1] + dy)
                in_line = other.cell == (near[0] + dx, near[1] + dy)
                if other.visible and in_line and self.free(near) and self.free(behind):
                    effect = clause(other.colour, KNOCKED)
                    found.append((f"{HITS}|{effect}", partial(self._hit, thing, other=other, near=near, behind=behind)))
        return found

    def _hit(
        self, thing: Thing, span: tuple[float, float], other: Thing, near: tuple[int, int], behind: tuple[int, int]
    ) -> str:
        """One thing comes up to another, which flies on: they come no nearer than neighbours at rest."""
        contact = span[0] + 0.5 * (span[1] - span[0])
        effect = clause(other.colour, KNOCKED)
        self.move(thing, (span[0], contact), near)
        self.move(other, (contact, span[1]), behind)
        return effect


def plan_scene(
    rng: random.Random,
    share: Share,
    duration_s: float,
    fps: float,
    lengths_s: list[float],
    lead_s: float = 1.0,
    things: tuple[int, int] = (5, 6),
) -> Scene | None:
    """A scene with one event a length, whose clauses all belong to a share, or None where the draw had no way on.

    Args:
        rng: the only source of chance.
        share: which clauses may happen.
        duration_s: length of the video in seconds.
        fps: frames a second.
        lengths_s: of the events in seconds, one after the other, with gaps of at least ``lead_s`` between them.
        things: least and greatest number of objects.
        lead_s: seconds of rest before the first and after the last event, and the least gap.
    """
    stage = _Stage(rng, round(duration_s * fps), fps, num_things=rng.randint(*things))
    slack = duration_s - sum(lengths_s) - lead_s * (len(lengths_s) + 1)
    if slack < 0:
        return None
    cuts = sorted(rng.uniform(0, slack) for _ in lengths_s)
    events: list[Event] = []
    clock = 0.0
    for index, length in enumerate(lengths_s):
        gap = lead_s + cuts[index] - (cuts[index - 1] if index else 0.0)
        start = round((clock + gap) * fps) / fps
        end = start + max(round(length * fps), 2) / fps
        clock = end
        event = _next_event(rng, stage, allowed(share), events, start, end)
        if event is None:
            return None
        events.append(event)
    return Scene(duration_s, fps, stage.things, events, rng.randrange(2**31), textured=share == "ood")


def _next_event(
    rng: random.Random, stage: _Stage, clauses: frozenset[str], past: list[Event], start: float, end: float
) -> Event | None:
    """Draw a possible event: a family first, then one of its clauses; now and then one that happened before."""
    by_family: dict[str, list[tuple[str, Act]]] = {}
    done = Counter(event.phrase for event in past)
    again = []
    for thing in stage.things:
        for action, act in stage.options(thing):
            name, _, effect = action.partition("|")
            phrase = clause(thing.colour, name)
            if phrase not in clauses or (effect and effect not in clauses):
                continue
            if phrase not in done:
                by_family.setdefault(family_of(phrase), []).append((phrase, act))
            elif done[phrase] < MAX_REPEATS and name in REPEATABLE:
                again.append((phrase, act))
    if again and (rng.random() < 0.35 or not by_family):
        phrase, act = rng.choice(again)
    elif by_family:
        rare = "interaction" in by_family and rng.random() < 0.5  # seldom possible: taken when it is
        phrase, act = rng.choice(by_family["interaction" if rare else rng.choice(sorted(by_family))])
    else:
        return None
    return Event(phrase, family_of(phrase), start, end, effect=act((start, end)))
