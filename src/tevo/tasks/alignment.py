"""Phase 0: a backbone without words learns, label-free, where its tokens lie in its text tower's space."""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tevo.backbones.base import TextEncoder
from tevo.data.datasets import VideoBatch
from tevo.structures import VideoTokens


def average_over(
    teacher: VideoTokens, spans: Float[Tensor, "batch token 2"], mask: Tensor
) -> tuple[Float[Tensor, "pair joint"], Tensor]:
    """Mean of the teacher's tokens whose middle lies in each span, unit norm, and which spans have any.

    Returns:
        One row for every valid span with a teacher token in it, in order, and the boolean [batch, token] of those.
    """
    middle = teacher.spans.mean(-1)[:, None]
    member = (middle >= spans[..., :1]) & (middle <= spans[..., 1:]) & teacher.mask[:, None]
    found = member.any(-1) & mask
    weight = member.to(teacher.values.dtype)
    mean = (weight @ teacher.values) / weight.sum(-1, keepdim=True).clamp(min=1)
    return nn.functional.normalize(mean[found], dim=-1), found


def fit_alignment(encoder: TextEncoder, pairs: Iterable[tuple[VideoBatch, VideoTokens]]) -> dict[str, float]:
    """Fit ``encoder.project`` on videos seen by both towers; the figures that ``fit_projection`` reports.

    Args:
        encoder: has a teacher.
        pairs: the videos' own tokens beside the teacher's tokens of the same videos.
    """
    values, targets, numbers, first = [], [], [], 0
    for videos, teacher in pairs:
        goal, found = average_over(teacher, videos.tokens.spans, videos.tokens.mask)
        values.append(videos.tokens.values[found])
        targets.append(goal)
        numbers.append(found.nonzero()[:, 0] + first)
        first += len(found)
    return encoder.fit_projection(torch.cat(values), torch.cat(targets), torch.cat(numbers))


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    """Names of the entries that phase 0 has written: they belong in a checkpoint, frozen weights do not."""
    return {name for name, tensor in after.items() if not torch.equal(before[name], tensor)}
