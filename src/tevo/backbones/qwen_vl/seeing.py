"""What the vision tower makes of videos, and how it comes to lie among the tokens of a row."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tevo.backbones.language import Watched
from tevo.errors import TevoError


def encode_steps(
    model: Any,  # noqa: ANN401 (transformers' own, without its head)
    patches: Float[Tensor, "step patch pixel"],
    grid: tuple[int, int],
    merge: int,
    max_patches: int,
) -> Float[Tensor, "layer step cell dim"]:
    """The vision tower's merged output: no step sees another, so they go through in any number at once.

    Args:
        model: whose tower it is.
        patches: of videos of one grid.
        grid: cells of a step, rows and columns.
        merge: patches of a cell, a side.
        max_patches: at once; one step always goes.
    """
    rows, columns = (side * merge for side in grid)
    layers = []
    for chunk in torch.split(patches, max(1, max_patches // (rows * columns))):
        shape = torch.tensor([[len(chunk), rows, columns]], device=patches.device)
        seen = model.get_video_features(chunk.flatten(0, 1), shape)
        deeper = [layer[0] for layer in getattr(seen, "deepstack_features", None) or ()]
        stacked = torch.stack([seen.pooler_output[0], *deeper])
        layers.append(stacked.view(len(stacked), len(chunk), -1, stacked.shape[-1]))
    return torch.cat(layers, dim=1)


def rows_of(
    videos: Sequence[Watched], encode: Callable[[Tensor, tuple[int, int]], Tensor], device: torch.device
) -> Float[Tensor, "layer cell dim"] | None:
    """Rows of all the videos, one after the other; one that comes again is encoded once. None: there is no video.

    Raises:
        TevoError: a video that was not made by ``watch``.
    """
    distinct = {id(video): video for video in videos}
    made = {key: video.values for key, video in distinct.items() if video.values is not None}
    for grid in sorted({video.grid for key, video in distinct.items() if key not in made}):
        alike = {key: v.patches for key, v in distinct.items() if key not in made and v.grid == grid}
        patches = [part for part in alike.values() if part is not None]
        if len(patches) < len(alike):
            raise TevoError("a watched video holds neither values nor patches: make it with watch()")
        told = encode(torch.cat(patches), grid)  # all in one pass: no step sees another
        made |= dict(zip(alike, torch.split(told, [len(part) for part in patches], dim=1), strict=True))
    rows = [made[id(video)].flatten(1, 2).to(device) for video in videos]
    return torch.cat(rows, dim=1) if rows else None


def embed(
    language: Any,  # noqa: ANN401 (the text side of a transformers Qwen-VL)
    ids: Int[Tensor, "token"],
    video_at: Int[Tensor, "cell"],
    seen: Float[Tensor, "layer row dim"] | None,
) -> tuple[Float[Tensor, "token dim"], dict[str, Any]]:
    """What goes into the language model: what was seen in place of the video tokens; and what it adds further down.

    Raises:
        TevoError: when there are not as many rows of features as video tokens.
    """
    embeds: Tensor = language.embed_tokens(ids)
    rows = 0 if seen is None else seen.shape[1]
    if rows != len(video_at):
        raise TevoError(f"{len(video_at)} video tokens in the prompts, {rows} rows of video features: not run")
    if seen is None:
        return embeds, {}
    seen = seen.to(embeds)
    embeds = embeds.index_copy(0, video_at, seen[0])
    if len(seen) == 1:
        return embeds, {}
    at = torch.zeros(1, len(embeds), dtype=torch.bool, device=embeds.device)
    at[0, video_at] = True
    return embeds, {"visual_pos_masks": at, "deepstack_visual_embeds": list(seen[1:])}
