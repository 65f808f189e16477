"""CLIP through open_clip: one token a frame, in the same space as text.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021);
code and weights: https://github.com/mlfoundations/open_clip (any of its models).
"""

import copy
import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.base import Backbone, BackboneSpec, TextEncoder, TowerParts, Tunable
from tevo.backbones.fetching import Pretrained, cannot_load
from tevo.backbones.fingerprint import module_fingerprint
from tevo.backbones.pixels import normalise_frames, rgb
from tevo.backbones.registry import register_backbone
from tevo.backbones.spans import frame_spans
from tevo.backbones.texts import TextMemory
from tevo.backbones.tiny import CLIP_TINY, load_tiny, tiny_weights
from tevo.errors import TevoError
from tevo.structures import VideoTokens

_BLOCK = r"model\.visual\.(transformer\.resblocks\.\d+|layer\d+|trunk\.(blocks|stages|layers)\.\d+)"
_HEAD = ("ln_post", "proj", "attn_pool", "attnpool", "trunk.norm", "trunk.fc_norm", "trunk.head", "head")


class ClipBackbone(Backbone, TextEncoder, Tunable):
    """Frames through CLIP's image tower, phrases through its text tower.

    ``values`` are unit-norm image embeddings; ``project`` is the identity.

    Args:
        model: an open_clip name ("ViT-B-32", "hf-hub:org/repo", "local-dir:/folder") or a config
            ``{embed_dim, vision_cfg, text_cfg}`` as open_clip writes it.
        pretrained: an open_clip tag ("laion2b_s34b_b79k"), a local weight file; False or None for random weights.
        name: what the spec calls it; the model's own name when empty.
        frozen: weights take no gradient and the towers stay in eval mode whatever a parent is told.
        fps: default sampling rate, frames a second.
        frames_per_chunk: frames that go through the image tower at once.
        text_cache_size: phrases whose embeddings are kept (a frozen tower only).

    Raises:
        TevoError: when the model is unknown or its weights cannot be found or fetched.
    """

    def __init__(
        self,
        model: str | dict[str, Any],
        pretrained: Pretrained = None,
        *,
        name: str = "",
        frozen: bool = True,
        fps: float = 2.0,  # assumed: half a second a token
        frames_per_chunk: int = 64,
        text_cache_size: int = 4096,
    ) -> None:
        super().__init__()
        import open_clip

        self.config = clip_config(model)
        self.model = build_open_clip(model, pretrained or None)
        self.tokenizer = _tokenizer(model)
        preprocess = open_clip.get_model_preprocess_cfg(self.model)
        size = preprocess["size"]
        self.image_size_px = int(size if isinstance(size, int) else size[0])
        self.mean = rgb(preprocess.get("mean", open_clip.OPENAI_DATASET_MEAN))
        self.std = rgb(preprocess.get("std", open_clip.OPENAI_DATASET_STD))
        self.interpolation = "bilinear" if preprocess.get("interpolation") == "bilinear" else "bicubic"
        self.frozen = frozen
        self.fps = fps
        self.frames_per_chunk = frames_per_chunk
        self.texts = TextMemory(text_cache_size)
        self._name = name or (model if isinstance(model, str) else "clip")
        self.model.register_load_state_dict_post_hook(self._weights_changed)
        if frozen:
            self.requires_grad_(False)
        self.train(not frozen)
        self._weights_changed()

    def _weights_changed(self, *_: object) -> None:
        """Renew what hangs on the weights: the spec's fingerprint, the remembered texts."""
        self.texts.clear()
        preprocessing = (self.image_size_px, self.mean, self.std, self.interpolation)
        architecture = json.dumps(self.config, sort_keys=True, default=str)
        self.spec = BackboneSpec(
            name=self._name,
            dim=int(self.config["embed_dim"]),
            image_size_px=self.image_size_px,
            frames_per_clip=1,
            fps=self.fps,
            fingerprint=module_fingerprint(self.model, type(self).__qualname__, architecture, preprocessing),
        )

    def train(self, mode: bool = True) -> "ClipBackbone":
        """Switch mode; a frozen backbone stays in eval mode."""
        return super().train(mode and not self.frozen)

    def encode_video(
        self, frames: UInt8[Tensor, "batch time 3 height width"], times_s: Float[Tensor, "batch time"]
    ) -> VideoTokens:
        """One unit-norm token a frame; its span is the frame's share of time (:func:`frame_spans`)."""
        batch, time = times_s.shape
        rows = frames if self._bit_exact() else frames.flatten(0, 1).unsqueeze(0)
        chunks = [self._encode_frames(chunk) for row in rows for chunk in torch.split(row, self.frames_per_chunk)]
        values = torch.cat(chunks).view(batch, time, -1)
        spans = frame_spans(times_s.to(values), 1.0 / self.fps)
        return VideoTokens(values, spans, torch.ones_like(spans[..., 0], dtype=torch.bool))

    def tower_parts(self) -> TowerParts:
        """The image tower: blocks (stages of a ResNet or ConvNeXt), then what pools and projects.

        Raises:
            TevoError: for a tower that is not built of blocks.
        """
        tower = "model.visual"
        names = [name for name, _ in self.named_parameters() if name.startswith(f"{tower}.")]
        found = [re.match(_BLOCK, name) for name in names]
        blocks = tuple(dict.fromkeys(match[0] for match in found if match))
        if not blocks:
            raise TevoError(f"{type(self.model.visual).__name__} has no blocks that are known; leave trainable at none")
        head = tuple(f"{tower}.{part}" for part in _HEAD if any(f"{n}.".startswith(f"{tower}.{part}.") for n in names))
        return TowerParts(tower, blocks, head)

    def _bit_exact(self) -> bool:
        """Whether each video goes through alone.

        Matrix products round by the shape of the batch. On a CPU, where going alone costs little, a resumed
        run must end bit-equal to one that was not killed, so the tokens must not depend on their neighbours.
        """
        return bool(self.model.logit_scale.device.type == "cpu")

    def _encode_frames(self, frames: UInt8[Tensor, "frame 3 height width"]) -> Float[Tensor, "frame dim"]:
        weight = next(self.model.visual.parameters())
        frames = frames.to(weight.device)
        pixels = normalise_frames(frames, self.image_size_px, self.mean, self.std, self.interpolation, weight.dtype)
        pixels = pixels.contiguous(memory_format=torch.channels_last)  # convolutions train a third faster
        return F.normalize(self.model.encode_image(pixels).float(), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        """Unit-norm text embeddings; a frozen tower remembers the phrases it has seen."""
        device = self.model.logit_scale.device
        if not texts:
            return torch.zeros(0, self.spec.dim, device=device)
        return self.texts.embed(texts, self._encode_new, device) if self.frozen else self._encode_new(texts)

    def _encode_new(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        tokens = self.tokenizer(list(texts)).to(self.model.logit_scale.device)
        return F.normalize(self.model.encode_text(tokens).float(), dim=-1)


def clip_config(model: str | dict[str, Any]) -> dict[str, Any]:
    """The open_clip config ``{embed_dim, vision_cfg, text_cfg, ...}`` of a name, or the one given, checked.

    Raises:
        TevoError: unknown name, a config without its parts, or a folder or hub entry without a config.
    """
    import open_clip

    if isinstance(model, str):
        try:
            config = open_clip.get_model_config(model.replace("/", "-") if ":" not in model else model)
        except (OSError, ValueError) as error:
            raise cannot_load(f"the config of {model}", error, "a local folder (`local-dir:/path`)") from error
        if config is None:
            close = get_close_matches(model, open_clip.list_models(), n=5, cutoff=0.4)
            raise TevoError(
                f"open_clip has no model {model!r}; the nearest of its names: {', '.join(close) or 'none'}. "
                f"All of them: python -c 'import open_clip; print(open_clip.list_models())'"
            )
        return dict(config)
    missing = {"embed_dim", "vision_cfg", "text_cfg"} - set(model)
    if missing:
        raise TevoError(f"a CLIP config needs embed_dim, vision_cfg and text_cfg; {sorted(missing)} not in {model}")
    return model


def build_open_clip(model: str | dict[str, Any], pretrained: str | None) -> Any:  # noqa: ANN401 (untyped library)
    """The open_clip model of this name or config, with its weights (random when ``pretrained`` is None).

    Raises:
        TevoError: unknown tag, missing file, or weights that cannot be fetched or do not fit.
    """
    import open_clip

    try:
        if isinstance(model, str):
            # a folder or hub entry brings its own weights: without this, missing ones would only be logged
            must_load = pretrained is not None or ":" in model
            return open_clip.create_model(model, pretrained=pretrained, require_pretrained=must_load)
        # open_clip writes into the configs it is given
        kwargs = copy.deepcopy(model)
        custom_text = kwargs.pop("custom_text", False) or "hf_model_name" in kwargs["text_cfg"]
        built = (open_clip.CustomTextCLIP if custom_text else open_clip.CLIP)(**kwargs)
        if pretrained is not None:
            if not Path(pretrained).is_file():
                raise FileNotFoundError("no such file, and a config has no tags")
            open_clip.load_checkpoint(built, pretrained)
        return built
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        what = model if isinstance(model, str) else "a CLIP config"
        what = f"the weights {pretrained!r} of {what}" if pretrained else what
        raise cannot_load(what, error, "a local file (`pretrained: /path/to/weights.safetensors`)") from error


def _tokenizer(model: str | dict[str, Any]) -> Any:  # noqa: ANN401 (untyped library)
    import open_clip

    if isinstance(model, str):
        return open_clip.get_tokenizer(model)
    return open_clip.SimpleTokenizer(context_length=model["text_cfg"].get("context_length", 77))


@register_backbone
def clip_vit_b32(pretrained: Pretrained = "laion2b_s34b_b79k", frozen: bool = True, fps: float = 2.0) -> ClipBackbone:
    """CLIP ViT-B/32 at 224 px, 512 dimensions, trained on LAION-2B (open_clip; MIT weights).

    Args:
        pretrained: open_clip tag, local weight file, or False for random weights.
        frozen: weights take no gradient.
        fps: default sampling rate, frames a second.
    """
    return ClipBackbone("ViT-B-32", pretrained, name="clip_vit_b32", frozen=frozen, fps=fps)


@register_backbone
def clip_tiny(pretrained: Pretrained = "shipped", frozen: bool = True, fps: float = 2.0) -> ClipBackbone:
    """The same class at 64 px with about a million parameters, trained on the procedural world.

    Args:
        pretrained: "shipped" for the weights in the package, a file of ``save_tiny``, or False for random ones.
        frozen: weights take no gradient.
        fps: default sampling rate, frames a second.
    """
    backbone = ClipBackbone(CLIP_TINY, name="clip_tiny", frozen=frozen, fps=fps)
    if pretrained:
        load_tiny(backbone.model, tiny_weights("clip_tiny", pretrained))
    return backbone
