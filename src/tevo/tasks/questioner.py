"""The Questioner: sees where something happens, asks what needs seeing, and learns which questions teach."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import lightning.pytorch as pl
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.backbones.base import TextEncoder
from tevo.data.datasets import VideoBatch
from tevo.heads.asker import ASKABLE, Asker, Choices, CueWeights, Segments, look
from tevo.heads.proposals import propose_events, random_events, windows_around
from tevo.heads.queries import pad_spans
from tevo.objectives.policy import PolicyRule
from tevo.objectives.registry import QuestionerFacts, Reward, extra_terms
from tevo.objectives.rewards import (
    QuestionerWeights,
    evidence_quality,
    in_band,
    learnability,
    localisation,
    necessity,
    order_dependency,
    questioner_reward,
    repetition,
    same_question,
    sufficiency,
    video_dependency,
)
from tevo.ops import group_normalise
from tevo.prompts.compose import Composed, Named, compose
from tevo.prompts.grammar import LEVELS
from tevo.prompts.phrases import causes_of, load_phrases
from tevo.structures import Question, Span
from tevo.tasks.judge import Examination

Examine = Callable[[VideoBatch, Sequence[Question], Tensor], Examination]
"""Puts questions to the frozen Solver: (videos, questions, row of each question's video) -> examination."""


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
    lr: float = 1e-3  # learning rate
    cues: CueWeights = field(default_factory=CueWeights)
    rewards: QuestionerWeights = field(default_factory=QuestionerWeights)
    policy: PolicyRule = field(default_factory=PolicyRule)


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
    reference: Float[Tensor, "batch group 4"]  # log-probabilities under the zero-shot Questioner
    advantage: Float[Tensor, "batch group 4"]
    live: Bool[Tensor, "batch group 4"]  # choices that were made, of videos that have events
    figures: dict[str, float]  # to log


class Questioner(pl.LightningModule):
    """Asks about events it finds in the tokens; learns by GRPO from what a frozen Solver makes of its questions.

    Args:
        joint: width of the space shared with text.
        encoder: embeds the phrase bank and projects tokens.
        config: see :class:`QuestionerConfig`.
        seed: of the options' order.
        extra_rewards: the functions that ``config.rewards.extra`` names; needed for learning alone.
    """

    def __init__(
        self,
        joint: int,
        encoder: TextEncoder,
        config: QuestionerConfig,
        seed: int = 0,
        extra_rewards: Mapping[str, Reward] | None = None,
    ) -> None:
        super().__init__()
        self.config, self.seed, self.extra_rewards = config, seed, dict(extra_rewards or {})
        self.asker = Asker(joint, cue_weights=config.cues)
        self.reference = Asker(joint, cue_weights=config.cues).requires_grad_(
            False
        )  # the zero-shot Questioner, for the KL
        self.reference.load_state_dict(self.asker.state_dict())
        self.phrases = load_phrases(config.phrases)
        self._encoder = (encoder,)  # in a tuple: it is frozen and owned by the co-evolution, not a submodule here
        self._bank: Tensor | None = None
        self._found: dict[str, tuple[Tensor, Tensor]] = {}

    @property
    def bank(self) -> Float[Tensor, "clause joint"]:
        """Embeddings of the phrase bank."""
        if self._bank is None:
            self._bank = self._encoder[0].encode_text(self.phrases)
        return self._bank.to(self.device)

    def _events(self, name: str, videos: VideoBatch, row: int) -> tuple[Tensor, Tensor]:
        """Events of one video; found once, since the tokens are frozen."""
        if name not in self._found:
            tokens = videos.dense if self.config.view == "window" else videos.tokens
            real = tokens.mask[row]  # no padding: what is found does not depend on the company a video is first met in
            inputs = tokens.values[row][real].cpu(), tokens.spans[row][real].cpu(), real[real].cpu()
            if self.config.windows == "random":
                generator = torch.Generator().manual_seed(random.Random(f"{self.seed}/{name}").randrange(2**31))
                found = random_events(*inputs, self.config.max_events, generator)
            else:
                found = propose_events(
                    *inputs, self.config.activity_high, self.config.activity_low, self.config.max_events
                )
            self._found[name] = found
        return self._found[name]

    @torch.no_grad()
    def segments(self, videos: VideoBatch) -> Segments:
        """The events of a batch and what names them; the window view reads the denser tokens."""
        found = [self._events(name, videos, row) for row, name in enumerate(videos.names)]
        width = max(1, max(len(spans) for spans, _ in found))
        batch = len(found)
        spans, windows = torch.zeros(batch, width, 2), torch.zeros(batch, width, 2)
        saliency, mask = torch.zeros(batch, width), torch.zeros(batch, width, dtype=torch.bool)
        for row, (events, strength) in enumerate(found):
            number = len(events)
            spans[row, :number], saliency[row, :number], mask[row, :number] = events, strength, True
            limits = float(videos.start_s[row]), float(videos.end_s[row])
            windows[row, :number] = windows_around(events, *limits, self.config.window_pad_s)
        tokens = videos.dense if self.config.view == "window" else videos.tokens
        joint = self._encoder[0].project(tokens.values)
        to = tokens.values.device
        return look(
            tokens, joint, spans.to(to), windows.to(to), mask.to(to), saliency.to(to), self.bank,
            self.config.context_s, self.config.naming_scale,
        )  # fmt: skip

    def ask(
        self,
        videos: VideoBatch,
        segments: Segments,
        kinds: tuple[str, ...],
        group: int,
        generator: torch.Generator,
        tag: str,
    ) -> Asked:
        """Sample ``group`` questions a video among the kinds allowed; ``tag`` makes their ids unique."""
        choices = self.asker.choose(segments, self.bank, kinds, group, generator)
        best = segments.names.argmax(-1).tolist()
        rows: list[list[Question | None]] = []
        for row, name in enumerate(videos.names):
            number = int(segments.mask[row].sum())
            if not number:
                rows.append([None] * group)
                continue
            events = [
                Named(_span(segments.spans[row, e]), _span(segments.windows[row, e]), self.phrases[best[row][e]])
                for e in range(number)
            ]
            rows.append([self._one(name, events, segments, choices, row, g, f"{tag}-{g}") for g in range(group)])
        return Asked(choices, rows)

    def _one(
        self, name: str, events: list[Named], segments: Segments, choices: Choices, row: int, g: int, tag: str
    ) -> Question | None:
        target, kind = int(choices.target[row, g]), ASKABLE[int(choices.kind[row, g])]
        clause, anchor_clause = int(choices.clause[row, g]), int(choices.anchor_clause[row, g])
        rng = random.Random(f"{self.seed}/{name}/{tag}")
        similar = self._similar(clause)
        if kind == "why":  # two readings of one moment: what explains it, and what is asked about
            effect = self._effect(segments.names[row, target], clause)
            if effect is None:
                return None
            anchor_clause = effect
            similar = causes_of(self.phrases[effect], self.phrases)
            rng.shuffle(similar)
        names = segments.names[row].softmax(-1)
        sure = float(names[target, clause])
        if kind != "why":
            sure = min(sure, float(names[int(choices.anchor[row, g]), anchor_clause]))
        if sure < self.config.min_naming:
            return None
        made: Composed | None = compose(
            kind, events, target, int(choices.anchor[row, g]), self.phrases[clause], self.phrases[anchor_clause],
            similar, rng,
        )  # fmt: skip
        if made is None:
            return None
        return Question(
            id=f"{name}#{tag}", video=name, text=made.text, kind=kind, options=made.options, answer=made.answer,
            evidence=made.evidence, window=events[target].window if self.config.view == "window" else None,
            level=LEVELS[kind],
        )  # fmt: skip

    def _effect(self, names: Float[Tensor, "clause"], cause: int) -> int | None:
        """The best clause for the same moment that another one explains; None where it explains none of the bank."""
        clauses = enumerate(self.phrases)
        explained = [index for index, text in clauses if self.phrases[cause] in causes_of(text, self.phrases)]
        return max(explained, key=lambda index: float(names[index]), default=None)

    def _similar(self, clause: int) -> list[str]:
        """Clauses of the bank most like one, best first."""
        near = (self.bank @ self.bank[clause]).topk(min(13, len(self.phrases))).indices.tolist()
        return [self.phrases[index] for index in near if index != clause]

    def reward(
        self, asked: Asked, segments: Segments, videos: VideoBatch, examine: Examine
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """``r_Q`` of every question [batch group] and its terms, each by itself."""
        questions, rows = asked.flat()
        gate = asked.gate.to(self.device)
        shape = gate.shape
        if not questions:
            return torch.zeros(shape, device=self.device), {"format": gate.float()}
        seen = examine(videos, questions, rows)
        spans, mask = pad_spans([q.evidence for q in questions])
        duration, start = (videos.end_s - videos.start_s)[rows], videos.start_s[rows]
        token_s = float((videos.tokens.spans[..., 1] - videos.tokens.spans[..., 0])[videos.tokens.mask].median())
        quality = evidence_quality(
            necessity(seen.with_video, seen.masked),
            sufficiency(seen.key, seen.random),
            localisation(spans.to(duration), mask.to(duration.device), duration, token_s=token_s, start_s=start),
        )
        flat = {
            "learnability": learnability(seen.consensus.agreement),
            "dependency": video_dependency(seen.with_video, seen.without_video),
            "order": order_dependency(seen.with_video, seen.shuffled),
            "evidence": quality,
            "in_band": in_band(seen.consensus.agreement, self.config.agreement_low, self.config.agreement_high).float(),
        }
        facts = QuestionerFacts(
            questions, spans.to(duration), mask.to(duration.device), start, start + duration, seen.consensus.agreement,
            seen.with_video, seen.without_video, seen.shuffled, seen.masked, seen.key, seen.random,
        )  # fmt: skip
        weights = self.config.rewards
        flat |= extra_terms(weights.extra, self.extra_rewards, facts, (len(questions),))
        terms = {
            name: torch.zeros(shape, device=self.device).masked_scatter(gate, values) for name, values in flat.items()
        }
        batch = torch.arange(shape[0], device=self.device)[:, None]
        same = same_question(asked.choices.kind, asked.choices.clause, segments.spans[batch, asked.choices.target])
        terms["repetition"] = repetition(same)
        total = questioner_reward(
            gate, terms["learnability"], terms["repetition"], terms["dependency"], terms["order"], terms["evidence"],
            terms["in_band"] > 0.5, weights, {name: terms[name] for name in weights.extra},
        )  # fmt: skip
        return total, {"format": gate.float(), **terms}

    def loss(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> tuple[Tensor, dict[str, float]]:
        """One GRPO step on questions of its own: :meth:`gather`, then :meth:`update`. Loss and figures to log."""
        return self.update(self.gather(videos, kinds, examine, generator, tag))

    @torch.no_grad()
    def gather(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> Asking:
        """Ask G questions a video, have them examined, and see how much each is worth beside the others."""
        segments = self.segments(videos)
        asked = self.ask(videos, segments, kinds, self.config.group, generator, tag)
        total, terms = self.reward(asked, segments, videos, examine)
        choices = asked.choices
        reference = self.reference.choose(segments, self.bank, kinds, self.config.group, given=choices)
        figures = {f"reward/{name}": float(value.mean()) for name, value in terms.items()} | {
            "reward": float(total.mean()),
            "zero_variance": float((total.std(1) < 1e-6).float().mean()),
        }
        advantage = group_normalise(total, dim=1)[..., None].expand_as(choices.log_probs)
        live = segments.mask.any(-1)[:, None, None] & choices.actions
        return Asking(kinds, segments, choices, reference.log_probs, advantage, live, figures)

    def update(self, asking: Asking, fresh: bool = True) -> tuple[Tensor, dict[str, float]]:
        """The policy loss on questions, and figures to log.

        Args:
            asking: of :meth:`gather`.
            fresh: the asker is still the one that asked; False once it has taken a step on these questions.
        """
        old, group = asking.choices.log_probs, asking.choices.kind.shape[1]
        again = self.asker.choose(asking.segments, self.bank, asking.kinds, group, given=asking.choices)
        result = self.config.policy.loss(
            again.log_probs, None if fresh else old, asking.reference, asking.advantage, asking.live
        )
        figures = asking.figures | {"clip_fraction": float(result.clip_fraction)}
        if fresh:
            mismatch = (again.log_probs.detach() - old)[asking.live].abs()
            figures["mismatch"] = float(mismatch.max()) if mismatch.numel() else 0.0
        return result.loss, figures


def _span(bounds: Float[Tensor, "2"]) -> Span:
    start, end = bounds.tolist()
    return Span(start, max(start, end))
