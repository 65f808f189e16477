"""The segment level of the evidence: what happens in a video, event by event, and where a question's event stands.

No training and no thresholds on text: runs of activity are events, each is described by what changed in it, and a
question's clause is matched with all of them. What the head is told per token is only how its event stands to the
named one (the same, the next, the one before) and in the video (the first, the last); what follows from that for a kind
of question is learnt.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.heads.cues import around, describe, standardise

NUM_RELATIONS = 7


@dataclass(frozen=True, slots=True)
class Events:
    """The runs of activity of a batch of videos, in order; padded to the most that a video has."""

    number: Int[Tensor, "batch token"]  # events begun so far: 0 before the first
    inside: Bool[Tensor, "batch token"]  # the token lies in the event of its number
    seen: Float[Tensor, "batch event joint"]  # what happens in it
    mask: Bool[Tensor, "batch event"]


def find_runs(
    signal: Float[Tensor, "batch token"], mask: Bool[Tensor, "batch token"], high: float, low: float
) -> tuple[Int[Tensor, "batch token"], Bool[Tensor, "batch token"]]:
    """Runs of a signal by hysteresis (not below ``low``, somewhere ``high``): runs begun so far, and who is in one."""
    above = (signal >= low) & mask
    begins = above & ~torch.cat([torch.zeros_like(above[:, :1]), above[:, :-1]], 1)
    label = begins.long().cumsum(1)
    peak = torch.full_like(signal, -torch.inf, dtype=signal.dtype)
    peak = torch.cat([peak[:, :1], peak], 1).scatter_reduce(1, label, signal.where(above, -torch.inf), "amax")
    strong = peak.gather(1, label) >= high
    return (begins & strong).long().cumsum(1), above & strong


def find_events(
    active: Float[Tensor, "batch token"],
    joint: Float[Tensor, "batch token joint"],
    token_spans: Float[Tensor, "batch token 2"],
    mask: Bool[Tensor, "batch token"],
    high: float,
    low: float,
    context_s: float,
) -> Events:
    """Events of every video, and what is seen to happen in each (:func:`~tevo.heads.cues.describe`).

    Args:
        active: activity in standard deviations.
        joint: tokens in the text's space.
        token_spans: seconds that each token saw.
        mask: valid tokens.
        high: an event reaches this activity somewhere.
        low: and does not fall below this.
        context_s: seconds before and after an event that tell what changed.
    """
    number, inside = find_runs(active, mask, high, low)
    most = max(1, int(number.max()))
    owner = number.where(inside, 0)
    width = (len(number), most + 1)
    first = token_spans.new_full(width, torch.inf).scatter_reduce(1, owner, token_spans[..., 0], "amin")[:, 1:]
    last = token_spans.new_full(width, -torch.inf).scatter_reduce(1, owner, token_spans[..., 1], "amax")[:, 1:]
    real = torch.arange(1, most + 1, device=number.device) <= number.amax(-1, keepdim=True)
    spans = torch.stack([first, last], -1).where(real[..., None], -1.0)
    seen = describe(joint, mask, *around(token_spans, mask, spans, context_s))
    return Events(number, inside, seen * real[..., None], real)


def relations(
    events: Events, rows: Int[Tensor, "question"], phrase: Float[Tensor, "question joint"], scale: float
) -> Float[Tensor, "question token relation"]:
    """How each token's event stands to the one that a question names, and in its video; zero outside events.

    In turn: in an event; in the first; in the last; probability that it is the named one, the next after it, the one
    before it; similarity to the clause, standardised over the video's events. The last four are zero where a question
    names nothing.

    Args:
        events: of the batch's videos.
        rows: which video each question is about.
        phrase: the clause in the text's space; zero where a question names no event.
        scale: sharpness with which a clause is matched with an event.
    """
    mask, number = events.mask[rows], events.number[rows]
    named = (phrase.abs().sum(-1) > 0)[:, None]
    similarity = torch.einsum("qej,qj->qe", events.seen[rows], phrase)
    likely = (scale * similarity).masked_fill(~mask, -1e4).softmax(-1) * (mask & named)
    alike = standardise(similarity, mask) * named
    most, total = mask.shape[1], mask.sum(-1, keepdim=True)

    def at(values: Tensor, shift: int) -> Tensor:
        index = number - 1 + shift
        return values.gather(1, index.clamp(0, most - 1)) * ((index >= 0) & (index < most))

    one = torch.ones_like(likely[:, :1]).expand_as(number)
    parts = [
        one,
        one * (number == 1),
        one * (number == total),
        at(likely, 0),
        at(likely, -1),
        at(likely, 1),
        at(alike, 0),
    ]
    return torch.stack(parts, -1) * events.inside[rows][..., None]
