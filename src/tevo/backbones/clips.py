"""Encoders that look at clips, runs of a fixed number of frames: any number of frames in, timed tokens out."""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.spans import frame_spans, tubelet_spans
from tevo.structures import VideoTokens

Encode = Callable[[Tensor], Tensor]
"""Clips of raw frames [clip, time, 3, height, width] in, their tokens [clip, token, dim] in order of time out."""


def encode_in_clips(
    frames: UInt8[Tensor, "batch time 3 height width"],
    times_s: Float[Tensor, "batch time"],
    encode: Encode,
    *,
    frames_per_clip: int,
    frames_per_token: int,
    clips_per_chunk: int,
    fps: float,
    device: torch.device,
) -> VideoTokens:
    """Cut videos into clips that lie end to end, encode them, and say which seconds each token stands for.

    The last clip is filled up by repeating the last frame, and tokens of repeats alone are dropped, so ``time`` frames
    give ``ceil(time / frames_per_token)`` tokens.

    Args:
        frames: raw RGB.
        times_s: seconds (pts) of each frame, ascending.
        encode: the model, on ``device``.
        frames_per_clip: a multiple of ``frames_per_token``.
        frames_per_token: a token's span is the share of time of so many frames.
        clips_per_chunk: clips encoded at once.
        fps: a lone frame stands for ``1 / fps`` seconds.
        device: where the model is.
    """
    batch, time = times_s.shape
    missing = -time % frames_per_clip
    index = torch.arange(time + missing, device=frames.device).clamp(max=time - 1)
    clips = frames[:, index].reshape(batch, -1, frames_per_clip, *frames.shape[2:])
    # on a CPU each video alone: rounding depends on the batch, and a resumed run must be bit-equal
    rows = clips if device.type == "cpu" else clips.flatten(0, 1).unsqueeze(0)
    values = torch.cat([encode(part.to(device)) for row in rows for part in torch.split(row, clips_per_chunk)])
    values = values.reshape(batch, -1, values.shape[-1])
    spans = tubelet_spans(frame_spans(times_s.to(values), 1.0 / fps), frames_per_token)
    return VideoTokens(values[:, : spans.shape[1]], spans, torch.ones_like(spans[..., 0], dtype=torch.bool))


def pool_regions(
    hidden: Float[Tensor, "clip patch dim"], side: int, grid: int
) -> Float[Tensor, "clip token dim*{grid}*{grid}"]:
    """One token a tubelet: the means over the patches of each region, row by row of the picture.

    Args:
        hidden: tubelet after tubelet, each of ``side`` x ``side`` patches.
        side: patches.
        grid: regions a side; those of a side that it does not divide share a row of patches.
    """
    clips, dim = len(hidden), hidden.shape[-1]
    maps = hidden.reshape(-1, side, side, dim).movedim(-1, 1)  # one a tubelet
    return F.adaptive_avg_pool2d(maps, grid).movedim(1, -1).reshape(clips, -1, grid * grid * dim)
