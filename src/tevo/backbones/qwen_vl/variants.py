"""Named variants: the published checkpoints, and the tiny ones of the procedural world."""

from tevo.backbones.fetching import Pretrained
from tevo.backbones.qwen_vl.adapter import QwenVL
from tevo.backbones.qwen_vl.published import QWEN2_5_VL_7B, QWEN3_VL_8B
from tevo.backbones.qwen_vl.tiny import QWEN2_5_VL_TINY, QWEN3_VL_TINY, TOKENIZER
from tevo.backbones.registry import register_backbone
from tevo.backbones.tiny import load_tiny, tiny_weights


@register_backbone
def qwen2_5_vl_7b(
    pretrained: Pretrained = "Qwen/Qwen2.5-VL-7B-Instruct",
    trainable: str = "lora",
    train_vision: bool = False,
    dtype: str = "bfloat16",
    checkpointing: bool = True,
) -> QwenVL:
    """Qwen2.5-VL-7B-Instruct (Apache-2.0).

    Args:
        pretrained: hub id or local folder; False for random weights and the tokenizer in the package.
        trainable: "lora" | "lora_all" | "all".
        train_vision: train the vision tower too.
        dtype: of the base's weights.
        checkpointing: recompute activations in the backward pass.
    """
    model, tokenizer = (pretrained, None) if pretrained else (QWEN2_5_VL_7B, str(TOKENIZER))
    return QwenVL(
        model, tokenizer, name="qwen2_5_vl_7b", trainable=trainable, train_vision=train_vision, dtype=dtype,
        checkpointing=checkpointing,
    )  # fmt: skip


@register_backbone
def qwen3_vl_8b(
    pretrained: Pretrained = "Qwen/Qwen3-VL-8B-Instruct",
    trainable: str = "lora",
    train_vision: bool = False,
    dtype: str = "bfloat16",
    checkpointing: bool = True,
) -> QwenVL:
    """Qwen3-VL-8B-Instruct (Apache-2.0).

    Args:
        pretrained: hub id or local folder; False for random weights and the tokenizer in the package.
        trainable: "lora" | "lora_all" | "all".
        train_vision: train the vision tower too.
        dtype: of the base's weights.
        checkpointing: recompute activations in the backward pass.
    """
    model, tokenizer = (pretrained, None) if pretrained else (QWEN3_VL_8B, str(TOKENIZER))
    return QwenVL(
        model, tokenizer, name="qwen3_vl_8b", trainable=trainable, train_vision=train_vision, dtype=dtype,
        checkpointing=checkpointing,
    )  # fmt: skip


@register_backbone
def qwen2_5_vl_tiny(
    pretrained: Pretrained = "shipped",
    trainable: str = "all",
    train_vision: bool = False,
    checkpointing: bool = False,
) -> QwenVL:
    """The same class with 2.2 million parameters, for the procedural world.

    Args:
        pretrained: "shipped" for the weights in the package, a file of ``save_tiny``, or False for random ones.
        trainable: "lora" | "lora_all" | "all".
        train_vision: train the vision tower too.
        checkpointing: recompute activations in the backward pass.
    """
    built = QwenVL(
        QWEN2_5_VL_TINY, str(TOKENIZER), name="qwen2_5_vl_tiny", trainable=trainable, train_vision=train_vision,
        image_size_px=64, checkpointing=checkpointing, min_cells=1,
    )  # fmt: skip
    if pretrained:
        load_tiny(built.model, tiny_weights("qwen2_5_vl_tiny", pretrained))
    return built


@register_backbone
def qwen3_vl_tiny(
    pretrained: Pretrained = "shipped",
    trainable: str = "all",
    train_vision: bool = False,
    checkpointing: bool = False,
) -> QwenVL:
    """The same class with 1.6 million parameters, for the procedural world.

    Args:
        pretrained: "shipped" for the weights in the package, a file of ``save_tiny``, or False for random ones.
        trainable: "lora" | "lora_all" | "all".
        train_vision: train the vision tower too.
        checkpointing: recompute activations in the backward pass.
    """
    built = QwenVL(
        QWEN3_VL_TINY, str(TOKENIZER), name="qwen3_vl_tiny", trainable=trainable, train_vision=train_vision,
        image_size_px=64, checkpointing=checkpointing, min_cells=4,
    )  # fmt: skip
    if pretrained:
        load_tiny(built.model, tiny_weights("qwen3_vl_tiny", pretrained))
    return built
