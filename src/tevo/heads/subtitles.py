"""Subtitles for backbones without a language model: timed text as tokens in the space that video and text share.

Nothing here is learnt, since no subtitle is read in training (assumed throughout): a text token says what is spoken at
its time, and the video tokens of that time take it up. Off unless asked for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.base import TextEncoder
from tevo.structures import TimedText

TEXT_WEIGHT = 1.0  # assumed; length of what a text token adds to a video token, in lengths of the video token


class TextTokens(NamedTuple):
    """Subtitles as tokens: one a cue."""

    values: Float[Tensor, "cue joint"]  # unit norm
    spans: Float[Tensor, "cue 2"]  # seconds


def text_tokens(cues: Sequence[TimedText], encoder: TextEncoder, usual: Float[Tensor, "joint"]) -> TextTokens:
    """Cues as tokens: what sets each apart from text at large.

    All texts of a contrastive encoder share a large part of their embedding, which would tell only that something is
    said; it is taken off.

    Args:
        cues: one or more.
        encoder: whose ``encode_text`` shares a space with the video tokens.
        usual: what texts share, say the mean embedding of the phrase bank.
    """
    texts = list(dict.fromkeys(cue.text for cue in cues))
    apart = F.normalize(encoder.encode_text(texts) - usual, dim=-1)
    place = {text: index for index, text in enumerate(texts)}
    spans = torch.tensor([[cue.span.start_s, cue.span.end_s] for cue in cues], device=apart.device)
    return TextTokens(apart[[place[cue.text] for cue in cues]], spans)


def fuse(
    joint: Float[Tensor, "batch token joint"],
    token_spans: Float[Tensor, "batch token 2"],
    texts: Sequence[TextTokens | None],
) -> Float[Tensor, "batch token joint"]:
    """Video tokens with what is said at their time added: the mean of the text tokens, each by the time it shares.

    A token during which nothing is said stays as it is.

    Args:
        joint: video tokens in the shared space.
        token_spans: seconds that each saw.
        texts: of each row, None where there are none.
    """
    fused = joint.clone()
    for row, text in enumerate(texts):
        if text is None:
            continue
        spans = token_spans[row]
        start = torch.maximum(spans[:, None, 0], text.spans[None, :, 0])
        end = torch.minimum(spans[:, None, 1], text.spans[None, :, 1])
        shared = (end - start).clamp(min=0)  # [token, cue], seconds
        length = (spans[:, 1] - spans[:, 0]).clamp(min=1e-6)
        said = (shared / torch.maximum(shared.sum(-1), length)[:, None]) @ text.values.to(joint)
        fused[row] = joint[row] + TEXT_WEIGHT * joint[row].norm(dim=-1, keepdim=True) * said
    return fused
