"""VideoMAE through transformers: one token a tubelet; words come from a paired text tower.

Source: Tong et al., "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video
Pre-Training" (2022); weights: https://huggingface.co/MCG-NJU. Deviation: the encoder has no words, so a linear
map fitted without labels takes its tokens into the joint space of an image-text model.
"""

import json
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.alignment import change_explained, fit_ridge, mean_cosine, stress_change
from tevo.backbones.base import Backbone, BackboneSpec, TextEncoder, TowerParts, Tunable
from tevo.backbones.clips import encode_in_clips, pool_regions
from tevo.backbones.fetching import Pretrained, cannot_load
from tevo.backbones.fingerprint import module_fingerprint
from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD, RGB, normalise_frames, rgb
from tevo.backbones.registry import build_backbone, register_backbone
from tevo.backbones.tiny import VIDEOMAE_TINY, load_tiny, tiny_weights
from tevo.errors import TevoError
from tevo.structures import VideoTokens

VIDEOMAE_BASE: dict[str, Any] = {"use_mean_pooling": False}
"""``VideoMAEConfig`` arguments of the published base encoder: the defaults, and a final layer norm."""

_ARCHITECTURE = (
    "image_size patch_size num_channels num_frames tubelet_size hidden_size num_hidden_layers num_attention_heads "
    "intermediate_size hidden_act layer_norm_eps qv_bias use_mean_pooling"
).split()


