"""The Questioner's policy on a backbone without a language model: kind, segment, and the clauses that name it.

Zero-shot part: three cues of each segment and the similarity of each clause to what the segment shows. The learnt
part starts at zero.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tevo.heads.cues import around, describe
from tevo.prompts.grammar import LEVELS
from tevo.structures import VideoTokens

ASKABLE = tuple(LEVELS)
NEEDS = {"before": 2, "after": 2}  # events that a video must have for a kind; 1 otherwise


@dataclass(frozen=True, slots=True)
class Segments:
    """The events of a batch of videos, as the Questioner sees them."""

    spans: Float[Tensor, "batch event 2"]  # seconds, in order of time
    windows: Float[Tensor, "batch event 2"]  # seconds, the window around each
    mask: Bool[Tensor, "batch event"]
    cues: Float[Tensor, "batch event 3"]  # saliency, semantic importance, temporal distribution
    shown: Float[Tensor, "batch event joint"]  # what each shows (heads.cues.describe)
    names: Float[Tensor, "batch event clause"]  # zero-shot logits over the phrase bank


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class CueWeights:
    """Weight of each of the Questioner's three cues; 0 switches one off."""

    saliency: float = 1.0  # how much moves (visual)
    semantic: float = 1.0  # how clearly one clause names it
    temporal: float = 1.0  # how far it lies from the other events


def temporal_cue(
    spans: Float[Tensor, "batch event 2"], mask: Bool[Tensor, "batch event"]
) -> Float[Tensor, "batch event"]:
    """Distance (seconds, logarithmic) of each event's middle to the nearest other: lonely events tell most."""
    middle = spans.mean(-1)
    gap = (middle[:, :, None] - middle[:, None]).abs()
    own = torch.eye(gap.shape[-1], dtype=torch.bool, device=gap.device)
    gap = gap.masked_fill(own | ~mask[:, None], torch.inf).amin(-1)
    return torch.where(gap.isfinite(), gap, 0.0).log1p() * mask


def semantic_cue(names: Float[Tensor, "batch event clause"]) -> Float[Tensor, "batch event"]:
    """How clearly one clause names the event: the log-probability of the best (0 = certain)."""
    return names.log_softmax(-1).amax(-1)


