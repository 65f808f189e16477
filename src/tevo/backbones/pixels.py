"""From raw frames to what a model was trained on: size and normalisation."""

from collections.abc import Iterable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

RGB = tuple[float, float, float]

IMAGENET_MEAN: RGB = (0.485, 0.456, 0.406)
IMAGENET_STD: RGB = (0.229, 0.224, 0.225)


def rgb(values: Iterable[float | int]) -> RGB:
    """Three channel values from whatever sequence a library keeps them in."""
    red, green, blue = values
    return float(red), float(green), float(blue)


def normalise_frames(
    frames: UInt8[Tensor, "frame 3 height width"],
    size_px: int,
    mean: RGB,
    std: RGB,
    interpolation: str = "bicubic",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "frame 3 size size"]:
    """Resize whole frames to a square (antialiased, only when the size differs) and normalise.

    Args:
        frames: raw RGB, 0..255.
        size_px: side of the square the model wants.
        mean: per channel, of pixels scaled to 0..1.
        std: per channel, of pixels scaled to 0..1.
        interpolation: "bicubic" or "bilinear".
        dtype: of the result.
    """
    pixels = frames.to(torch.float32)
    if frames.shape[-2:] != (size_px, size_px):
        pixels = F.interpolate(pixels, (size_px, size_px), mode=interpolation, align_corners=False, antialias=True)
        pixels = pixels.clamp_(0.0, 255.0)  # bicubic overshoots at edges
    scale = pixels.new_tensor(std).mul(255.0).reciprocal().view(1, 3, 1, 1)
    offset = pixels.new_tensor(mean).div(pixels.new_tensor(std)).view(1, 3, 1, 1)
    return pixels.mul(scale).sub_(offset).to(dtype)
