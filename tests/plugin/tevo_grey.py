"""CLIP that sees no colours, and a reward for short evidence: what a package of its own adds to tevo."""

from jaxtyping import Float, UInt8
from torch import Tensor

from tevo.backbones.clip import ClipBackbone
from tevo.backbones.tiny import CLIP_TINY, load_tiny, tiny_weights
from tevo.objectives import SolverFacts
from tevo.structures import VideoTokens


class GreyClip(ClipBackbone):
    """A CLIP whose frames lose their colour first."""

    def encode_video(
        self, frames: UInt8[Tensor, "batch time 3 height width"], times_s: Float[Tensor, "batch time"]
    ) -> VideoTokens:
        """One unit-norm token a frame, of its brightness alone."""
        grey = frames.float().mean(dim=2, keepdim=True).to(frames.dtype)
        return super().encode_video(grey.expand_as(frames), times_s)


def grey_clip_tiny(pretrained: str | None = "shipped") -> GreyClip:
    """The tiny weights, seeing grey."""
    backbone = GreyClip(CLIP_TINY, name="grey_clip_tiny")
    if pretrained is not None:
        load_tiny(backbone.model, tiny_weights("clip_tiny", pretrained))
    return backbone


def brief(facts: SolverFacts) -> Float[Tensor, "prompt group"]:
    """1 for evidence of no length, falling to 0 at ten seconds."""
    seconds = ((facts.spans[..., 1] - facts.spans[..., 0]) * facts.span_mask).sum(-1)
    return (1 - seconds / 10).clamp(min=0)
