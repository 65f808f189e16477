"""What the co-evolution asks of its two roles, be they heads on an encoder or a model that writes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import lightning.pytorch as pl
import torch
from jaxtyping import Int
from torch import Tensor, nn

from tevo.data.datasets import VideoBatch
from tevo.structures import Question, Span
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.examination import Examination
from tevo.tasks.solving import SolverConfig

Examine = Callable[[VideoBatch, Sequence[Question], Tensor], Examination]
"""Puts questions to the frozen Solver: (videos, questions, row of each question's video) -> examination."""

Gathered = Any
"""Rollouts with all that an update on them needs; what exactly is the role's own business."""

Step = tuple[Tensor, dict[str, float]]
"""A loss, and figures to log."""


class ParameterGroup(TypedDict):
    """What an optimizer wants to know of some weights."""

    params: list[nn.Parameter]
    lr: float
    name: str


@dataclass(frozen=True, slots=True)
class Draft:
    """Questions for the pool."""

    questions: list[Question]
    rows: Int[Tensor, "question"]  # of each one's video in the batch
    faults: Mapping[str, int]  # tries that made no question, by what was wrong


@dataclass(frozen=True, slots=True)
class Said:
    """A Solver's best answer to one question."""

    answer: str  # one of the options, or its own words; empty where there is none
    confidence: float | None  # probability (0..1) of the answer; None where there is none
    option_probs: dict[str, float]
    spans: list[tuple[Span, float]]  # seconds, with the probability (0..1) of each
    completion: str | None = None  # as written; None of a model that does not write
    parsed: bool = True  # False where what was written could not be read


class Examiner(ABC):
    """Puts questions, with the video and without what the answer should rest on; nothing of it is trained here."""

    @abstractmethod
    def put(
        self,
        videos: VideoBatch,
        questions: Sequence[Question],
        rows: Int[Tensor, "question"],
        generator: torch.Generator,
        controls: bool = True,
    ) -> Examination:
        """Vote on every question and score the majority's answer under every intervention (ALGORITHM 3).

        Args:
            videos: the batch that the questions are about.
            questions: with the evidence that their asker names.
            rows: row of each question's video.
            generator: of the samples.
            controls: False leaves out the two dear views (shuffled, evidence removed), whose scores are then NaN.
        """


@dataclass(frozen=True, slots=True)
class Paid:
    """What rollouts were paid."""

    terms: dict[str, Tensor]  # each [prompt group]
    total: Tensor  # [prompt group]
    dead: int = 0  # groups that the outcome gate gives no update
    said: list[list[str]] = field(default_factory=list)  # what some rollouts said, in words, by prompt


class Learner(pl.LightningModule, ABC):
    """A role, as the co-evolution knows it."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """What of it is trained and saved, by name."""

    @abstractmethod
    def groups(self) -> list[ParameterGroup]:
        """The weights of :meth:`parts` for an optimizer."""

    @abstractmethod
    def update(self, gathered: Gathered, fresh: bool = True) -> Step:
        """The policy loss on rollouts; ``fresh`` while no step was taken on them."""

    def export(self, folder: Path, card: Mapping[str, Any]) -> None:
        """Write it in the layout of its own library too, where there is one; heads on an encoder have none.

        Args:
            folder: under which it comes to lie.
            card: what the model cards tell of the round.
        """


class Asks(Learner):
    """The Questioner, as the co-evolution knows it."""

    config: QuestionerConfig
    seed: int
    phrases: tuple[str, ...]  # over which open questions are answered; none where the answers are the model's own

    @abstractmethod
    def draft(self, videos: VideoBatch, kinds: tuple[str, ...], generator: torch.Generator, tag: str) -> Draft:
        """Write questions for the pool.

        Args:
            videos: to ask about.
            kinds: that the curriculum allows.
            generator: of what is drawn.
            tag: makes the questions' ids unique.
        """

    @abstractmethod
    def gather(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> Gathered:
        """Ask G questions a video, have them examined, and see how much each is worth beside the others."""

    @abstractmethod
    def pay(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> Paid:
        """What G questions a video would be paid, without a step."""


class Answers(Learner):
    """The Solver, as the co-evolution knows it."""

    config: SolverConfig
    needs_frames: bool = False  # whether batches must carry frames, for a tower that learns

    @abstractmethod
    def judge(self, votes: int, views: int, frozen: bool = False) -> Examiner:
        """This Solver as a judge of questions; ``frozen``: as it was in round 0."""

    @abstractmethod
    def fit_labels(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator
    ) -> Step:
        """A step by likelihood of the pseudo-labels, which are the questions' ``answer`` and ``evidence``."""

    @abstractmethod
    def roll(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator
    ) -> Gathered:
        """G rollouts a question with the credit of each token, by the same pseudo-labels."""

    @abstractmethod
    def pay(self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, generator: torch.Generator) -> Paid:
        """What G rollouts a question would be paid, without a step."""

    @abstractmethod
    def say(
        self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor, limits: Sequence[Span]
    ) -> list[Said]:
        """The best answer to each question; ``limits``: from the first frame of its video to its end, seconds (pts)."""
