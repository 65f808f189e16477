"""What flows between the rooms: spans, frames, tokens, questions, rollouts, verdicts.

Times are SECONDS on the container's own presentation timeline (pts), never frame index / nominal fps.
Masks are True where VALID.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from tevo.errors import TevoError


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A closed interval of video time, in seconds (pts).

    Raises:
        TevoError: when a bound is not finite or the end lies before the start.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)):
            raise TevoError(f"a span needs finite seconds, got [{self.start_s}, {self.end_s}]")
        if self.end_s < self.start_s:
            raise TevoError(f"a span must not end before it starts, got [{self.start_s}, {self.end_s}]")

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def overlaps(self, other: "Span") -> bool:
        """Whether the two spans share more than a point."""
        return min(self.end_s, other.end_s) > max(self.start_s, other.start_s)

    def clamp(self, within: "Span") -> "Span":
        """The part of this span inside ``within`` (a point on its border when they do not touch)."""
        start = min(max(self.start_s, within.start_s), within.end_s)
        return Span(start, min(max(self.end_s, start), within.end_s))


@dataclass(frozen=True, slots=True)
class TimedText:
    """Words that are shown or spoken in a video, and when."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Frames of one video and the pts of each, in the order asked for."""

    frames: UInt8[Tensor, "time 3 height width"]
    times_s: Float[Tensor, "time"]


@dataclass(frozen=True, slots=True)
class VideoTokens:
    """What a backbone saw: one row a token, each with the seconds it looked at."""

    values: Float[Tensor, "batch token dim"]
    spans: Float[Tensor, "batch token 2"]  # seconds
    mask: Bool[Tensor, "batch token"]

    def to(self, device: torch.device | str) -> "VideoTokens":
        """The same tokens on another device."""
        return VideoTokens(self.values.to(device), self.spans.to(device), self.mask.to(device))

    def take(self, rows: Int[Tensor, "new"]) -> "VideoTokens":
        """Rows of the batch by index; an index may repeat (one video, several questions)."""
        return VideoTokens(self.values[rows], self.spans[rows], self.mask[rows])

    @staticmethod
    def collate(items: Sequence["VideoTokens"]) -> "VideoTokens":
        """Stack batches of different token counts; the padding is masked out and zero."""
        longest = max(item.values.shape[1] for item in items)

        def pad(tensor: Tensor) -> Tensor:
            missing = longest - tensor.shape[1]
            shape = (tensor.shape[0], missing, *tensor.shape[2:])
            return torch.cat([tensor, tensor.new_zeros(shape)], dim=1) if missing else tensor

        return VideoTokens(
            torch.cat([pad(item.values) for item in items]),
            torch.cat([pad(item.spans) for item in items]),
            torch.cat([pad(item.mask) for item in items]),
        )


@dataclass(frozen=True, slots=True)
class FrameList:
    """A video that is kept as pictures: their files, and the second that each was taken at.

    Raises:
        TevoError: when there is none, a time is missing, not finite or not later than the one before.
    """

    paths: tuple[str, ...]
    times_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.paths or len(self.paths) != len(self.times_s):
            raise TevoError(f"a frame list needs as many times as pictures, got {len(self.times_s)}, {len(self.paths)}")
        if not all(math.isfinite(time) for time in self.times_s):
            raise TevoError(f"a frame list needs finite seconds, got {self.times_s}")
        for before, after in pairwise(self.times_s):
            if after <= before:
                raise TevoError(f"the times of a frame list must ascend, got {after:g} s after {before:g} s")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one video with the evidence it rests on.

    ``evidence`` and ``answer`` are the asker's own (the Questioner's in training, the annotation's in
    evaluation). ``options`` empty means open-ended. ``window`` is the contiguous part of the video the
    asker looked at, or None for the whole of it. ``level`` is the curriculum's difficulty, 1..4.

    What follows ``level``, but for ``completion``, is known of benchmarks alone. All times are seconds of the file,
    also where only a part of it is shown.

    Attributes:
        family: the kind of event or task that is asked about; empty when none is named.
        answer_index: which option is right, for benchmarks that say so; -1 = none does, ``answer`` decides.
        duration_s: length of the video in seconds, as annotated; 0 = unknown.
        shown: the part of the video that the benchmark shows; None = all of it.
        groups: what results are broken down by: ``{"task": ("TN",), "duration": ("long",)}``. A question may
            count in several groups of one kind.
        extra: further columns that the benchmark's own scorer needs, as annotated.
        frames: the video's pictures, where it is kept as pictures; ``video`` is then a name only.
        completion: the question as its asker wrote it, raw, where that is a language model.
    """

    id: str
    video: str
    text: str
    kind: str
    options: tuple[str, ...] = ()
    answer: str = ""
    evidence: tuple[Span, ...] = ()
    window: Span | None = None
    level: int = 1
    family: str = ""
    answer_index: int = -1
    duration_s: float = 0.0
    shown: Span | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    frames: FrameList | None = None
    completion: str = ""


class Role(IntEnum):
    """Which reward a completion token answers to (ALGORITHM: token-selective credit)."""

    OTHER = 0
    ANSWER = 1
    EVIDENCE = 2


@dataclass(frozen=True, slots=True)
class Rollouts:
    """G sampled completions for each of N prompts, as tensors (no Python object a rollout).

    A "token" is a word piece for a language model and a named action (start, end, stop, answer) for an
    encoder's policy; ``roles`` says which reward it answers to.
    """

    log_probs: Float[Tensor, "prompt group token"]
    roles: Int[Tensor, "prompt group token"]  # values of Role
    mask: Bool[Tensor, "prompt group token"]
    answers: Int[Tensor, "prompt group"]  # option index; -1 = none given
    spans: Float[Tensor, "prompt group span 2"]  # seconds; padding is zero
    span_mask: Bool[Tensor, "prompt group span"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the vote made of one question: the pseudo-label, or the named reason it was dropped."""

    question: Question
    kept: bool
    reason: str  # "" when kept
    agreement: float  # share of votes equal to the majority
    votes: dict[str, int] = field(default_factory=dict)
    pseudo_answer: str = ""
    pseudo_evidence: tuple[Span, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)  # dependency, order, necessity, ...
    round: int = 0
    replies: tuple[str, ...] = ()  # some of the votes as written, where the Solver writes
