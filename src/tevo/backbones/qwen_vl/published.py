"""Configurations of the published checkpoints: for random weights of their size, without a network.

Source: ``config.json`` of Qwen/Qwen2.5-VL-7B-Instruct and Qwen/Qwen3-VL-8B-Instruct (Apache-2.0). Changed: the ids of
the special tokens are those of the tokenizer in the package, which such a model is given.
"""

from typing import Any

from tevo.backbones.qwen_vl.tiny import TEXT_TOKEN_IDS, TOKEN_IDS

QWEN2_5_VL_7B: dict[str, Any] = {
    "model_type": "qwen2_5_vl",
    **TOKEN_IDS,
    "tie_word_embeddings": False,
    "text_config": {
        **TEXT_TOKEN_IDS,
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 128000,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [16, 24, 24]},
        "tie_word_embeddings": False,
    },
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "tokens_per_second": 2,
    },
}
"""``Qwen2_5_VLConfig`` arguments: 8.3 billion parameters."""

QWEN3_VL_8B: dict[str, Any] = {
    "model_type": "qwen3_vl",
    **TOKEN_IDS,
    "tie_word_embeddings": False,
    "text_config": {
        **TEXT_TOKEN_IDS,
        "vocab_size": 151936,
        "hidden_size": 4096,
        "head_dim": 128,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 262144,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5000000.0,
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
        },
        "tie_word_embeddings": False,
    },
    "vision_config": {
        "depth": 27,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_heads": 16,
        "num_position_embeddings": 2304,
        "out_hidden_size": 4096,
        "patch_size": 16,
        "deepstack_visual_indexes": [8, 16, 24],
    },
}
"""``Qwen3VLConfig`` arguments: 8.8 billion parameters."""
