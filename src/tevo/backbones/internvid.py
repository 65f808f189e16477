"""InternVid's ViCLIP: clips of frames and text in one space, a token for every few frames.

Source and parts: :mod:`tevo.backbones.viclip`.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.base import Backbone, BackboneSpec, TextEncoder, TowerParts, Tunable
from tevo.backbones.clips import encode_in_clips
from tevo.backbones.fetching import Pretrained, cannot_load, find_weights
from tevo.backbones.fingerprint import module_fingerprint
from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD, normalise_frames
from tevo.backbones.registry import register_backbone
from tevo.backbones.texts import TextMemory
from tevo.backbones.tiny import INTERNVID_TINY, load_tiny, tiny_weights
from tevo.backbones.viclip import VICLIP_B16, VICLIP_L14, Viclip, ViclipConfig, load_published
from tevo.structures import VideoTokens

log = logging.getLogger(__name__)

HUB_FILE = "model.safetensors"  # of the published weights, in a hub repository or a copy of one


class InternVidBackbone(Backbone, TextEncoder, Tunable):
    """Clips of frames through ViCLIP's video tower, phrases through its text tower.

    ``values`` are unit-norm embeddings of ``frames_per_token`` frames as one clip shows them (the readers of
    :class:`~tevo.backbones.viclip.ClipTransformer`); ``project`` is the identity.

    Args:
        config: sizes of the model.
        pretrained: published weights: a hub id, a folder with ``model.safetensors``, or a file (safetensors or .pth);
            False or None for random ones.
        name: what the spec calls it.
        frozen: weights take no gradient and the towers stay in eval mode whatever a parent is told.
        fps: default sampling rate, frames a second.
        clips_per_chunk: clips that go through the video tower at once.
        text_cache_size: phrases whose embeddings are kept (a frozen tower only).

    Raises:
        TevoError: when weights cannot be found or fetched, or do not fit.
    """

    def __init__(
        self,
        config: ViclipConfig,
        pretrained: Pretrained = None,
        *,
        name: str = "internvid",
        frozen: bool = True,
        fps: float = 2.0,  # assumed: a clip of 8 frames is 4 s; training took 8 frames from clips of up to 10 s
        clips_per_chunk: int = 4,
        text_cache_size: int = 4096,
    ) -> None:
        super().__init__()
        import open_clip

        self.config = config
        self.model = Viclip(config)
        self.tokenizer = open_clip.SimpleTokenizer(context_length=config.context_length)
        self.frozen = frozen
        self.fps = fps
        self.clips_per_chunk = clips_per_chunk
        self.texts = TextMemory(text_cache_size)
        self._name = name
        if pretrained:
            _load(self.model, pretrained)
        self.model.register_load_state_dict_post_hook(self._weights_changed)  # type: ignore[no-untyped-call]
        if frozen:
            self.requires_grad_(False)
        self.train(not frozen)
        self._weights_changed()

    def _weights_changed(self, *_: object) -> None:
        """Renew what hangs on the weights: the spec's fingerprint, the remembered texts."""
        self.texts.clear()
        sizes = json.dumps(asdict(self.config))
        self.spec = BackboneSpec(
            name=self._name,
            dim=self.config.embed_dim,
            image_size_px=self.config.image_size_px,
            frames_per_clip=self.config.num_frames,
            fps=self.fps,
            fingerprint=module_fingerprint(self.model, type(self).__qualname__, sizes, IMAGENET_MEAN, IMAGENET_STD),
        )

    def train(self, mode: bool = True) -> "InternVidBackbone":
        """Switch mode; a frozen backbone stays in eval mode."""
        return super().train(mode and not self.frozen)

    def encode_video(
        self, frames: UInt8[Tensor, "batch time 3 height width"], times_s: Float[Tensor, "batch time"]
    ) -> VideoTokens:
        """One unit-norm token for every ``frames_per_token`` frames; its span is those frames' share of time.

        Frames go in whole clips (:func:`encode_in_clips`): a token has seen its clip, and speaks for its own frames.
        """
        return encode_in_clips(
            frames,
            times_s,
            self._encode_clips,
            frames_per_clip=self.config.num_frames,
            frames_per_token=self.config.frames_per_token,
            clips_per_chunk=self.clips_per_chunk,
            fps=self.fps,
            device=self.model.visual.proj.device,
        )

    def tower_parts(self) -> TowerParts:
        """The video tower: its blocks, then the last norm and the projection."""
        tower = "model.visual"
        blocks = tuple(f"{tower}.transformer.resblocks.{n}" for n in range(self.config.layers))
        return TowerParts(tower, blocks, (f"{tower}.ln_post", f"{tower}.proj"))

    def _encode_clips(self, clips: UInt8[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip token dim"]:
        dtype, size = self.model.visual.proj.dtype, self.config.image_size_px
        pixels = normalise_frames(clips.flatten(0, 1), size, IMAGENET_MEAN, IMAGENET_STD, "bilinear", dtype)
        return F.normalize(self.model.encode_clips(pixels.view(*clips.shape[:3], size, size)).float(), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        """Unit-norm text embeddings; a frozen tower remembers the phrases it has seen."""
        device = self.model.visual.proj.device
        if not texts:
            return torch.zeros(0, self.spec.dim, device=device)
        return self.texts.embed(texts, self._encode_new, device) if self.frozen else self._encode_new(texts)

    def _encode_new(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        pieces = self.tokenizer(list(texts)).to(self.model.visual.proj.device)
        return F.normalize(self.model.encode_text(pieces).float(), dim=-1)


def _load(model: Viclip, pretrained: str) -> None:
    try:
        unused = load_published(model, find_weights(pretrained, HUB_FILE))
    except OSError as error:
        local = "a local file or folder (`pretrained: /path/to/model.safetensors`)"
        raise cannot_load(f"the ViCLIP weights {pretrained!r}", error, local) from error
    for name, what in unused.items():
        log.info("%s: %s is not used (%s)", pretrained, name, what)


@register_backbone
def internvid_b16(
    pretrained: Pretrained = "OpenGVLab/ViCLIP-B-16-hf", frozen: bool = True, fps: float = 2.0
) -> InternVidBackbone:
    """ViCLIP-B/16: clips of 8 frames at 224 px, 512 dimensions, trained on InternVid-10M-FLT.

    Args:
        pretrained: hub id, local folder or file, or False for random weights.
        frozen: weights take no gradient.
        fps: default sampling rate, frames a second.
    """
    return InternVidBackbone(VICLIP_B16, pretrained, name="internvid_b16", frozen=frozen, fps=fps)


@register_backbone
def internvid_l14(
    pretrained: Pretrained = "OpenGVLab/ViCLIP-L-14-hf", frozen: bool = True, fps: float = 2.0
) -> InternVidBackbone:
    """ViCLIP-L/14: clips of 8 frames at 224 px, 768 dimensions, trained on InternVid-10M-FLT.

    Args:
        pretrained: hub id, local folder or file, or False for random weights.
        frozen: weights take no gradient.
        fps: default sampling rate, frames a second.
    """
    return InternVidBackbone(VICLIP_L14, pretrained, name="internvid_l14", frozen=frozen, fps=fps)


@register_backbone
def internvid_tiny(pretrained: Pretrained = "shipped", frozen: bool = True, fps: float = 4.0) -> InternVidBackbone:
    """The same class at 64 px with about a million parameters, trained on the procedural world.

    Args:
        pretrained: "shipped" for the weights in the package, a file of ``save_tiny``, or False for random ones.
        frozen: weights take no gradient.
        fps: default sampling rate, frames a second.
    """
    backbone = InternVidBackbone(INTERNVID_TINY, name="internvid_tiny", frozen=frozen, fps=fps)
    if pretrained:
        load_tiny(backbone.model, tiny_weights("internvid_tiny", pretrained))
    return backbone
