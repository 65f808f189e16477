"""A backbone of your own: one class, three methods. Frames as shares of named colours, phrases as their colour words.

In a config: ``class_path: my_backbone.MyBackbone``. Check it, or yours: ``python examples/my_backbone.py``.
"""

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones import Backbone, BackboneSpec, TextEncoder, frame_spans
from tevo.structures import VideoTokens

COLOURS = {
    "red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220), "yellow": (230, 210, 50),
    "orange": (240, 140, 30), "purple": (140, 60, 180), "black": (10, 10, 10), "white": (245, 245, 245),
}  # fmt: skip
WORD_DIMS = 8  # the other words share these, so that phrases without a colour differ


class MyBackbone(Backbone, TextEncoder):
    """Each frame is one token: which share of its pixels is nearest to which named colour."""

    def __init__(self, fps: float = 2.0) -> None:
        super().__init__()
        self.fps = fps
        self.register_buffer("palette", torch.tensor(list(COLOURS.values())).float(), persistent=False)
        self.spec = BackboneSpec(
            name="my_backbone", dim=len(COLOURS) + WORD_DIMS, image_size_px=32, frames_per_clip=1, fps=fps,
            fingerprint="colours-1",  # no weights: a name that changes when this code does
        )  # fmt: skip

    def encode_video(self, frames: Tensor, times_s: Tensor) -> VideoTokens:
        """Raw uint8 frames [batch, time, 3, height, width] and their seconds to one token a frame."""
        pixels = frames.flatten(3).transpose(2, 3).to(self.palette)
        nearest = torch.cdist(pixels, self.palette).argmin(dim=-1)
        shares = F.one_hot(nearest, len(COLOURS)).float().mean(dim=2)
        values = F.normalize(F.pad(shares, (0, WORD_DIMS)), dim=-1)
        spans = frame_spans(times_s.to(values), lone_frame_s=1 / self.fps)
        return VideoTokens(values, spans, torch.ones_like(spans[..., 0], dtype=torch.bool))

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Phrases to unit-norm vectors in the tokens' space: a colour word counts, any other word little."""
        rows = torch.zeros(len(texts), self.spec.dim)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                other = len(COLOURS) + zlib.crc32(word.encode()) % WORD_DIMS
                row[list(COLOURS).index(word) if word in COLOURS else other] += 1.0 if word in COLOURS else 0.1
        return F.normalize(rows, dim=-1).to(self.palette)


if __name__ == "__main__":
    from tevo.testing import check_backbone

    check_backbone(MyBackbone())
    print("MyBackbone keeps every promise of a backbone")
