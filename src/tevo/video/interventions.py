"""Counterfactual views of a video: masked, cropped to the evidence, shuffled, absent. Batched, pure."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.structures import FrameBatch, VideoTokens

TRIED_PLACES = 32  # assumed: random places tried for a span that should avoid the evidence


def touches(
    token_spans: Float[Tensor, "batch token 2"],
    spans: Float[Tensor, "batch k 2"],
    span_mask: Bool[Tensor, "batch k"],
) -> Bool[Tensor, "batch token"]:
    """Whether a token saw any part of the spans.

    Stretches that merely meet at an end do not touch; a token (or span) of no length does when it lies inside
    the other or on its border.
    """
    start = torch.maximum(token_spans[:, :, None, 0], spans[:, None, :, 0])
    end = torch.minimum(token_spans[:, :, None, 1], spans[:, None, :, 1])
    token_is_point = (token_spans[..., 1] <= token_spans[..., 0])[:, :, None]
    span_is_point = (spans[..., 1] <= spans[..., 0])[:, None, :]
    overlap = (end > start) | ((token_is_point | span_is_point) & (end == start))
    return (overlap & span_mask[:, None, :]).any(dim=-1)


def mask_spans(
    tokens: VideoTokens, spans: Float[Tensor, "batch k 2"], span_mask: Bool[Tensor, "batch k"]
) -> VideoTokens:
    """Hide the evidence: every token that saw any part of the spans becomes invalid, values untouched.

    Args:
        tokens: what the backbone saw.
        spans: seconds, padded.
        span_mask: True where a span is valid.
    """
    hidden = touches(tokens.spans, spans, span_mask)
    return VideoTokens(tokens.values, tokens.spans, tokens.mask & ~hidden)


def keep_spans(
    tokens: VideoTokens, spans: Float[Tensor, "batch k 2"], span_mask: Bool[Tensor, "batch k"]
) -> VideoTokens:
    """Show the evidence alone: only tokens that saw a part of the spans stay valid."""
    shown = touches(tokens.spans, spans, span_mask)
    return VideoTokens(tokens.values, tokens.spans, tokens.mask & shown)


def random_span(
    durations: Float[Tensor, "batch"],
    lengths: Float[Tensor, "batch"],
    generator: torch.Generator,
    avoid: tuple[Float[Tensor, "batch k 2"], Bool[Tensor, "batch k"]] | None = None,
    starts_s: Float[Tensor, "batch"] | None = None,
) -> Float[Tensor, "batch 2"]:
    """A span of given length at a random place, clear of the spans to avoid wherever the video has room for it.

    Where there is no room, the place that overlaps least of those tried is taken (ALGORITHM: key specificity
    compares the evidence with a random span of the same length).

    Args:
        durations: seconds, of each video.
        lengths: seconds wanted; cut to the duration where longer.
        generator: on the CPU; the same generator state gives the same spans on any device.
        avoid: spans in seconds and their mask (True where valid), or None.
        starts_s: where each video begins (pts); 0 when None.

    Returns:
        One span in seconds a video.
    """
    begin = torch.zeros_like(durations) if starts_s is None else starts_s
    lengths = torch.minimum(lengths.clamp(min=0.0), durations)
    room = durations - lengths
    tried = torch.rand(len(durations), TRIED_PLACES, generator=generator).to(durations)
    places = begin[:, None] + tried * room[:, None]
    if avoid is None:
        start = places[:, 0]
        return torch.stack([start, start + lengths], dim=-1)
    spans, span_mask = avoid
    # Right before and right after each span: if there is any free place, one of these is free.
    edges = torch.cat([spans[..., 1], spans[..., 0] - lengths[:, None], begin[:, None], (begin + room)[:, None]], 1)
    edges = torch.minimum(torch.maximum(edges, begin[:, None]), (begin + room)[:, None])
    places = torch.cat([places, edges], dim=1)
    overlap = _overlap_s(torch.stack([places, places + lengths[:, None]], dim=-1), spans, span_mask)
    # A hair of overlap is rounding. argmin takes the first of equals: random places come before edges.
    overlap = torch.where(overlap < 1e-4, 0.0, overlap)
    start = places.gather(1, overlap.argmin(dim=1, keepdim=True))[:, 0]
    return torch.stack([start, start + lengths], dim=-1)


def shuffled(batch: FrameBatch, generator: torch.Generator) -> FrameBatch:
    """The same frames in a random order under the same times: what is left is what order does not tell."""
    order = torch.randperm(len(batch.frames), generator=generator).to(batch.frames.device)
    return FrameBatch(batch.frames[order], batch.times_s)


def no_video(tokens: VideoTokens) -> VideoTokens:
    """No token is valid: the model answers from the question alone (heads put their null token there)."""
    return VideoTokens(tokens.values, tokens.spans, torch.zeros_like(tokens.mask))


def _overlap_s(
    placed: Float[Tensor, "batch place 2"], spans: Float[Tensor, "batch k 2"], span_mask: Bool[Tensor, "batch k"]
) -> Float[Tensor, "batch place"]:
    """Seconds that each place shares with the spans."""
    start = torch.maximum(placed[:, :, None, 0], spans[:, None, :, 0])
    end = torch.minimum(placed[:, :, None, 1], spans[:, None, :, 1])
    return ((end - start).clamp(min=0.0) * span_mask[:, None, :]).sum(dim=-1)
