"""A Qwen2.5-VL or Qwen3-VL with its tokenizer and patch format: from the hub, a folder, or a configuration."""

import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch

from tevo.backbones.fetching import cannot_load
from tevo.backbones.pixels import rgb
from tevo.backbones.qwen_vl.attention import NAME, register
from tevo.backbones.qwen_vl.budget import PatchFormat
from tevo.errors import TevoError

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
"""``model_type`` of the checkpoints that the adapter knows."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Parts:
    """What a Qwen-VL is made of."""

    model: Any  # Qwen2_5_VLForConditionalGeneration or Qwen3VLForConditionalGeneration
    tokenizer: Any
    processor: Any  # the whole of it, for export
    patches: PatchFormat
    tokens_per_second: float | None  # None: times are written as text


def build_parts(model: str | dict[str, Any], tokenizer: str | None, dtype: str) -> Parts:
    """Model, tokenizer and processor.

    Args:
        model: hub id or local folder (with weights), or the model's configuration (random weights).
        tokenizer: hub id or folder; None takes the model's own.
        dtype: of the weights, a key of :data:`DTYPES`.

    Raises:
        TevoError: what cannot be found or fetched, or belongs to another family.
    """
    if dtype not in DTYPES:
        raise TevoError(f"unknown dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    if isinstance(model, dict) and tokenizer is None:
        raise TevoError("a Qwen-VL from a configuration has no tokenizer of its own: name one with `tokenizer`")
    register()
    built = _from_config(model, dtype) if isinstance(model, dict) else _from_weights(model, dtype)
    for config in (built.config, built.config.text_config):
        if getattr(config, "use_sliding_window", False):
            raise TevoError("this checkpoint attends through a sliding window, which tevo's group attention has not")
    built.model.language_model.set_attn_implementation(NAME)
    processor = _processor(built, model, tokenizer)
    seconds = float(built.config.vision_config.tokens_per_second) if built.config.model_type == FAMILIES[0] else None
    return Parts(built, processor.tokenizer, processor, _patch_format(built.config, processor), seconds)


def _library() -> Any:  # noqa: ANN401 (annotated in part, and not as it behaves)
    """transformers, imported late."""
    return import_module("transformers")


def _from_config(config: dict[str, Any], dtype: str) -> Any:  # noqa: ANN401 (untyped library)
    library = _library()
    values = copy.deepcopy(config)
    _check_family(values.get("model_type"), "the configuration")
    made = library.AutoConfig.for_model(values.pop("model_type"), **values)
    return library.AutoModelForImageTextToText.from_config(made, attn_implementation="sdpa", dtype=DTYPES[dtype])


def _from_weights(name: str, dtype: str) -> Any:  # noqa: ANN401 (untyped library)
    library = _library()
    try:
        config = library.AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise cannot_load(f"the config of the weights {name!r}", error, "a local folder of save_pretrained") from error
    _check_family(config.model_type, name)
    try:
        loaded, notes = library.AutoModelForImageTextToText.from_pretrained(
            name, attn_implementation="sdpa", dtype=DTYPES[dtype], output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise cannot_load(f"the weights {name!r}", error, "a local folder of save_pretrained") from error
    if notes["missing_keys"]:
        some = ", ".join(sorted(notes["missing_keys"])[:3])
        raise TevoError(f"{name} lacks {len(notes['missing_keys'])} of the model's weights ({some}, ...)")
    return loaded


def _check_family(found: str | None, where: str) -> None:
    if found not in FAMILIES:
        raise TevoError(
            f"{where} is a {found or 'model of no named type'}; this adapter reads {' and '.join(FAMILIES)}. Give a "
            "Qwen2.5-VL or Qwen3-VL checkpoint, such as Qwen/Qwen2.5-VL-7B-Instruct"
        )


def _processor(model: Any, name: str | dict[str, Any], tokenizer: str | None) -> Any:  # noqa: ANN401
    """The checkpoint's processor; for a configuration, one of its family around the tokenizer given."""
    library = _library()
    try:
        if isinstance(name, str):
            processor = library.AutoProcessor.from_pretrained(name)
            if tokenizer is not None:
                processor.tokenizer = library.AutoTokenizer.from_pretrained(tokenizer)
            return processor
        words = library.AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as error:
        raise cannot_load(
            f"the processor of {tokenizer or name}", error, "a local folder of save_pretrained"
        ) from error
    return _make_processor(model.config, words)


def _make_processor(config: Any, tokenizer: Any) -> Any:  # noqa: ANN401 (untyped library)
    library, vision = _library(), config.vision_config
    sizes: dict[str, Any] = {
        "patch_size": vision.patch_size,
        "temporal_patch_size": vision.temporal_patch_size,
        "merge_size": vision.spatial_merge_size,
    }
    cell = (vision.patch_size * vision.spatial_merge_size) ** 2
    sizes |= {"size": {"shortest_edge": cell, "longest_edge": 4096 * cell}}
    images = library.Qwen2VLImageProcessor(**sizes)
    if config.model_type == FAMILIES[0]:
        videos = library.Qwen2VLVideoProcessor(**sizes, do_sample_frames=False)
        return library.Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=tokenizer.chat_template)
    videos = library.Qwen3VLVideoProcessor(**sizes, do_sample_frames=False)
    return library.Qwen3VLProcessor(images, tokenizer, videos, chat_template=tokenizer.chat_template)


def check_tokenizer(config: Any, tokenizer: Any, video_id: int) -> None:  # noqa: ANN401 (untyped library)
    """Refuse a tokenizer whose ids are not those that the model was built for.

    Raises:
        TevoError: one of another checkpoint.
    """
    rows = int(config.text_config.vocab_size)
    faults = []
    if len(tokenizer) > rows:
        faults.append(f"has {len(tokenizer)} tokens, the model's embedding {rows} rows")
    if video_id != config.video_token_id:
        faults.append(f"has its video token at {video_id}, the model at {config.video_token_id}")
    if faults:
        raise TevoError(
            f"the tokenizer of {tokenizer.name_or_path or 'this model'} is of another checkpoint: it "
            f"{' and '.join(faults)}. Leave `tokenizer` out to take the model's own"
        )


def recompute_activations(model: Any) -> None:  # noqa: ANN401 (untyped library)
    """Let a model in train mode make its layers' activations again in the backward pass instead of keeping them."""
    # transformers 5.23 has a new name for it and warns of the old one, which is all that 5.17 has
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})


def _patch_format(config: Any, processor: Any) -> PatchFormat:  # noqa: ANN401 (untyped library)
    vision, videos = config.vision_config, processor.video_processor
    return PatchFormat(
        patch_px=int(vision.patch_size),
        merge=int(vision.spatial_merge_size),
        frames=int(vision.temporal_patch_size),
        mean=rgb(videos.image_mean),
        std=rgb(videos.image_std),
    )
