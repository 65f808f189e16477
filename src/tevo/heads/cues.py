"""What can be read off frozen tokens without training: change in time, and similarity to a clause.

These signals are the zero-shot model (round 0), the Questioner's proposals, and inputs of the evidence head.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.ops import masked_mean

ROUNDING = 1e-5  # share of the tokens' length by which equal tokens may seem to differ


def standardise(
    signal: Float[Tensor, "*batch token"], mask: Bool[Tensor, "*batch token"]
) -> Float[Tensor, "*batch token"]:
    """Zero mean and unit variance over the valid tokens of each row; zero where masked or where nothing varies."""
    mean = masked_mean(signal, mask, -1)[..., None]
    variance = masked_mean((signal - mean) ** 2, mask, -1)[..., None]
    return torch.where(mask, (signal - mean) / (variance + 1e-8).sqrt(), 0.0)


def neighbour_means(
    values: Float[Tensor, "batch token dim"], mask: Bool[Tensor, "batch token"], width: int
) -> tuple[Float[Tensor, "batch token dim"], Float[Tensor, "batch token dim"]]:
    """Mean of the ``width`` valid tokens before, and of the ``width`` from each token on (itself included).

    A side that lies outside the video (or is masked throughout) takes the token itself: no change is seen there.
    """
    weight = mask.to(values.dtype)[..., None]
    total = torch.cat([torch.zeros_like(values[:, :1]), (values * weight).cumsum(1)], 1)
    count = torch.cat([torch.zeros_like(weight[:, :1]), weight.cumsum(1)], 1)
    tokens = values.shape[1]
    here = torch.arange(tokens, device=values.device)
    low, high = (here - width).clamp(min=0), (here + width).clamp(max=tokens)

    def mean(start: Tensor, end: Tensor) -> Tensor:
        number = count[:, end] - count[:, start]
        return torch.where(number > 0, (total[:, end] - total[:, start]) / number.clamp(min=1), values)

    return mean(low, here), mean(here, high)


def change(
    values: Float[Tensor, "batch token dim"], mask: Bool[Tensor, "batch token"], width: int
) -> Float[Tensor, "batch token dim"]:
    """How the tokens change at each moment: the mean of the next ``width`` minus the mean of the last ``width``."""
    before, after = neighbour_means(values, mask, width)
    return (after - before) * mask[..., None]


def activity(
    values: Float[Tensor, "batch token dim"], mask: Bool[Tensor, "batch token"], widths: tuple[int, ...] = (1, 2, 4)
) -> Float[Tensor, "batch token"]:
    """Visual saliency in time: how much happens at each token, standardised per video (1 = one deviation).

    The norm of :func:`change` at several widths, each standardised, then averaged and smoothed over three tokens. A
    change that rounding alone would explain is none: a still video has no activity, however long.
    """
    least = ROUNDING * masked_mean(values.norm(dim=-1), mask, -1)[:, None]
    centred = values - masked_mean(values, mask[..., None], 1)[:, None]
    norms = [change(centred, mask, width).norm(dim=-1) for width in widths]
    norms = [standardise(torch.where(norm > least, norm, 0.0), mask) for norm in norms]
    mean = torch.stack(norms).mean(0)[..., None]
    previous, _ = neighbour_means(mean, mask, 1)
    following, _ = (side.flip(1) for side in neighbour_means(mean.flip(1), mask.flip(1), 1))
    return standardise(((previous + mean + following) / 3)[..., 0], mask)


def describe(
    values: Float[Tensor, "batch token dim"],
    mask: Bool[Tensor, "batch token"],
    inside: Float[Tensor, "batch segment token"],
    before: Float[Tensor, "batch segment token"],
    after: Float[Tensor, "batch segment token"],
) -> Float[Tensor, "batch segment dim"]:
    """What happens in a segment: the change from before to after, plus what is seen only in between.

    ``(a - b) + (m - (a + b) / 2)`` with b, m, a the means of the tokens before, inside and after the segment; an
    image-text model scores a clause by its similarity to this. Weights are masks or soft weights over tokens. A side
    without tokens (a segment at the video's end, a masked neighbour) counts as the inside, and an inside without
    tokens as what lies between its sides; where there is no token at all, nothing happens (zero).
    """

    def mean(weights: Tensor) -> tuple[Tensor, Tensor]:
        weights = weights * mask[:, None]
        total = weights.sum(-1, keepdim=True)
        return (weights @ values) / total.clamp(min=1e-6), total > 1e-6

    (middle, seen), (start, begun), (end, ended) = mean(inside), mean(before), mean(after)
    start = torch.where(begun, start, torch.where(seen, middle, end))
    end = torch.where(ended, end, torch.where(seen, middle, start))
    return (end - start) + torch.where(seen, middle - (start + end) / 2, 0.0)


def around(
    token_spans: Float[Tensor, "batch token 2"],
    mask: Bool[Tensor, "batch token"],
    spans: Float[Tensor, "batch segment 2"],
    context_s: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights of the tokens inside a span, and of those up to ``context_s`` seconds before and after it.

    A token belongs to the part in which its middle lies. Each is float [batch, segment, token].
    """
    middle = token_spans.mean(-1)[:, None]
    start, end = spans[..., :1], spans[..., 1:]
    valid = mask[:, None]
    inside = (middle >= start) & (middle <= end) & valid
    before = (middle < start) & (middle >= start - context_s) & valid
    after = (middle > end) & (middle <= end + context_s) & valid
    return inside.to(token_spans.dtype), before.to(token_spans.dtype), after.to(token_spans.dtype)
