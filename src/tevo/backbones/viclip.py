"""ViCLIP: a transformer over all patches of a clip of frames, and CLIP's text tower, with one space for both.

Source: Wang et al., "InternVid: A Large-scale Video-Text Dataset for Multimodal Understanding and Generation" (2023);
code and weights: https://github.com/OpenGVLab/InternVideo (Data/InternVid). Written anew on open_clip's transformers,
whose parameters have the names of the published ones. Deviation: readers, see :class:`ClipTransformer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tevo.errors import TevoError


@dataclass(frozen=True, slots=True)
class ViclipConfig:
    """Sizes of both towers; the defaults are those of the published B/16.

    Raises:
        TevoError: when patches do not fill a frame, or tokens a clip.
    """

    embed_dim: int = 512  # of the space shared with text
    image_size_px: int = 224
    patch_size_px: int = 16
    num_frames: int = 8  # of a clip
    frames_per_token: int = 1  # 1 .. num_frames; the last is the published embedding of the whole clip
    width: int = 768
    layers: int = 12
    heads: int = 12
    text_width: int = 512
    text_layers: int = 12
    text_heads: int = 8
    context_length: int = 32  # word pieces; longer texts are cut
    vocab_size: int = 49408
    mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        if self.image_size_px % self.patch_size_px or self.num_frames % self.frames_per_token:
            raise TevoError(
                f"ViCLIP needs image_size_px divisible by patch_size_px and num_frames divisible by frames_per_token, "
                f"got {self.image_size_px} / {self.patch_size_px} and {self.num_frames} / {self.frames_per_token}"
            )


VICLIP_B16 = ViclipConfig()
VICLIP_L14 = ViclipConfig(
    embed_dim=768, patch_size_px=14, width=1024, layers=24, heads=16, text_width=768, text_heads=12
)


class ClipTransformer(nn.Module):
    """The video tower: joint attention over the patches of all frames of a clip.

    The published model reads a clip out once, by its class token. Here ``num_frames / frames_per_token`` copies of the
    class token, the *readers*, run beside it: in every layer a reader attends to itself and to the patches of its own
    frames alone, and nothing attends to a reader. So patches and class token are what they were, patches still see
    the whole clip (motion), and each reader says what its own frames show, through the weights that were trained to
    land in the text's space. One reader for all frames is the published embedding exactly; one pass gives them all.

    Args:
        config: sizes.
    """

    mask: Tensor  # [token token], 0 where a row may look, -inf elsewhere

    def __init__(self, config: ViclipConfig) -> None:
        super().__init__()
        from open_clip.transformer import QuickGELU, Transformer

        width, patch = config.width, config.patch_size_px
        num_patches = (config.image_size_px // patch) ** 2
        self.num_readers = config.num_frames // config.frames_per_token
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(width**-0.5 * torch.randn(width))
        self.positional_embedding = nn.Parameter(width**-0.5 * torch.randn(num_patches + 1, width))
        self.temporal_positional_embedding = nn.Parameter(torch.zeros(1, config.num_frames, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(
            width, config.layers, config.heads, mlp_ratio=config.mlp_ratio, act_layer=QuickGELU
        )
        self.proj = nn.Parameter(width**-0.5 * torch.randn(width, config.embed_dim))
        self.register_buffer(
            "mask", reader_mask(self.num_readers, config.frames_per_token * num_patches), persistent=False
        )

    def forward(self, clips: Float[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip reader embed"]:
        """What each reader says; not normalised."""
        patches = self.conv1(clips.flatten(0, 1)).flatten(2).transpose(1, 2) + self.positional_embedding[1:]
        patches = patches.view(*clips.shape[:2], *patches.shape[1:]) + self.temporal_positional_embedding[:, :, None]
        reader = self.class_embedding + self.positional_embedding[0]
        readers = reader.expand(len(clips), self.num_readers + 1, -1)  # the last is the class token
        hidden = self.ln_pre(torch.cat([readers, patches.flatten(1, 2)], dim=1))
        hidden = self.transformer(hidden, attn_mask=self.mask)
        read: Tensor = self.ln_post(hidden[:, : self.num_readers]) @ self.proj
        return read


class Viclip(nn.Module):
    """Both towers.

    Args:
        config: sizes.
    """

    def __init__(self, config: ViclipConfig) -> None:
        super().__init__()
        from open_clip.transformer import QuickGELU, TextTransformer

        self.config = config
        self.visual = ClipTransformer(config)
        self.text = TextTransformer(
            context_length=config.context_length,
            vocab_size=config.vocab_size,
            width=config.text_width,
            heads=config.text_heads,
            layers=config.text_layers,
            mlp_ratio=config.mlp_ratio,
            output_dim=config.embed_dim,
            act_layer=QuickGELU,
        )

    def encode_clips(self, clips: Float[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip reader embed"]:
        """Normalised pixels of whole clips; not unit norm."""
        read: Tensor = self.visual(clips)
        return read

    def encode_text(self, pieces: Int[Tensor, "text piece"]) -> Float[Tensor, "text embed"]:
        """Word pieces of open_clip's tokenizer; not unit norm."""
        read: Tensor = self.text(pieces)
        return read