def look(
    tokens: VideoTokens,
    joint: Float[Tensor, "batch token joint"],
    spans: Float[Tensor, "batch event 2"],
    windows: Float[Tensor, "batch event 2"],
    mask: Bool[Tensor, "batch event"],
    saliency: Float[Tensor, "batch event"],
    bank: Float[Tensor, "clause joint"],
    context_s: float,
    scale: float,
) -> Segments:
    """Describe every event and name it by the phrase bank."""
    shown = describe(joint, tokens.mask, *around(tokens.spans, tokens.mask, spans, context_s)) * mask[..., None]
    names = scale * shown @ bank.T
    cues = torch.stack([saliency, semantic_cue(names), temporal_cue(spans, mask)], -1)
    return Segments(spans, windows, mask, cues * mask[..., None], shown, names)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the Questioner chose for each of G questions a video: indices, and the log-probability of each choice."""

    kind: Int[Tensor, "batch group"]  # into ASKABLE
    target: Int[Tensor, "batch group"]  # event that is the evidence
    anchor: Int[Tensor, "batch group"]  # event that the question names (the target itself for most kinds)
    clause: Int[Tensor, "batch group"]  # names the target
    anchor_clause: Int[Tensor, "batch group"]  # names the anchor
    log_probs: Float[Tensor, "batch group 3"]  # target, clause, anchor clause; the kind is drawn, not chosen
    actions: Bool[Tensor, "batch group 3"]  # which of them were choices


class Asker(nn.Module):
    """Chooses what to ask.

    Args:
        joint: width of the space shared with text.
        hidden: width of the learnt part.
        cue_weights: of the zero-shot cues.
    """

    def __init__(self, joint: int, hidden: int = 64, cue_weights: CueWeights | None = None) -> None:
        super().__init__()
        weights = cue_weights or CueWeights()
        self.read = nn.Sequential(nn.Linear(joint + 3, hidden), nn.GELU())
        self.segment, self.adapt = nn.Linear(hidden, 1), nn.Linear(hidden, joint)
        for last in (self.segment, self.adapt):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        initial = torch.tensor([weights.saliency, weights.semantic, weights.temporal])
        self.used: Tensor
        self.register_buffer("used", (initial != 0).float())
        self.cue_weights = nn.Parameter(initial)

    def logits(self, segments: Segments, bank: Float[Tensor, "clause joint"]) -> tuple[Tensor, Tensor]:
        """Logits of segments [batch event], clauses [batch event clause]."""
        hidden = self.read(torch.cat([segments.shown, segments.cues], -1))
        value = segments.cues @ (self.cue_weights * self.used) + self.segment(hidden)[..., 0]
        return value.masked_fill(~segments.mask, -1e4), segments.names + self.adapt(hidden) @ bank.T

    def choose(
        self,
        segments: Segments,
        bank: Float[Tensor, "clause joint"],
        kinds: tuple[str, ...],
        group: int,
        generator: torch.Generator | None = None,
        given: Choices | None = None,
        one_kind: bool = False,
    ) -> Choices:
        """Draw ``group`` questions a video among the kinds allowed, or score the ones given.

        Order: kind, segment, clause of the target, clause of the anchor. The kind comes first, so that the few segments
        that are first or last do not make those questions rare, and it is the curriculum's: all that are allowed are as
        likely. Were it learnt, every question would soon be of the kinds that the Solver can but guess at, counts and
        durations, which are learnable for ever (docs/log.md). *before* and *after* need a neighbour on the right side;
        where a video has too few events for a kind, composing the question fails.

        Args:
            segments: the events.
            bank: the clauses in the joint space.
            kinds: that are allowed.
            group: G.
            generator: of the draws.
            given: choices to score again.
            one_kind: all questions of a video are of one kind, so that each is compared with its like.
        """
        value, clause_logits = self.logits(segments, bank)
        batch = len(value)

        def pick(logits: Tensor, chosen: Tensor | None) -> tuple[Tensor, Tensor]:
            log_p = logits.log_softmax(-1)
            if chosen is None:
                flat = torch.multinomial(log_p.exp().flatten(0, -2), 1, generator=generator)
                chosen = flat.view(logits.shape[:-1])
            return chosen, log_p.gather(-1, chosen[..., None])[..., 0]

        rows = torch.arange(batch, device=value.device)[:, None]
        if given is None:
            drawn = 1 if one_kind else group
            kind = torch.multinomial(self._open(segments, kinds).float(), drawn, replacement=True, generator=generator)
            kind = kind.expand(-1, group)
        else:
            kind = given.kind
        fitting = value[:, None].masked_fill(~self._fits(segments, kind), -1e4)
        target, log_target = pick(fitting, None if given is None else given.target)
        last = (segments.mask.sum(-1, keepdim=True) - 1).clamp(min=0)
        anchor = torch.minimum(self._anchor(kind, target).clamp(min=0), last)
        clause, log_clause = pick(clause_logits[rows, target], None if given is None else given.clause)
        other, log_other = pick(clause_logits[rows, anchor], None if given is None else given.anchor_clause)
        pair = anchor != target
        actions = torch.stack([torch.ones_like(pair)] * 2 + [pair], -1)
        return Choices(
            kind, target, anchor, clause, torch.where(pair, other, clause),
            torch.stack([log_target, log_clause, log_other], -1) * actions, actions,
        )  # fmt: skip

    @staticmethod
    def _open(segments: Segments, kinds: tuple[str, ...]) -> Bool[Tensor, "batch kind"]:
        """The kinds allowed that each video has the events for; all that are allowed where it has them for none."""
        number = segments.mask.sum(-1, keepdim=True)
        needed = torch.tensor([NEEDS.get(kind, 1) for kind in ASKABLE], device=number.device)
        wanted = torch.tensor([kind in kinds for kind in ASKABLE], device=number.device)
        enough = wanted & (number >= needed)
        return enough | (wanted & ~enough.any(-1, keepdim=True))

    @staticmethod
    def _fits(segments: Segments, kind: Int[Tensor, "batch group"]) -> Bool[Tensor, "batch group event"]:
        """Which events each kind can have as its target; any event where none fits."""
        event = torch.arange(segments.mask.shape[1], device=kind.device)[None, None]
        last = segments.mask.sum(-1)[:, None, None] - 1
        rules = {"first": event == 0, "last": event == last, "before": event < last, "after": event > 0}
        fits = segments.mask[:, None].expand(-1, kind.shape[1], -1)
        for name, rule in rules.items():
            fits = fits & (rule | (kind != ASKABLE.index(name))[..., None])
        return fits | ~fits.any(-1, keepdim=True)

    @staticmethod
    def _anchor(kind: Int[Tensor, "batch group"], target: Int[Tensor, "batch group"]) -> Int[Tensor, "batch group"]:
        """The event named in the question: the next one for *before*, the previous one for *after*."""
        before, after = ASKABLE.index("before"), ASKABLE.index("after")
        return target + (kind == before).long() - (kind == after).long()
