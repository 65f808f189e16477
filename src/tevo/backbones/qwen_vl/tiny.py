"""The tiny variants: configurations of the real classes, and the tokenizer that lies in the package.

The tokenizer is built by ``scripts/build_qwen_tokenizer.py``.
"""

from pathlib import Path
from typing import Any

TOKENIZER = Path(__file__).parents[2] / "weights" / "qwen_tiny_tokenizer"

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
"""Of the published tokenizers; the tiny ones begin with them, so that their ids do not depend on the vocabulary."""

VOCABULARY = 576  # the 535 that its training text yields, rounded up to a multiple of 64
_IDS = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
TOKEN_IDS: dict[str, Any] = {
    "image_token_id": _IDS["<|image_pad|>"],
    "video_token_id": _IDS["<|video_pad|>"],
    "vision_start_token_id": _IDS["<|vision_start|>"],
    "vision_end_token_id": _IDS["<|vision_end|>"],
}
"""Of a configuration that goes with the tokenizer in the package."""

TEXT_TOKEN_IDS: dict[str, Any] = {
    "bos_token_id": None,
    "eos_token_id": _IDS["<|im_end|>"],
    "pad_token_id": _IDS["<|endoftext|>"],
}
"""The same of its text part."""

_TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    "initializer_range": 0.09,  # fan-in: 1 / sqrt(hidden_size); at the default 0.02 a model this small stalls
    **TEXT_TOKEN_IDS,
    "tie_word_embeddings": True,
}
_VISION: dict[str, Any] = {
    "depth": 3,
    "hidden_size": 96,
    "intermediate_size": 256,
    "num_heads": 4,
    "patch_size": 8,
    "out_hidden_size": 128,
    "initializer_range": 0.09,
}

QWEN2_5_VL_TINY: dict[str, Any] = {
    "model_type": "qwen2_5_vl",
    **TOKEN_IDS,
    "tie_word_embeddings": True,
    "text_config": {
        **_TEXT,
        # time has half of the turning pairs, the slowest once in 11 minutes: a quarter of them, as in the 7B, turns
        # within 9 s at most, and nothing else tells a model of this size the minute from the second
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 4, 4]},
    },
    # a window of two cells a side and one layer that sees the whole frame, as 3 of 4 layers have windows in the 7B.
    # A cell is 32 px, and where in it something is lies within its token: between cells the angles of height and
    # width turn too little to tell it
    "vision_config": {
        **_VISION,
        "hidden_size": 64,
        "intermediate_size": 192,
        "spatial_merge_size": 4,
        "window_size": 64,
        "fullatt_block_indexes": [2],
        "tokens_per_second": 4,
    },
}
"""``Qwen2_5_VLConfig`` arguments of ``qwen2_5_vl_tiny``: 2.2 million parameters."""

QWEN3_VL_TINY: dict[str, Any] = {
    "model_type": "qwen3_vl",
    **TOKEN_IDS,
    "tie_word_embeddings": True,
    "text_config": {
        **_TEXT,
        "head_dim": 32,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [6, 5, 5],
            "mrope_interleaved": True,
        },
    },
    "vision_config": {**_VISION, "num_position_embeddings": 256, "deepstack_visual_indexes": [1]},
}
"""``Qwen3VLConfig`` arguments of ``qwen3_vl_tiny``."""