def reader_mask(num_readers: int, patches_per_reader: int) -> Float[Tensor, "token token"]:
    """Who may look at whom, to be added to attention logits: readers, then the class token, then all patches."""
    patches = torch.arange(num_readers * patches_per_reader) // patches_per_reader
    owner = torch.cat([torch.arange(num_readers), torch.tensor([-1]), patches])
    is_reader = torch.arange(len(owner)) < num_readers
    own = owner[:, None] == owner[None]
    own &= ~is_reader[None] | torch.eye(len(owner), dtype=torch.bool)
    may_look = torch.where(is_reader[:, None], own, ~is_reader[None])
    return torch.zeros(may_look.shape).masked_fill(~may_look, -torch.inf)


UNUSED = {"temp": "the temperature of the training loss"}
"""Keys of a published checkpoint that an encoder has no use for, and what they are."""

_TOWERS = {"vision_encoder.": "visual.", "text_encoder.": "text."}


def from_published(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The published layout in our names.

    Args:
        state: ``vision_encoder.*``, ``text_encoder.*`` and ``temp``; the weight of ``vision_encoder.conv1`` has a time
            axis of length one.

    Returns:
        The state dict of :class:`Viclip`, and the keys that are not in it, each with what it is.

    Raises:
        TevoError: for a key that the layout does not have, or a patch embedding that spans several frames.
    """
    ours: dict[str, Tensor] = {}
    unused: dict[str, str] = {}
    for name, tensor in state.items():
        tower = next((prefix for prefix in _TOWERS if name.startswith(prefix)), None)
        if tower is not None:
            ours[_TOWERS[tower] + name.removeprefix(tower)] = tensor
        elif name in UNUSED:
            unused[name] = UNUSED[name]
        else:
            raise TevoError(
                f"{name!r} is no key of a ViCLIP checkpoint, which has vision_encoder.*, text_encoder.* and temp; give "
                "the weights of OpenGVLab's ViCLIP"
            )
    conv1 = ours.get("visual.conv1.weight")
    if conv1 is not None and conv1.ndim == 5:
        if conv1.shape[2] != 1:
            raise TevoError(f"patches over {conv1.shape[2]} frames are not supported; the published models have 1")
        ours["visual.conv1.weight"] = conv1.squeeze(2)
    return ours, unused


def load_published(model: Viclip, path: Path) -> dict[str, str]:
    """Load a published checkpoint (safetensors, or a torch file without code in it) in place, as float32.

    Returns:
        The keys that were not used, each with what it is.

    Raises:
        OSError: when the file cannot be read.
        TevoError: when it is of another layout or size, or not complete.
    """
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            state = content.get("model", content)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise OSError(f"{path} holds no weights: {error}") from error
    ours, unused = from_published({name: tensor.float() for name, tensor in state.items()})
    try:
        model.load_state_dict(ours)
    except RuntimeError as error:
        raise TevoError(f"the weights at {path} do not fit this ViCLIP, which has other sizes: {error}") from error
    return unused
