"""Lessons for the tiny Qwen-VL variants: captioned clips, single and joined, with questions that their captions answer.

What is joined has its boundaries for free: each clip is shot with a little rest at both ends, and may be held on its
last frame for a while. Nothing of an untrimmed video is read.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from pretraining.clips import FPS
from torch import Tensor

from tevo.prompts.asker import Asked, asker_prompt, write_asked
from tevo.prompts.grammar import LEVELS, Ask, render
from tevo.prompts.phrases import COUNTS, DURATIONS, DURATIONS_S
from tevo.prompts.solver import SolverReply, letter_of, solver_prompt, write_reply
from tevo.prompts.templates import load_templates
from tevo.structures import Question, Span

REST_S = 0.6  # of every clip at either end, before and after what its caption tells
HELD_S = 8.0  # at most, on a clip's last frame
NUM_OPTIONS = 4
NEAR_S = 0.35  # a length this far from every duration on offer is not asked for
OUTSTANDING = 60.0  # sum of the three colours' differences
KINDS = ("when", "what", "before", "after", "first", "last", "count", "duration")
ALL = "What happens, and when?"  # is answered by every event in order, and every span


@dataclass(frozen=True)
class Event:
    """What a caption tells, and when in the joined video."""

    phrase: str
    span: Span


@dataclass(frozen=True)
class Lesson:
    """A video and what is to be said about it."""

    frames: Tensor  # uint8 [time, 3, height, width]
    times_s: Tensor
    turns: list[tuple[str, str]]  # what is asked, what is to be replied


def crowd(clip: Tensor) -> float:
    """Share of the pixels that stand out from their frame's median: how much there is to see."""
    frames = clip[::4].float()
    median = frames.flatten(2).median(-1).values[..., None, None]
    return float(((frames - median).abs().sum(1) > OUTSTANDING).float().mean())


