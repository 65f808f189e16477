"""How a Questioner asks and is paid, and what a batch of its questions is."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.heads.asker import Choices, CueWeights, Segments
from tevo.objectives.policy import PolicyRule
from tevo.objectives.rewards import QuestionerWeights
from tevo.structures import Question
from tevo.tasks.words import Words


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class QuestionerConfig:
    """How questions are made and rewarded."""

    phrases: str = "world"  # phrase bank: "world", "general", or a text file with one clause a line
    view: str = "window"  # window: sees one stretch of the video, its span is the label; full: the whole video
    windows: str = "change_point"  # change_point: around what changes; random: anywhere (EvoVid)
    group: int = 8  # G, questions sampled a video in training
    per_video: int = 16  # questions written a video for the pool
    window_pad_s: float = 5.0  # seconds of the window on either side of its event, at most
    context_s: float = 1.5  # assumed; seconds before and after an event that tell what changed
    max_events: int = 12  # events a video that can be asked about
    activity_high: float = 0.5  # assumed; standard deviations of activity that an event must reach
    activity_low: float = 0.0  # assumed; standard deviations of activity below which an event ends
    naming_scale: float = 30.0  # assumed; sharpness of the zero-shot names
    min_naming: float = 0.35  # assumed; least probability of the clause that names an event, else it is not asked about
    agreement_low: float = 0.3  # share of votes below which a question is too hard
    agreement_high: float = 0.8  # share of votes above which a question is too easy
    free_text: bool = True  # of a language model: may ask in words of its own; else the grammar's forms alone count
    lr: float = 1e-3  # learning rate
    cues: CueWeights = field(default_factory=CueWeights)
    rewards: QuestionerWeights = field(default_factory=QuestionerWeights)
    kl: float = 1e-2  # beta, weight of the KL to the reference; read of a language model alone
    policy: PolicyRule = field(default_factory=PolicyRule)
    words: Words = field(default_factory=Words)


@dataclass(frozen=True, slots=True)
class Asked:
    """G questions for each of B videos: the choices that made them, and the text (None = could not be asked)."""

    choices: Choices
    questions: list[list[Question | None]]

    @property
    def gate(self) -> Bool[Tensor, "batch group"]:
        """Which choices made a question."""
        return torch.tensor([[q is not None for q in row] for row in self.questions])

    def flat(self) -> tuple[list[Question], Tensor]:
        """The questions that could be asked, and the row of each one's video."""
        pairs = [(q, row) for row, questions in enumerate(self.questions) for q in questions if q is not None]
        return [q for q, _ in pairs], torch.tensor([row for _, row in pairs], dtype=torch.long)


@dataclass(frozen=True, slots=True)
class Asking:
    """Questions of a batch with all that an update on them needs; nothing of it has a gradient."""

    kinds: tuple[str, ...]
    segments: Segments
    choices: Choices
    reference: Float[Tensor, "batch group 3"]  # log-probabilities under the zero-shot Questioner
    advantage: Float[Tensor, "batch group 3"]
    live: Bool[Tensor, "batch group 3"]  # choices that were made, of videos that have events
    figures: dict[str, float]  # to log