class VideoMAEBackbone(Backbone, TextEncoder, Tunable):
    """Clips of frames through VideoMAE's encoder; phrases through the paired text tower.

    ``values`` are the tubelets' last hidden states, layer-normed, averaged over the patches of each of ``grid`` x
    ``grid`` regions of the picture, region after region. Text is the tower's. ``project`` centres a token, maps it
    linearly into the tower's space and gives it unit norm; until :meth:`fit_projection` has run it is an arbitrary
    fixed map.

    Args:
        model: a hub id or a local folder of ``save_pretrained``, which bring their weights; or
            ``VideoMAEConfig`` arguments, for random ones.
        text_tower: the paired image-text backbone, or its registered name.
        name: what the spec calls it; the model's own name when empty.
        grid: regions a side; with 1 a token is the mean of all patches, in which no move is seen.
        frozen: weights take no gradient and the encoder stays in eval mode whatever a parent is told.
        fps: default sampling rate, frames a second.
        clips_per_chunk: clips that go through the encoder at once.
        ridge: strength of the projection's penalty, in units of the tokens' mean variance.
        still: weight in the projection's fit of how videos differ from each other, beside how each changes in time
            (1: both alike). Most of what an image shows stays the same through a video, and no event is in that.
        mean: per channel, of pixels scaled to 0..1.
        std: per channel, of pixels scaled to 0..1.

    Raises:
        TevoError: when weights cannot be found or fetched, or the tower cannot read.
    """

    center: Tensor  # [dim]
    weight: Tensor  # [dim joint]
    bias: Tensor  # [joint]

    def __init__(
        self,
        model: str | dict[str, Any],
        text_tower: str | Backbone = "clip_vit_b32",
        *,
        name: str = "",
        grid: int = 2,  # assumed
        frozen: bool = True,
        fps: float = 4.0,  # assumed: half a second a tubelet; Kinetics training used about 7
        clips_per_chunk: int = 8,
        ridge: float = 1e-3,  # assumed
        still: float = 0.3,  # assumed
        mean: RGB = IMAGENET_MEAN,
        std: RGB = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.model = build_videomae(model)
        self.text_tower = build_backbone(text_tower) if isinstance(text_tower, str) else text_tower
        if not isinstance(self.text_tower, TextEncoder):
            raise TevoError(f"the text tower must be a TextEncoder, {type(self.text_tower).__name__} is none")
        self.mean, self.std = rgb(mean), rgb(std)
        self.frozen = frozen
        self.fps = fps
        self.clips_per_chunk = clips_per_chunk
        self.ridge = ridge
        self.still = still
        self._name = name or (model if isinstance(model, str) else "videomae")
        side = self.model.config.image_size // self.model.config.patch_size
        if not 1 <= grid <= side:
            raise TevoError(f"a picture of {side} x {side} patches has 1 to {side} regions a side, got grid={grid}")
        self.grid = grid
        dim, joint = int(self.model.config.hidden_size) * grid**2, self.text_tower.spec.dim
        self.register_buffer("center", torch.zeros(dim))
        self.register_buffer("weight", torch.eye(dim, joint))
        self.register_buffer("bias", torch.zeros(joint))
        self.model.register_load_state_dict_post_hook(self._weights_changed)
        if frozen:
            self.model.requires_grad_(False)
        self.train(not frozen)
        self._weights_changed()

    def _weights_changed(self, *_: object) -> None:
        """Renew the fingerprint: it hangs on the encoder alone, the projection acts after the cache."""
        config = self.model.config
        architecture = json.dumps({key: getattr(config, key) for key in _ARCHITECTURE} | {"grid": self.grid})
        self.spec = BackboneSpec(
            name=self._name,
            dim=int(config.hidden_size) * self.grid**2,
            image_size_px=int(config.image_size),
            frames_per_clip=int(config.num_frames),
            fps=self.fps,
            fingerprint=module_fingerprint(self.model, type(self).__qualname__, architecture, self.mean, self.std),
        )

    def train(self, mode: bool = True) -> "VideoMAEBackbone":
        """Switch mode; a frozen encoder stays in eval mode, and so does a frozen tower."""
        return super().train(mode and not self.frozen)

    def encode_video(
        self, frames: UInt8[Tensor, "batch time 3 height width"], times_s: Float[Tensor, "batch time"]
    ) -> VideoTokens:
        """One token a tubelet (``tubelet_size`` frames); its span is the frames' share of time.

        Frames go in whole clips (:func:`encode_in_clips`): ``time`` frames give ``ceil(time / tubelet_size)`` tokens.
        """
        return encode_in_clips(
            frames,
            times_s,
            self._encode_clips,
            frames_per_clip=self.spec.frames_per_clip,
            frames_per_token=int(self.model.config.tubelet_size),
            clips_per_chunk=self.clips_per_chunk,
            fps=self.fps,
            device=self.center.device,
        )

    def tower_parts(self) -> TowerParts:
        """The encoder: its blocks, then the last norm (of those that have one); the projection is fitted in phase 0."""
        config = self.model.config
        blocks = tuple(f"model.encoder.layer.{n}" for n in range(config.num_hidden_layers))
        return TowerParts("model", blocks, () if config.use_mean_pooling else ("model.layernorm",))

    def _encode_clips(self, clips: UInt8[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip token dim"]:
        config, dtype = self.model.config, next(self.model.parameters()).dtype
        pixels = normalise_frames(clips.flatten(0, 1), self.spec.image_size_px, self.mean, self.std, "bilinear", dtype)
        hidden: Tensor = self.model(pixel_values=pixels.view(*clips.shape[:3], *pixels.shape[-2:])).last_hidden_state
        if config.use_mean_pooling:  # such checkpoints keep their norm in the classifier
            hidden = F.layer_norm(hidden, hidden.shape[-1:])
        return pool_regions(hidden.float(), config.image_size // config.patch_size, self.grid)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        """The paired tower's text embeddings."""
        return cast(TextEncoder, self.text_tower).encode_text(texts)

    @property
    def teacher(self) -> Backbone:
        """The paired tower: its image embeddings are what :meth:`fit_projection` aims at."""
        return self.text_tower

    def project(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch joint"]:
        """Token values in the tower's joint space, unit norm."""
        return F.normalize((values - self.center) @ self.weight + self.bias, dim=-1)

    def fit_projection(
        self, values: Float[Tensor, "token dim"], targets: Float[Tensor, "token joint"], videos: Int[Tensor, "token"]
    ) -> dict[str, float]:
        """Fit ``project`` by ridge regression in closed form; no label, no randomness.

        Args:
            values: tokens of this backbone.
            targets: the teacher's embeddings of the same frames (their mean over a tubelet).
            videos: which video each row is of, numbered from 0.

        Returns:
            ``cosine``: mean cosine of projected tokens and targets on the rows fitted on. ``cosine_heldout``: the same
            on every tenth video (every tenth row where there are fewer than ten), which the fit does not see.
            ``change_heldout``: there, the share of the targets' change in time that is followed.

        Raises:
            TevoError: when there are fewer than ten rows, or the shapes do not match.
        """
        joint = self.weight.shape[1]
        if len(values) != len(targets) or len(values) < 10 or targets.shape[1] != joint:
            raise TevoError(
                f"a projection needs at least ten tokens, each with a target of {joint} dimensions; got values "
                f"{tuple(values.shape)} and targets {tuple(targets.shape)}; give more or longer videos"
            )
        unit = videos if int(videos.max()) >= 9 else torch.arange(len(values), device=values.device)
        out = unit % 10 == 9
        stressed = [stress_change(rows[~out], videos[~out], self.still) for rows in (values, targets)]
        fitted = fit_ridge(stressed[0], stressed[1], self.ridge)
        for buffer, value in zip((self.center, self.weight, self.bias), fitted, strict=True):
            buffer.copy_(value)
        projected = self.project(values.to(self.weight))
        return {
            "cosine": mean_cosine(projected[~out], targets[~out]),
            "cosine_heldout": mean_cosine(projected[out], targets[out]),
            "change_heldout": change_explained(projected[out], targets[out], videos[out]),
        }


def build_videomae(model: str | dict[str, Any]) -> Any:  # noqa: ANN401 (untyped library)
    """The transformers encoder of this hub id, folder or config.

    Raises:
        TevoError: when weights cannot be found or fetched, or the config does not fit together.
    """
    from transformers import VideoMAEConfig, VideoMAEModel

    try:
        if isinstance(model, str):
            built = VideoMAEModel.from_pretrained(model)
        else:
            built = VideoMAEModel(VideoMAEConfig(**model))
    except OSError as error:
        raise cannot_load(f"the weights {model!r}", error, "a local folder of `save_pretrained`") from error
    except (ValueError, RuntimeError, TypeError) as error:
        raise TevoError(f"VideoMAE cannot be built from {model!r}: {error}") from error
    config = built.config
    if not isinstance(config.image_size, int) or config.num_frames % config.tubelet_size:
        raise TevoError(
            f"VideoMAE needs one image_size and num_frames divisible by tubelet_size, got "
            f"{config.image_size}, {config.num_frames} and {config.tubelet_size}"
        )
    return built


@register_backbone
def videomae_base(
    pretrained: Pretrained = "MCG-NJU/videomae-base",
    text_tower: str | Backbone = "clip_vit_b32",
    frozen: bool = True,
    fps: float = 4.0,
) -> VideoMAEBackbone:
    """VideoMAE-B: clips of 16 frames at 224 px, 4 regions of 768 dimensions (CC-BY-NC 4.0 weights).

    Args:
        pretrained: hub id, local folder, or False for random weights (in a tower given by name, too).
        text_tower: the paired image-text backbone, or its registered name.
        frozen: weights take no gradient.
        fps: default sampling rate, frames a second.
    """
    tower = _tower(text_tower, pretrained)
    return VideoMAEBackbone(pretrained or VIDEOMAE_BASE, tower, name="videomae_base", frozen=frozen, fps=fps)


@register_backbone
def videomae_tiny(
    pretrained: Pretrained = "shipped",
    text_tower: str | Backbone = "clip_tiny",
    frozen: bool = True,
    fps: float = 4.0,
) -> VideoMAEBackbone:
    """The same class at 64 px in clips of 8 frames, about half a million parameters, for the procedural world.

    Args:
        pretrained: "shipped" for the weights in the package, a file of ``save_tiny``, or False for random
            ones (in a tower given by name, too).
        text_tower: the paired image-text backbone, or its registered name.
        frozen: weights take no gradient.
        fps: default sampling rate, frames a second.
    """
    tower = _tower(text_tower, pretrained)
    backbone = VideoMAEBackbone(VIDEOMAE_TINY, tower, name="videomae_tiny", frozen=frozen, fps=fps)
    if pretrained:
        load_tiny(backbone.model, tiny_weights("videomae_tiny", pretrained))
    return backbone


def _tower(text_tower: str | Backbone, pretrained: Pretrained) -> str | Backbone:
    """A tower given by name follows ``pretrained: false``."""
    if isinstance(text_tower, str) and not pretrained:
        return build_backbone(text_tower, pretrained=False)
    return text_tower
