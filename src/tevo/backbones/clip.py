"""CLIP through open_clip: one token a frame, in the same space as text.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021);
code and weights: https://github.com/mlfoundations/open_clip (any of its models).
"""

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.base import Backbone, BackboneSpec, TextEncoder
from tevo.backbones.fingerprint import module_fingerprint
from tevo.backbones.pixels import normalise_frames
from tevo.backbones.spans import frame_spans
from tevo.errors import TevoError
from tevo.structures import VideoTokens


class ClipBackbone(Backbone, TextEncoder):
    """Frames through CLIP's image tower, phrases through its text tower.

    ``values`` are unit-norm image embeddings; ``project`` is the identity.

    Args:
        model: an open_clip name ("ViT-B-32", "hf-hub:org/repo", "local-dir:/folder") or a config
            ``{embed_dim, vision_cfg, text_cfg}`` as open_clip writes it.
        pretrained: an open_clip tag ("laion2b_s34b_b79k"), a local weight file, or None for random weights.
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
        pretrained: str | None = None,
        *,
        name: str = "",
        frozen: bool = True,
        fps: float = 2.0,  # assumed: half a second a token
        frames_per_chunk: int = 64,
        text_cache_size: int = 4096,
    ) -> None:
        super().__init__()
        import open_clip

        self.model = build_open_clip(model, pretrained)
        self.tokenizer = _tokenizer(model)
        preprocess = open_clip.get_model_preprocess_cfg(self.model)
        size = preprocess["size"]
        self.image_size_px = int(size if isinstance(size, int) else size[0])
        self.mean = tuple(float(part) for part in preprocess.get("mean", open_clip.OPENAI_DATASET_MEAN))
        self.std = tuple(float(part) for part in preprocess.get("std", open_clip.OPENAI_DATASET_STD))
        self.interpolation = "bilinear" if preprocess.get("interpolation") == "bilinear" else "bicubic"
        self.frozen = frozen
        self.fps = fps
        self.frames_per_chunk = frames_per_chunk
        self.text_cache_size = text_cache_size
        self._texts: OrderedDict[str, Tensor] = OrderedDict()
        self._name = name or (model if isinstance(model, str) else "clip")
        self._config = repr(model)
        self.model.register_load_state_dict_post_hook(self._weights_changed)
        if frozen:
            self.requires_grad_(False)
        self.train(not frozen)
        self._weights_changed()

    def _weights_changed(self, *_: object) -> None:
        """Renew what hangs on the weights: the spec's fingerprint, the remembered texts."""
        self._texts.clear()
        preprocessing = (self.image_size_px, self.mean, self.std, self.interpolation)
        self.spec = BackboneSpec(
            name=self._name,
            dim=self._joint_dim(),
            image_size_px=self.image_size_px,
            frames_per_clip=1,
            fps=self.fps,
            fingerprint=module_fingerprint(self.model, self._config, preprocessing),
        )

    def _joint_dim(self) -> int:
        output_dim = getattr(self.model.visual, "output_dim", None)
        if isinstance(output_dim, int):
            return output_dim
        with torch.no_grad():  # a timm tower does not say its width
            pixel = next(self.model.visual.parameters())
            frame = pixel.new_zeros((1, 3, self.image_size_px, self.image_size_px))
            return int(self.model.visual.eval()(frame).shape[-1])

    def train(self, mode: bool = True) -> Self:
        """Switch mode; a frozen backbone stays in eval mode."""
        return super().train(mode and not self.frozen)

    def encode_video(
        self, frames: UInt8[Tensor, "batch time 3 height width"], times_s: Float[Tensor, "batch time"]
    ) -> VideoTokens:
        """One unit-norm token a frame; its span is the frame's share of time (:func:`frame_spans`)."""
        batch, time = times_s.shape
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            chunks = [self._encode_frames(chunk) for chunk in frames.flatten(0, 1).split(self.frames_per_chunk)]
            values = torch.cat(chunks).view(batch, time, -1)
        spans = frame_spans(times_s.to(values), 1.0 / self.fps)
        return VideoTokens(values, spans, torch.ones_like(spans[..., 0], dtype=torch.bool))

    def _encode_frames(self, frames: UInt8[Tensor, "frame 3 height width"]) -> Float[Tensor, "frame dim"]:
        weight = self.model.logit_scale
        pixels = normalise_frames(frames.to(weight.device), self.image_size_px, self.mean, self.std, self.interpolation)
        return F.normalize(self.model.encode_image(pixels.to(_image_dtype(self.model))).float(), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        """Unit-norm text embeddings; a frozen tower remembers the phrases it has seen."""
        device = self.model.logit_scale.device
        if not texts:
            return torch.zeros(0, self.spec.dim, device=device)
        if not self.frozen:
            return self._encode_new(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._texts]
        known = {text: self._texts[text] for text in texts if text in self._texts}
        with torch.no_grad():
            for start in range(0, len(new), 256):
                chunk = new[start : start + 256]
                known.update(zip(chunk, self._encode_new(chunk), strict=True))
        for text, row in known.items():
            self._texts[text] = row
            self._texts.move_to_end(text)
        while len(self._texts) > self.text_cache_size:
            self._texts.popitem(last=False)
        return torch.stack([known[text].to(device) for text in texts])

    def _encode_new(self, texts: Sequence[str]) -> Float[Tensor, "text joint"]:
        tokens = self.tokenizer(list(texts)).to(self.model.logit_scale.device)
        return F.normalize(self.model.encode_text(tokens).float(), dim=-1)


def _image_dtype(model: nn.Module) -> torch.dtype:
    return next(model.parameters()).dtype


def build_open_clip(model: str | Mapping[str, Any], pretrained: str | None) -> Any:  # noqa: ANN401
    """The open_clip model of this name or config, with its weights.

    Raises:
        TevoError: unknown name, unknown tag, missing file, or weights that cannot be fetched.
    """
    import open_clip

    if isinstance(model, Mapping):
        return _from_config(model, pretrained)
    known = model.startswith(("hf-hub:", "local-dir:")) or model.replace("/", "-") in open_clip.list_models()
    if not known:
        raise TevoError(f"open_clip has no model {model!r}; it has {', '.join(open_clip.list_models()[:12])}, ...")
    try:
        return open_clip.create_model(model, pretrained=pretrained)
    except (RuntimeError, OSError, ValueError) as error:
        raise TevoError(_no_weights(model, pretrained, error)) from error


def _from_config(config: Mapping[str, Any], pretrained: str | None) -> Any:  # noqa: ANN401
    import open_clip

    missing = {"embed_dim", "vision_cfg", "text_cfg"} - set(config)
    if missing:
        raise TevoError(f"a CLIP config needs embed_dim, vision_cfg and text_cfg; {sorted(missing)} missing")
    # open_clip writes into the configs it is given
    kwargs = copy.deepcopy(dict(config))
    custom_text = kwargs.pop("custom_text", False) or "hf_model_name" in kwargs["text_cfg"]
    model = (open_clip.CustomTextCLIP if custom_text else open_clip.CLIP)(**kwargs)
    if pretrained is not None:
        if not Path(pretrained).is_file():
            raise TevoError(_no_weights("a CLIP config", pretrained, "no such file; a config has no tags"))
        open_clip.load_checkpoint(model, pretrained)
    return model


def _tokenizer(model: str | Mapping[str, Any]) -> Any:  # noqa: ANN401
    import open_clip

    if isinstance(model, str):
        return open_clip.get_tokenizer(model)
    return open_clip.SimpleTokenizer(context_length=model["text_cfg"].get("context_length", 77))


def _no_weights(model: str, pretrained: str | None, error: object) -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    return (
        f"the weights {pretrained!r} of {model} could not be loaded ({error}). Looked for a local file of that "
        f"name, then in the hub cache {HF_HUB_CACHE}, then on the network. Ways out: connect once so that they "
        f"are cached, give a local file (`pretrained: /path/to/weights.safetensors`), or start from random "
        f"weights with `pretrained: null`."
    )
