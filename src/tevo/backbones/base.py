"""The door of a backbone: what tevo asks of a video model, and nothing more.

Subclass :class:`Backbone`, add :class:`TextEncoder` when text can land in the tokens' space or
:class:`~tevo.backbones.language.LanguageModel` when the model itself reads and writes, and every part of tevo
works with it; :class:`Tunable` when its tower may learn too. A role asks ``isinstance`` once, in its
constructor, and refuses in words.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from tevo.structures import VideoTokens


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """What the rest of tevo may know of a backbone.

    ``fingerprint`` changes whenever the same frames would give other tokens (architecture, weights,
    preprocessing); caches are keyed by it. Weights that only :meth:`TextEncoder.project` uses are not
    part of it: they act after the cache.
    """

    name: str
    dim: int  # of VideoTokens.values
    image_size_px: int  # frames are read at this square size
    frames_per_clip: int  # 1 for a frame encoder; frames come in whole clips
    fps: float  # default sampling rate, frames a second
    fingerprint: str


class Backbone(nn.Module, ABC):
    """A video tower: raw frames with their times in, tokens with their own time spans out."""

    spec: BackboneSpec

    @abstractmethod
    def encode_video(
        self, frames: UInt8[Tensor, "batch time 3 height width"], times_s: Float[Tensor, "batch time"]
    ) -> VideoTokens:
        """Encode raw uint8 RGB frames; the adapter resizes and normalises by itself.

        ``time`` is any positive number of frames, in ascending pts order, at any spacing: an adapter
        that works in clips pads the last one by repeating the last frame and masks nothing it saw.
        Every token's span (seconds) covers the frames it looked at, tokens ascend in time.
        """


@dataclass(frozen=True, slots=True)
class TowerParts:
    """Where the weights of a video tower lie: what the names of its parameters begin with."""

    whole: str
    blocks: tuple[str, ...]  # from the pixels on
    head: tuple[str, ...]  # behind the blocks: the last norm, the projection


class Tunable(ABC):
    """Capability: a tower of blocks that can be trained further (``TowerConfig.trainable``)."""

    @abstractmethod
    def tower_parts(self) -> TowerParts:
        """Which of this module's parameters are what. ``encode_video`` must let gradients through to them."""


class TextEncoder(ABC):
    """Capability: text that lands in the same space as the projected video tokens."""

    @abstractmethod
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        """Unit-norm embeddings, one row a text."""

    def project(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch joint"]:
        """Token values in the text's space. Identity unless the tower needs an alignment (phase 0)."""
        return values

    @property
    def teacher(self) -> Backbone | None:
        """The backbone whose token space ``project`` must be fitted to (phase 0), if any."""
        return None

    def fit_projection(
        self, values: Float[Tensor, "token dim"], targets: Float[Tensor, "token joint"], videos: Int[Tensor, "token"]
    ) -> dict[str, float]:
        """Fit ``project`` so that values land on the teacher's targets; returns figures to log.

        Args:
            values: tokens of this backbone, of many videos.
            targets: the teacher's embeddings of the same moments.
            videos: which video each row is of, numbered from 0.
        """
        raise TypeError(f"{type(self).__name__} has a teacher but does not say how to fit its projection")
