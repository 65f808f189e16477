"""The tiny variants: small configs of the same libraries, and the few megabytes that hold their weights.

A CLIP text tower has 49,408 word pieces, of which the tiny training set uses a few hundred: its embedding is
stored sparsely (the rows in use, their ids, and one row that all the others share).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tevo.backbones.viclip import ViclipConfig
from tevo.errors import TevoError

CLIP_TINY: dict[str, Any] = {
    "embed_dim": 128,
    # four layer counts make it a ModifiedResNet: half the cost of a ViT of 8-px patches
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2, "mlp_ratio": 2.0},
}
"""open_clip config of ``clip_tiny``."""

VIDEOMAE_TINY: dict[str, Any] = {
    "image_size": 64,
    "patch_size": 16,
    "num_frames": 8,
    "tubelet_size": 2,
    "hidden_size": 160,
    "num_hidden_layers": 4,
    "num_attention_heads": 5,
    "intermediate_size": 320,
    "use_mean_pooling": False,  # as in the published encoders: a final layer norm
}
"""``VideoMAEConfig`` arguments of ``videomae_tiny``."""

INTERNVID_TINY = ViclipConfig(
    embed_dim=128,
    image_size_px=64,
    patch_size_px=16,
    num_frames=8,
    frames_per_token=2,  # at 4 frames a second: half a second a token, as videomae_tiny
    width=160,
    layers=4,
    heads=5,
    text_width=128,  # the text tower of clip_tiny, where its weights begin
    text_layers=2,
    text_heads=4,
    context_length=24,
    mlp_ratio=2.0,
)
"""Sizes of ``internvid_tiny``."""

WEIGHTS = Path(__file__).parent.parent / "weights"
MAX_BYTES = 5_000_000
_EMBEDDING = "token_embedding.weight"  # ends the name of a text tower's table
_ROWS, _IDS, _OTHER = "token_embedding.rows", "token_embedding.ids", "token_embedding.other"


def save_tiny(model: nn.Module, path: str | Path, token_ids: Iterable[int] | None = None) -> int:
    """Write a tiny model's weights: fp16 safetensors, the token embedding sparse.

    Args:
        model: the inner model (``ClipBackbone.model``, ``VideoMAEBackbone.model``, ``InternVidBackbone.model``).
        path: the file to write.
        token_ids: word pieces whose embedding rows are kept; all others come back as the mean of the kept
            ones. None keeps every row that differs from the most frequent one.

    Returns:
        The file's size in bytes.

    Raises:
        TevoError: when the file would be larger than :data:`MAX_BYTES`.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    for name in [name for name in state if name.endswith(_EMBEDDING)]:
        tower = name.removesuffix(_EMBEDDING)
        state |= {tower + part: tensor for part, tensor in _to_sparse(state.pop(name), token_ids).items()}
    halves = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in state.items()}
    content = save(halves)
    if len(content) > MAX_BYTES:
        raise TevoError(
            f"{path} would hold {len(content) / 1e6:.1f} MB, at most {MAX_BYTES / 1e6:.0f} MB are shipped; make the "
            f"config smaller, or name the word pieces in use with token_ids"
        )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content)
    return len(content)


def tiny_weights(variant: str, pretrained: str) -> Path:
    """The file behind ``pretrained``: the one in the package for "shipped", else the path itself."""
    return WEIGHTS / f"{variant}.safetensors" if pretrained == "shipped" else Path(pretrained)


def load_tiny(model: nn.Module, path: str | Path) -> None:
    """Load what :func:`save_tiny` wrote, in place, as float32.

    Raises:
        TevoError: when the file is missing or belongs to another config.
    """
    from safetensors.torch import load_file

    if not Path(path).is_file():
        raise TevoError(
            f"no weights at {path}; give a local file, or start from random weights with `pretrained: false`"
        )
    state = {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}
    wanted = model.state_dict()
    for name in [name for name in wanted if name.endswith(_EMBEDDING)]:
        tower = name.removesuffix(_EMBEDDING)
        if tower + _IDS in state:
            rows, ids, other = (state.pop(tower + part) for part in (_ROWS, _IDS, _OTHER))
            state[name] = _to_dense(rows, ids, other, len(wanted[name]))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise TevoError(f"the weights at {path} belong to another config: {error}") from error


def _to_sparse(embedding: Float[Tensor, "piece dim"], token_ids: Iterable[int] | None) -> dict[str, Tensor]:
    if token_ids is None:
        rows, member, counts = torch.unique(embedding, dim=0, return_inverse=True, return_counts=True)
        common = counts.argmax()
        ids, other = (member != common).nonzero()[:, 0], rows[common]
    else:
        ids = torch.tensor(sorted(set(token_ids)), dtype=torch.long)
        other = embedding[ids].mean(dim=0)
    return {_ROWS: embedding[ids], _IDS: ids.to(torch.int32), _OTHER: other}


def _to_dense(
    rows: Float[Tensor, "kept dim"], ids: Int[Tensor, "kept"], other: Float[Tensor, "dim"], num_rows: int
) -> Float[Tensor, "piece dim"]:
    embedding = other.expand(num_rows, -1).clone()
    embedding[ids.long()] = rows
    return embedding