class Teacher:
    """Joins clips and asks about them.

    Args:
        clips: as :func:`pretraining.clips.load_clips` gives them.
        captions: of each.
        bank: all the captions there are, of which wrong options are made.
        rng: of every draw.

    Raises:
        ValueError: fewer captions than a question needs beside its own.
    """

    def __init__(self, clips: list[Tensor], captions: list[str], bank: list[str], rng: random.Random) -> None:
        if len(bank) < NUM_OPTIONS + 1:
            raise ValueError(f"{len(bank)} different captions make no questions: {NUM_OPTIONS + 1} are wanted at least")
        self.clips, self.captions, self.bank, self.rng = clips, captions, bank, rng
        self.order = sorted(range(len(clips)), key=lambda index: crowd(clips[index]))
        self.share = 1.0  # of the clips that are in use, those with least in them first
        self.open = 0.0  # share of the questions without options: to say what happens is learnt before letters are
        self.templates = load_templates("tiny")

    def lesson(self, num_clips: int, num_turns: int, fps: float = 2.0, caption: bool = False) -> Lesson:
        """A video of so many clips, and at most so many turns about it; ``caption``: one, what happens in it."""
        frames, events = self.join(num_clips)
        step = round(FPS / fps)
        begin = self.rng.randrange(step)
        times_s = torch.arange(len(frames))[begin::step] / FPS
        end_s = len(frames) / FPS
        turns: list[tuple[str, str]] = []
        for _ in range(4 * num_turns):
            turn = self.caption(events[0], end_s) if caption else self.turn(events, end_s)
            if turn is not None and turn not in turns:
                turns.append(turn)
            if len(turns) == num_turns:
                break
        return Lesson(self.augment(frames[begin::step]), times_s, turns)

    def join(self, num_clips: int) -> tuple[Tensor, list[Event]]:
        """Clips one after the other, some held on their last frame; a clip may come twice."""
        most = max(1, round(self.share * len(self.order)))
        chosen = [self.order[self.rng.randrange(most)] for _ in range(num_clips)]
        for index in range(1, num_clips):
            if self.rng.random() < 0.2:
                chosen[index] = chosen[self.rng.randrange(index)]
        parts, events, at = [], [], 0
        for index in chosen:
            clip = self.clips[index]
            held = 0 if num_clips == 1 or self.rng.random() < 0.3 else int(self.rng.uniform(0, HELD_S) * FPS)
            span = Span(at / FPS + REST_S, max(at / FPS + REST_S + 0.5, (at + len(clip)) / FPS - REST_S))
            events.append(Event(self.captions[index], span))
            parts += [clip, clip[-1:].expand(held, -1, -1, -1)]
            at += len(clip) + held
        return torch.cat(parts), events

    def augment(self, frames: Tensor) -> Tensor:
        """Shift by up to two pixels and change the brightness."""
        shift = (self.rng.randint(-2, 2), self.rng.randint(-2, 2))
        moved = torch.roll(frames, shift, dims=(-2, -1)).float()
        return (moved * self.rng.uniform(0.9, 1.1) + self.rng.uniform(-8, 8)).clamp(0, 255).to(torch.uint8)

    def caption(self, event: Event, end_s: float) -> tuple[str, str]:
        """What happens, in the caption's words."""
        return self.solve(Question("", "", "What happens?", "open", (), event.phrase), [event], end_s)

    def turn(self, events: list[Event], end_s: float) -> tuple[str, str] | None:
        """One question and its reply: to the Solver mostly, now and then to the Questioner."""
        kinds = [kind for kind in KINDS if self.rng.random() < 0.5] or ["when"]
        asks = self.rng.random() < 0.3
        if not asks and self.rng.random() < self.open / 3:
            told = ", ".join(event.phrase for event in events)
            return self.solve(Question("", "", ALL, "open", (), told), events, end_s)
        question = self.question(self.rng.choice(kinds if asks else KINDS), events)
        if question is None:
            return None
        if not asks:
            if question.kind not in ("count", "duration") and self.rng.random() < self.open:
                question = replace(question, options=())
            return self.solve(question, [e for e in events if e.span in question.evidence], end_s)
        of_type = {"when": "when", "count": "count"}.get(question.kind, "multiple choice")
        asked = Asked(of_type, question.text, question.answer, question.options, question.evidence)
        windowed = self.rng.random() < 0.8
        return asker_prompt(end_s, self.templates, f"Kinds: {', '.join(kinds)}.", windowed), write_asked(asked)

    def solve(self, question: Question, events: list[Event], end_s: float) -> tuple[str, str]:
        """The Solver's prompt and the reply wanted."""
        reply = SolverReply(letter_of(question, question.answer), tuple(event.span for event in events))
        return solver_prompt(question, end_s, self.templates), write_reply(reply, question.kind)

    def question(self, kind: str, events: list[Event]) -> Question | None:
        """A question of a kind, or None where these events allow none."""
        phrases = [event.phrase for event in events]
        once = [i for i, phrase in enumerate(phrases) if phrases.count(phrase) == 1]
        makers: dict[str, Callable[[], Question | None]] = {
            "when": lambda: self._about(kind, events, once, ()),
            "count": lambda: self._count(events),
            "duration": lambda: self._duration(events, once),
            "what": lambda: self._what(events),
            "first": lambda: self._named(kind, events, 0, ""),
            "last": lambda: self._named(kind, events, len(events) - 1, ""),
            "before": lambda: self._beside(kind, events, once),
            "after": lambda: self._beside(kind, events, once),
        }
        return makers[kind]()

    def _about(self, kind: str, events: list[Event], once: list[int], options: tuple[str, ...]) -> Question | None:
        if not once:
            return None
        event = events[self.rng.choice(once)]
        return Question("", "", render(Ask(kind, event.phrase)), kind, options, "", (event.span,), level=LEVELS[kind])

    def _count(self, events: list[Event]) -> Question | None:
        phrase = self.rng.choice(sorted({event.phrase for event in events}))
        spans = tuple(event.span for event in events if event.phrase == phrase)
        if len(spans) > len(COUNTS):
            return None
        return Question("", "", render(Ask("count", phrase)), "count", COUNTS, COUNTS[len(spans) - 1], spans)

    def _duration(self, events: list[Event], once: list[int]) -> Question | None:
        made = self._about("duration", events, once, DURATIONS)
        if made is None:
            return None
        length = made.evidence[0].length_s
        nearest = min(DURATIONS_S, key=lambda seconds: abs(seconds - length))
        if abs(nearest - length) > NEAR_S:
            return None
        answer = DURATIONS[DURATIONS_S.index(nearest)]
        return Question("", "", made.text, "duration", DURATIONS, answer, made.evidence)

    def _what(self, events: list[Event]) -> Question | None:
        event = self.rng.choice(events)
        within = Span(
            max(0.0, event.span.start_s - self.rng.uniform(0, REST_S)), event.span.end_s + self.rng.uniform(0, REST_S)
        )
        return self._choice("what", render(Ask("what", within=within)), event, events, "")

    def _beside(self, kind: str, events: list[Event], once: list[int]) -> Question | None:
        step = 1 if kind == "after" else -1
        pairs = [i for i in once if 0 <= i + step < len(events)]
        if not pairs:
            return None
        anchor = self.rng.choice(pairs)
        return self._named(kind, events, anchor + step, events[anchor].phrase)

    def _named(self, kind: str, events: list[Event], target: int, anchor: str) -> Question | None:
        if len(events) < 2 or events[target].phrase == anchor:
            return None
        return self._choice(kind, render(Ask(kind, anchor)), events[target], events, anchor)

    def _choice(self, kind: str, text: str, event: Event, events: list[Event], anchor: str) -> Question:
        others = sorted({other.phrase for other in events} - {event.phrase, anchor})
        wrong = self.rng.sample(others, min(len(others), NUM_OPTIONS - 1))
        while len(wrong) < NUM_OPTIONS - 1:
            spare = self.rng.choice(self.bank)
            if spare not in (event.phrase, anchor, *wrong):
                wrong.append(spare)
        options = tuple(self.rng.sample([event.phrase, *wrong], NUM_OPTIONS))
        return Question("", "", text, kind, options, event.phrase, (event.span,), level=LEVELS[kind])
