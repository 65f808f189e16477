"""The hierarchical evidence head: segments, frames, and relations across them, on top of the zero-shot signals.

Video-Zero's evidence is a set of spans; how a backbone without a language model finds them is not published, so this
head is ours (assumed throughout). Its last layers start at zero: before training it *is* the zero-shot backbone.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tevo.errors import TevoError
from tevo.heads.cues import activity, change, standardise
from tevo.heads.events import NUM_RELATIONS, Events, find_events, relations
from tevo.heads.layers import TimeAttention
from tevo.heads.queries import Queries
from tevo.heads.spans import SpanLogits
from tevo.prompts.grammar import KINDS
from tevo.structures import VideoTokens

SEGMENT_TOKENS = (8, 16)  # assumed: window lengths of the segment level, in tokens; half overlapping
PRIORS = ("state", "change", "peak")
NUM_CUES = 5


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class HeadConfig:
    """Size and parts of the heads."""

    hidden: int = 64  # width of the heads' layers
    attention_heads: int = 4
    relation_layers: int = 1  # cross-frame layers that see the question
    dropout: float = 0.1  # share of activations dropped in training
    cue_width: int = 3  # tokens on either side over which a change of similarity is measured
    prior: str = "change"  # zero-shot span signal: state | change | peak
    prior_scale: float = 1.5  # assumed; sharpness of the zero-shot spans
    prior_threshold: float = 0.4  # assumed; standard deviations above the mean from which a token counts as evidence
    answer_scale: float = 10.0  # assumed; sharpness of the zero-shot answers
    context_s: float = 1.5  # assumed; seconds before and after a span that tell what changed
    event_high: float = 0.5  # assumed; activity, in standard deviations, that an event reaches somewhere
    event_low: float = 0.0  # assumed; and below which it ends
    relation: bool = True  # attention across frames and segments (ablation)
    evidence_attention: bool = True  # the answer is read from the evidence, not from the whole video (ablation)

    def __post_init__(self) -> None:
        if self.prior not in PRIORS:
            raise TevoError(f"no zero-shot span signal {self.prior!r}; set prior to one of {', '.join(PRIORS)}")
        if self.hidden % (2 * self.attention_heads):
            raise TevoError(
                f"hidden = {self.hidden} does not give {self.attention_heads} attention heads an even width, which "
                "rotary positions need; make hidden a multiple of twice attention_heads"
            )


@dataclass(frozen=True, slots=True)
class VideoState:
    """The question-free side of a batch of videos; computed once, shared by all their questions."""

    tokens: VideoTokens
    joint: Float[Tensor, "batch token joint"]
    activity: Float[Tensor, "batch token"]
    hidden: Float[Tensor, "batch token hidden"]
    events: Events


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the head says of a batch of questions."""

    logits: SpanLogits
    hidden: Float[Tensor, "question token hidden"]
    query: Float[Tensor, "question hidden"]

    def take(self, index: Int[Tensor, "new"]) -> "Evidence":
        """Questions by index."""
        return Evidence(self.logits.take(index), self.hidden[index], self.query[index])


def phrase_cues(
    joint: Float[Tensor, "question token joint"],
    active: Float[Tensor, "question token"],
    queries: Queries,
    mask: Bool[Tensor, "question token"],
    width: int,
) -> dict[str, Float[Tensor, "question token"]]:
    """Zero-shot signals of a question, one number a token, standardised per video.

    ``state``: similarity of the token to the clause. ``change``: how far the similarity rises around the token, the
    reading by which an image model sees an event. ``peak``: their mean with ``activity``. A question that names no
    clause takes ``activity`` for all.
    """
    similarity = (joint * queries.phrase[:, None]).sum(-1)
    state = standardise(similarity, mask)
    rise = standardise(change(similarity[..., None], mask, width)[..., 0], mask)
    named = (queries.phrase.abs().sum(-1) > 0)[:, None]
    return {
        "state": torch.where(named, state, active),
        "change": torch.where(named, rise, active),
        "peak": torch.where(named, (rise + active) / 2, active),
    }


def asked_about(
    token_spans: Float[Tensor, "question token 2"], mask: Bool[Tensor, "question token"], queries: Queries
) -> Bool[Tensor, "question token"]:
    """Tokens whose middle lies in the seconds that a question names; all where it names none, or none lies there."""
    middle = token_spans.mean(-1)
    inside = (middle >= queries.within[:, :1]) & (middle <= queries.within[:, 1:]) & mask
    return torch.where(inside.any(-1, keepdim=True), inside, mask)


def relative_place(
    times: Float[Tensor, "question token"], mask: Bool[Tensor, "question token"]
) -> Float[Tensor, "question token"]:
    """Place of each valid token between the first (-1) and the last (1) of its video, by time; 0 where masked."""
    first = times.masked_fill(~mask, torch.inf).amin(-1, keepdim=True)
    last = times.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True)
    return torch.where(mask, 2 * (times - first) / (last - first).clamp(min=1e-6) - 1, 0.0)


