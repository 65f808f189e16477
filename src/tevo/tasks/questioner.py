"""The Questioner: sees where something happens, asks what needs seeing, and learns which questions teach."""

import random
from collections import Counter
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tevo.backbones.base import TextEncoder
from tevo.data.datasets import VideoBatch
from tevo.heads.asker import ASKABLE, Asker, Segments, look
from tevo.heads.proposals import propose_events, random_events, windows_around
from tevo.objectives.registry import Reward
from tevo.objectives.rewards import repetition, same_question
from tevo.ops import group_normalise
from tevo.prompts.compose import Composed, Named, compose
from tevo.prompts.grammar import LEVELS
from tevo.prompts.phrases import causes_of, load_phrases
from tevo.structures import Question, Span
from tevo.tasks.asked import Asked, Asking, QuestionerConfig
from tevo.tasks.question_terms import examined_terms, question_reward
from tevo.tasks.role import Asks, Draft, Examine, Paid, ParameterGroup

UNNAMED = "could not be put into words"


class Questioner(Asks):
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
        self._near: dict[int, list[str]] = {}  # of a clause: those most like it
        self._effects: dict[int, list[int]] = {}  # and those that it explains

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
        one_kind: bool = False,
    ) -> Asked:
        """Sample ``group`` questions a video among the kinds allowed; ``tag`` makes their ids unique."""
        choices = self.asker.choose(segments, self.bank, kinds, group, generator, one_kind=one_kind)
        best, naming = segments.names.argmax(-1).tolist(), segments.names.softmax(-1).tolist()
        parts = choices.kind, choices.target, choices.anchor, choices.clause, choices.anchor_clause
        drawn = torch.stack(parts, -1).tolist()
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
            rows.append([
                self._one(name, events, naming[row], segments.names[row], drawn[row][g], f"{tag}-{g}")
                for g in range(group)
            ])  # fmt: skip
        return Asked(choices, rows)

    def _one(
        self,
        name: str,
        events: list[Named],
        naming: list[list[float]],
        logits: Float[Tensor, "event clause"],
        drawn: list[int],
        tag: str,
    ) -> Question | None:
        """The question of one draw (kind, target, anchor, and the clauses of both); None where it makes none."""
        number, target, anchor, clause, anchor_clause = drawn
        kind, rng = ASKABLE[number], random.Random(f"{self.seed}/{name}/{tag}")
        sure = naming[target][clause]
        if kind == "why":  # two readings of one moment: what explains it, and what is asked about
            effect = max(self._explained(clause), key=lambda index: float(logits[target, index]), default=None)
            if effect is None:
                return None
            anchor_clause = effect
            similar = causes_of(self.phrases[effect], self.phrases)
            rng.shuffle(similar)
        else:
            similar = self._similar(clause)
            sure = min(sure, naming[anchor][anchor_clause])
        if sure < self.config.min_naming:
            return None
        made: Composed | None = compose(
            kind, events, target, anchor, self.phrases[clause], self.phrases[anchor_clause], similar, rng
        )
        if made is None:
            return None
        return Question(
            id=f"{name}#{tag}", video=name, text=made.text, kind=kind, options=made.options, answer=made.answer,
            evidence=made.evidence, window=events[target].window if self.config.view == "window" else None,
            level=LEVELS[kind],
        )  # fmt: skip

    def _explained(self, cause: int) -> list[int]:
        """Clauses of the bank that another one explains; looked up once."""
        if cause not in self._effects:
            clauses = enumerate(self.phrases)
            self._effects[cause] = [i for i, text in clauses if self.phrases[cause] in causes_of(text, self.phrases)]
        return self._effects[cause]

    def _similar(self, clause: int) -> list[str]:
        """Clauses of the bank most like one, best first; looked up once."""
        if clause not in self._near:
            near = (self.bank @ self.bank[clause]).topk(min(13, len(self.phrases))).indices.tolist()
            self._near[clause] = [self.phrases[index] for index in near if index != clause]
        return self._near[clause]

    def reward(
        self, asked: Asked, segments: Segments, videos: VideoBatch, examine: Examine
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """``r_Q`` of every question [batch group] and its terms, each by itself."""
        questions, rows = asked.flat()
        gate = asked.gate.to(self.device)
        shape = gate.shape
        if not questions:
            return torch.zeros(shape, device=self.device), {"format": gate.float()}
        duration = videos.tokens.spans[..., 1] - videos.tokens.spans[..., 0]
        config, band = self.config, (self.config.agreement_low, self.config.agreement_high)
        flat = examined_terms(
            examine(videos, questions, rows), questions, videos.start_s[rows], videos.end_s[rows],
            float(duration[videos.tokens.mask].median()), band, config.rewards, self.extra_rewards,
        )  # fmt: skip
        terms = {
            name: torch.zeros(shape, device=self.device).masked_scatter(gate, values) for name, values in flat.items()
        }
        batch = torch.arange(shape[0], device=self.device)[:, None]
        same = same_question(asked.choices.kind, asked.choices.clause, segments.spans[batch, asked.choices.target])
        terms["repetition"] = repetition(same)
        return question_reward(gate, terms, config.rewards), {"format": gate.float(), **terms}

    def loss(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> tuple[Tensor, dict[str, float]]:
        """One GRPO step on questions of its own: :meth:`gather`, then :meth:`update`. Loss and figures to log."""
        return self.update(self.gather(videos, kinds, examine, generator, tag))

    def parts(self) -> dict[str, nn.Module]:
        """See :meth:`Learner.parts`."""
        return {"asker": self.asker}

    def groups(self) -> list[ParameterGroup]:
        """See :meth:`Learner.groups`."""
        return [{"params": list(self.asker.parameters()), "lr": self.config.lr, "name": "questioner"}]

    def draft(self, videos: VideoBatch, kinds: tuple[str, ...], generator: torch.Generator, tag: str) -> Draft:
        """See :meth:`Asks.draft`."""
        asked = self.ask(videos, self.segments(videos), kinds, self.config.per_video, generator, tag)
        return Draft(*asked.flat(), faults=+Counter({UNNAMED: int((~asked.gate).sum())}))

    def pay(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> Paid:
        """See :meth:`Asks.pay`."""
        segments = self.segments(videos)
        asked = self.ask(videos, segments, kinds, self.config.group, generator, tag, one_kind=True)
        total, terms = self.reward(asked, segments, videos, examine)
        return Paid(terms, total)

    @torch.no_grad()
    def gather(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> Asking:
        """Ask G questions a video, have them examined, and see how much each is worth beside the others."""
        segments = self.segments(videos)
        asked = self.ask(videos, segments, kinds, self.config.group, generator, tag, one_kind=True)
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
