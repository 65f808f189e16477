"""How many frames at which size fit a token budget, and the patches that the published models read.

Source: the preprocessing of Qwen2-VL (arXiv 2409.12191) as in transformers' ``Qwen2VLVideoProcessor``. Changed: the
budget is one hard bound on a video's tokens, met by resolution first and then by frames; nothing is ever enlarged.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.pixels import RGB
from tevo.errors import TevoError


@dataclass(frozen=True, slots=True)
class PatchFormat:
    """What a vision tower wants of pixels."""

    patch_px: int
    merge: int  # patches merged into one cell, along each side
    frames: int  # merged into one step
    mean: RGB
    std: RGB

    @property
    def cell_px(self) -> int:
        """Side of what becomes one token."""
        return self.patch_px * self.merge


def fit_budget(
    num_frames: int, height_px: int, width_px: int, form: PatchFormat, max_tokens: int, min_cells: int = 16
) -> tuple[int, int, int]:
    """Steps, rows and columns of cells for a video: as many as the budget allows.

    The size shrinks first, its shape kept, down to ``min_cells`` a step; then steps are left out.

    Args:
        num_frames: sampled frames.
        height_px: of a frame.
        width_px: of a frame.
        form: the tower's.
        max_tokens: bound on ``steps * rows * columns``.
        min_cells: a step does not shrink below so many cells (or its native number) while steps can be left out.

    Raises:
        TevoError: when not even one cell fits.
    """
    if max_tokens < 1 or num_frames < 1:
        raise TevoError(
            f"a video of {num_frames} frames was given a budget of {max_tokens} tokens; it needs at least one of each"
        )
    steps = math.ceil(num_frames / form.frames)
    native = _cells(height_px, width_px, form.cell_px, max_tokens)
    floor = min(min_cells, native[0] * native[1], max_tokens)
    steps = min(steps, max(1, max_tokens // floor))
    rows, columns = _cells(height_px, width_px, form.cell_px, max_tokens // steps)
    return steps, rows, columns


def _cells(height_px: int, width_px: int, cell_px: int, most: int) -> tuple[int, int]:
    """Rows and columns of a frame, at most ``most`` cells, its shape kept as well as whole cells can."""
    rows, columns = max(1, round(height_px / cell_px)), max(1, round(width_px / cell_px))
    if rows * columns > most:
        scale = math.sqrt(most * cell_px * cell_px / (height_px * width_px))
        rows = min(most, max(1, math.floor(height_px * scale / cell_px)))
        columns = max(1, min(most // rows, math.floor(width_px * scale / cell_px)))
        rows = min(rows, most // columns)
    return rows, columns


def spread(num_frames: int, wanted: int) -> Int[Tensor, "wanted"]:
    """Indices of ``wanted`` frames, evenly over all there are; the last one is repeated where there are too few."""
    if wanted >= num_frames:
        return torch.arange(wanted).clamp(max=num_frames - 1)
    return ((torch.arange(wanted) + 0.5) * num_frames / wanted).long()


def to_patches(
    frames: UInt8[Tensor, "time 3 height width"], form: PatchFormat, rows: int, columns: int
) -> Float[Tensor, "step patch pixel"]:
    """Resize whole frames, normalise, and cut them into the published order of patches.

    ``time`` is a multiple of ``form.frames``. Patches of one cell lie beside each other; a patch holds its channels,
    then its frames, then its pixels.
    """
    size, merge, patch = (rows * form.cell_px, columns * form.cell_px), form.merge, form.patch_px
    if frames.shape[-2:] != size:  # in 8 bits and on the CPU, as the published processors do: the same pixels
        frames = F.interpolate(frames.cpu(), size, mode="bicubic", align_corners=False, antialias=True)
    pixels = frames.float()
    mean, std = pixels.new_tensor(form.mean).view(3, 1, 1), pixels.new_tensor(form.std).view(3, 1, 1)
    pixels = (pixels / 255 - mean) / std
    cut = pixels.view(-1, form.frames, 3, rows, merge, patch, columns, merge, patch)
    return cut.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(len(cut), rows * columns * merge**2, -1)