class HierarchicalEvidenceHead(nn.Module):
    """Finds the spans that a question rests on.

    Args:
        dim: of the backbone's tokens.
        joint: of the space shared with text.
        config: sizes and ablations.
    """

    def __init__(self, dim: int, joint: int, config: HeadConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.config = config
        self.enter = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden))
        self.local = nn.Sequential(nn.Linear(4 * hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.video_layer = TimeAttention(hidden, config.attention_heads, config.dropout, config.relation)
        self.kind = nn.Embedding(len(KINDS), hidden)
        self.query = nn.Sequential(nn.Linear(joint + hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.match = nn.Linear(joint, hidden)
        self.film = nn.Linear(hidden, 2 * hidden)
        self.cues = nn.Linear(NUM_CUES, hidden)
        self.placed = nn.Linear(NUM_RELATIONS, hidden, bias=False)
        self.scale = nn.Embedding(len(SEGMENT_TOKENS) + 1, hidden)
        self.relations = nn.ModuleList(
            TimeAttention(hidden, config.attention_heads, config.dropout, config.relation)
            for _ in range(config.relation_layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.frame_out, self.segment_out = nn.Linear(hidden, 3), nn.Linear(hidden, 1)
        self.more_out = nn.Linear(hidden, 1)
        for last in (self.frame_out, self.segment_out, self.more_out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.trust = nn.Embedding(len(KINDS), 1)  # of the zero-shot signal, learnt per kind of question
        nn.init.ones_(self.trust.weight)
        self.meaning = nn.Embedding(len(KINDS), 3 * NUM_RELATIONS)  # of an event's place, learnt per kind of question
        nn.init.zeros_(self.meaning.weight)

    def watch(self, tokens: VideoTokens, joint: Float[Tensor, "batch token joint"]) -> VideoState:
        """The question-free side: local change at several widths, then attention in time."""
        x = self.enter(tokens.values) * tokens.mask[..., None]
        changes = [change(x, tokens.mask, width) for width in (1, 2, 4)]
        x = x + self.local(torch.cat([x, *changes], -1))
        x = self.video_layer(x, tokens.spans.mean(-1), tokens.mask)
        active, config = activity(tokens.values, tokens.mask), self.config
        high, low = config.event_high, config.event_low
        events = find_events(active, joint, tokens.spans, tokens.mask, high, low, config.context_s)
        return VideoState(tokens, joint, active, x, events)

    def forward(self, state: VideoState, queries: Queries) -> Evidence:
        """Span logits of every question over the tokens of its video."""
        rows = queries.rows
        spans, mask = state.tokens.spans[rows], state.tokens.mask[rows]
        active = state.activity[rows]
        cues = phrase_cues(state.joint[rows], active, queries, mask, self.config.cue_width)
        query = self.query(torch.cat([queries.phrase, self.kind(queries.kind)], -1))
        times = spans.mean(-1)
        place = relations(state.events, rows, queries.phrase, self.config.answer_scale)
        open_to = asked_about(spans, mask, queries)
        signals = torch.stack([cues["state"], cues["change"], active, open_to, relative_place(times, mask)], -1)
        x = self._ask(state, queries, query, signals)
        x = x + self.placed(place)
        segments, segment_times, segment_mask, member = self._segments(x, times, mask)
        both = torch.cat([x + self.scale.weight[0], segments], 1)
        both_times, both_mask = torch.cat([times, segment_times], 1), torch.cat([mask, segment_mask], 1)
        for layer in self.relations:
            both = layer(both, both_times, both_mask)
        both = self.norm(both)
        frames, segments = both[:, : x.shape[1]], both[:, x.shape[1] :]
        meaning = self.meaning(queries.kind).unflatten(-1, (NUM_RELATIONS, 3))
        start, end, inside = (self.frame_out(frames) + place @ meaning).unbind(-1)
        coarse = (self.segment_out(segments)[..., 0] * segment_mask) @ member
        prior = self.config.prior_scale * (cues[self.config.prior] - self.config.prior_threshold)
        inside = inside + coarse + prior * self.trust(queries.kind)
        more = self.more_out(query)[:, 0]
        return Evidence(SpanLogits(start, end, inside, more, open_to), frames, query)

    def _ask(
        self,
        state: VideoState,
        queries: Queries,
        query: Float[Tensor, "question hidden"],
        signals: Float[Tensor, "question token cue"],
    ) -> Float[Tensor, "question token hidden"]:
        """Frame level: each token meets the question (a product with the clause, a gain and shift, the cues)."""
        x = state.hidden[queries.rows]
        gain, shift = self.film(query)[:, None].chunk(2, -1)
        clause = self.match(queries.phrase)[:, None]
        asked: Tensor = x * (1 + gain) + shift + x * clause + self.cues(signals)
        return asked * state.tokens.mask[queries.rows][..., None]

    def _segments(
        self,
        x: Float[Tensor, "question token hidden"],
        times: Float[Tensor, "question token"],
        mask: Bool[Tensor, "question token"],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Segment level: half-overlapping windows at several scales, and each one's share in the tokens it covers.

        A window begins wherever half a window fits before it, whatever the padded length: windows of padding alone
        are masked out, so that a video in longer company has the windows it has alone.
        """
        tokens = x.shape[1]
        parts, members = [], []
        for scale, size in enumerate(SEGMENT_TOKENS):
            starts = torch.arange(0, tokens, size // 2, device=x.device)
            here = torch.arange(tokens, device=x.device)
            member = ((here >= starts[:, None]) & (here < starts[:, None] + size)).to(x.dtype)
            members.append(member)
            weight = member * mask[:, None]
            parts.append((weight / weight.sum(-1, keepdim=True).clamp(min=1)) @ x + self.scale.weight[scale + 1])
        member = torch.cat(members)
        count = (member * mask[:, None]).sum(-1)
        at = (member * mask[:, None] * times[:, None]).sum(-1) / count.clamp(min=1)
        share = member / member.sum(0, keepdim=True)
        return torch.cat(parts, 1), at, count > 0, share
