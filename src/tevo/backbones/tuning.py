"""Training a video tower further: which of its weights learn, kept apart from the frozen backbone.

The backbone itself is never changed: a tuned tower holds new values for some of its weights (or low-rank additions to
them) and puts them in their place while it encodes. So the frozen one stays what round 0 was, and several towers may be
tuned on one backbone.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from tevo.backbones.base import Backbone, Tunable
from tevo.errors import TevoError
from tevo.structures import FrameBatch, VideoTokens

CHOICES = ("none", "head", "last_n", "lora", "all")


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class TowerConfig:
    """Whether the video tower learns too, and how much of it.

    Raises:
        TevoError: for another choice, or a number that is not positive.
    """

    trainable: str = "none"  # none | head (last norm and projection) | last_n (blocks, and head) | lora | all
    last_n: int = 2  # blocks, for last_n
    lora_rank: int = 8  # assumed; of the additions to every matrix of every block, for lora
    lr: float = 1e-5  # assumed; learning rate of the tower, in every objective
    frames_at_once: int = 32  # assumed; more is faster and takes more memory for gradients

    def __post_init__(self) -> None:
        if self.trainable not in CHOICES:
            raise TevoError(f"tower.trainable must be one of {', '.join(CHOICES)}, got {self.trainable!r}")
        if min(self.last_n, self.lora_rank, self.frames_at_once) < 1:
            raise TevoError(
                f"tower.last_n, lora_rank and frames_at_once must be at least 1, got {self.last_n}, {self.lora_rank} "
                f"and {self.frames_at_once}"
            )


class TunedTower(nn.Module):
    """A backbone's video tower with weights of its own in the place of some of the frozen ones.

    Until it is trained it encodes as the backbone does.

    Args:
        backbone: stays as it is; not a submodule.
        config: what learns; not ``none``.

    Raises:
        TevoError: when the backbone does not say which of its weights are what.
    """

    def __init__(self, backbone: Backbone, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        self._encoder = (_Encoder(backbone),)  # in a tuple: frozen, and saved with nobody
        frozen = dict(backbone.named_parameters())
        self.names = _chosen(backbone, config, frozen)
        self.low_rank = config.trainable == "lora"
        self.own = nn.ParameterDict()
        for name in self.names:
            weight, key = frozen[name].detach(), _key(name)
            if self.low_rank:  # A is random and B zero: nothing is added at first
                rows, columns = weight.flatten(1).shape
                random = weight.new_empty(config.lora_rank, columns).normal_(std=1 / math.sqrt(columns))
                self.own[f"{key}/a"] = nn.Parameter(random)
                self.own[f"{key}/b"] = nn.Parameter(weight.new_zeros(rows, config.lora_rank))
            else:
                self.own[key] = nn.Parameter(weight.clone())

    def weights(self) -> dict[str, Tensor]:
        """The weights that are put in the frozen ones' place, by their name in the backbone."""
        if not self.low_rank:
            return {name: self.own[_key(name)] for name in self.names}
        frozen = dict(self._encoder[0].backbone.named_parameters())
        added = {name: self.own[f"{_key(name)}/b"] @ self.own[f"{_key(name)}/a"] for name in self.names}
        return {name: frozen[name] + extra.view_as(frozen[name]) for name, extra in added.items()}

    def look(self, videos: Iterable[FrameBatch], seen: VideoTokens) -> VideoTokens:
        """What the tuned tower sees, in the place of what the frozen one saw in the same frames.

        With gradients, activations of ``frames_at_once`` frames are held at a time; the others' are computed again on
        the way back.

        Args:
            videos: the frames of each row.
            seen: the frozen backbone's tokens of them, padded; spans and mask are taken over.
        """
        weights = {f"backbone.{name}": weight for name, weight in self.weights().items()}
        encode = partial(functional_call, self._encoder[0], weights)
        rows = [self._one(encode, video, seen.values.device) for video in videos]
        width = seen.values.shape[1]
        values = torch.stack([nn.functional.pad(row, (0, 0, 0, width - len(row))) for row in rows])
        return VideoTokens(values, seen.spans, seen.mask)

    def _one(
        self, encode: Callable[[tuple[Tensor, Tensor]], Tensor], video: FrameBatch, device: torch.device
    ) -> Float[Tensor, "token dim"]:
        clip = self._encoder[0].backbone.spec.frames_per_clip
        size = max(1, self.config.frames_at_once // clip) * clip  # whole clips: the parts make the tokens of the whole
        parts = zip(torch.split(video.frames, size), torch.split(video.times_s, size), strict=True)
        inputs = [(frames.to(device), times.to(device)) for frames, times in parts]
        if not torch.is_grad_enabled():
            return torch.cat([encode(part) for part in inputs])
        return torch.cat([checkpoint(encode, part, use_reentrant=False) for part in inputs])


class _Encoder(nn.Module):
    """``encode_video`` of one video as a forward pass, which ``functional_call`` wants."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(
        self, frames: UInt8[Tensor, "time 3 height width"], times_s: Float[Tensor, "time"]
    ) -> Float[Tensor, "token dim"]:
        return self.backbone.encode_video(frames[None], times_s[None]).values[0]


def _chosen(backbone: Backbone, config: TowerConfig, frozen: dict[str, nn.Parameter]) -> list[str]:
    """Names of the weights that learn."""
    if not isinstance(backbone, Tunable):
        raise TevoError(
            f"{type(backbone).__name__} does not say which of its weights are its tower's: give it a `tower_parts` "
            "(tevo.backbones.Tunable), or leave tower.trainable at none"
        )
    parts = backbone.tower_parts()
    wanted = {
        "head": parts.head,
        "last_n": (*parts.blocks[-config.last_n :], *parts.head),
        "lora": parts.blocks,
        "all": (parts.whole,),
    }[config.trainable]
    prefixes = tuple(f"{part}." for part in wanted)
    names = [name for name in frozen if f"{name}.".startswith(prefixes)]
    if config.trainable == "lora":
        names = [name for name in names if frozen[name].ndim > 1]
    if not names:
        raise TevoError(f"{type(backbone).__name__} has no weights for tower.trainable {config.trainable!r}: {parts}")
    return names


def _key(name: str) -> str:
    """A parameter's name may hold no dot."""
    return name.replace(".", "/")
