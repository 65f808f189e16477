"""Checkpoints with the configuration, names and shapes of the published ones are read; no weight takes memory."""

import functools
import json
import math

import pytest
import torch

from tevo.backbones.qwen_vl.building import build_parts
from tevo.backbones.qwen_vl.published import QWEN2_5_VL_7B as RANDOM_7B
from tevo.backbones.qwen_vl.published import QWEN3_VL_8B as RANDOM_8B
from tevo.backbones.qwen_vl.tiny import TOKENIZER
from tevo.errors import TevoError

# Qwen/Qwen2.5-VL-7B-Instruct and Qwen/Qwen3-VL-8B-Instruct (Apache-2.0): what their config.json and index say
QWEN2_5_VL_7B = {
    "model_type": "qwen2_5_vl",
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "vision_token_id": 151654,
    "image_token_id": 151655,
    "video_token_id": 151656,
    "hidden_act": "silu",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "max_position_embeddings": 128000,
    "max_window_layers": 28,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "vocab_size": 152064,
    "vision_config": {
        "depth": 32,
        "hidden_act": "silu",
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "in_chans": 3,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "spatial_patch_size": 14,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "tokens_per_second": 2,
        "temporal_patch_size": 2,
    },
}
QWEN3_VL_8B = {
    "model_type": "qwen3_vl",
    "architectures": ["Qwen3VLForConditionalGeneration"],
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "tie_word_embeddings": False,
    "text_config": {
        "attention_bias": False,
        "dtype": "bfloat16",
        "head_dim": 128,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "max_position_embeddings": 262144,
        "model_type": "qwen3_vl_text",
        "num_attention_heads": 32,
        "num_hidden_layers": 36,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-06,
        "rope_scaling": {"mrope_interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default"},
        "rope_theta": 5000000,
        "vocab_size": 151936,
    },
    "vision_config": {
        "deepstack_visual_indexes": [8, 16, 24],
        "depth": 27,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_size": 1152,
        "in_channels": 3,
        "intermediate_size": 4304,
        "model_type": "qwen3_vl",
        "num_heads": 16,
        "num_position_embeddings": 2304,
        "out_hidden_size": 4096,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
}


def both(name, rows, columns):
    """A linear layer's weight and bias."""
    return {f"{name}.weight": [rows, columns], f"{name}.bias": [rows]}


def norm(name, width):
    return {f"{name}.weight": [width], f"{name}.bias": [width]}


def qwen2_5_vl_7b():
    """Names and shapes of the published files; 729 tensors."""
    names = {"visual.patch_embed.proj.weight": [1280, 3, 2, 14, 14], "visual.merger.ln_q.weight": [1280]}
    names |= both("visual.merger.mlp.0", 5120, 5120) | both("visual.merger.mlp.2", 3584, 5120)
    for index in range(32):
        at = f"visual.blocks.{index}"
        names |= {f"{at}.norm1.weight": [1280], f"{at}.norm2.weight": [1280]}
        names |= both(f"{at}.attn.qkv", 3840, 1280) | both(f"{at}.attn.proj", 1280, 1280)
        names |= both(f"{at}.mlp.gate_proj", 3420, 1280) | both(f"{at}.mlp.up_proj", 3420, 1280)
        names |= both(f"{at}.mlp.down_proj", 1280, 3420)
    names |= {"model.embed_tokens.weight": [152064, 3584], "model.norm.weight": [3584]}
    names |= {"lm_head.weight": [152064, 3584]}
    for index in range(28):
        at = f"model.layers.{index}"
        names |= {f"{at}.input_layernorm.weight": [3584], f"{at}.post_attention_layernorm.weight": [3584]}
        names |= both(f"{at}.self_attn.q_proj", 3584, 3584) | both(f"{at}.self_attn.k_proj", 512, 3584)
        names |= both(f"{at}.self_attn.v_proj", 512, 3584) | {f"{at}.self_attn.o_proj.weight": [3584, 3584]}
        names |= {f"{at}.mlp.{part}_proj.weight": [18944, 3584] for part in ("gate", "up")}
        names |= {f"{at}.mlp.down_proj.weight": [3584, 18944]}
    return names


def qwen3_vl_8b():
    """Names and shapes of the published files; 750 tensors."""
    visual = "model.visual"
    names = {f"{visual}.patch_embed.proj.weight": [1152, 3, 2, 16, 16], f"{visual}.patch_embed.proj.bias": [1152]}
    names |= {f"{visual}.pos_embed.weight": [2304, 1152]} | norm(f"{visual}.merger.norm", 1152)
    mergers = [f"{visual}.deepstack_merger_list.{index}" for index in range(3)]
    for at in mergers:
        names |= norm(f"{at}.norm", 4608)
    for at in [*mergers, f"{visual}.merger"]:
        names |= both(f"{at}.linear_fc1", 4608, 4608) | both(f"{at}.linear_fc2", 4096, 4608)
    for index in range(27):
        at = f"{visual}.blocks.{index}"
        names |= norm(f"{at}.norm1", 1152) | norm(f"{at}.norm2", 1152)
        names |= both(f"{at}.attn.qkv", 3456, 1152) | both(f"{at}.attn.proj", 1152, 1152)
        names |= both(f"{at}.mlp.linear_fc1", 4304, 1152) | both(f"{at}.mlp.linear_fc2", 1152, 4304)
    text = "model.language_model"
    names |= {f"{text}.embed_tokens.weight": [151936, 4096], f"{text}.norm.weight": [4096]}
    names |= {"lm_head.weight": [151936, 4096]}
    for index in range(36):
        at = f"{text}.layers.{index}"
        names |= {f"{at}.input_layernorm.weight": [4096], f"{at}.post_attention_layernorm.weight": [4096]}
        names |= {f"{at}.self_attn.{part}_proj.weight": [4096, 4096] for part in ("q", "o")}
        names |= {f"{at}.self_attn.{part}_proj.weight": [1024, 4096] for part in ("k", "v")}
        names |= {f"{at}.self_attn.{part}_norm.weight": [128] for part in ("q", "k")}
        names |= {f"{at}.mlp.{part}_proj.weight": [12288, 4096] for part in ("gate", "up")}
        names |= {f"{at}.mlp.down_proj.weight": [4096, 12288]}
    return names


CASES = {
    "qwen2_5_vl_7b": (QWEN2_5_VL_7B, qwen2_5_vl_7b(), 16_584_333_312),  # bytes in bf16, as the published index says
    "qwen3_vl_8b": (QWEN3_VL_8B, qwen3_vl_8b(), 17_534_247_392),
}


def write_header(path, shapes):
    """A safetensors file of bf16 zeros; its data is a hole that takes no room on the disk."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)


@pytest.fixture
def read(build, tmp_path, monkeypatch):
    """Read a checkpoint of a configuration and of tensors of these names and shapes, onto the meta device."""
    from transformers import AutoModelForImageTextToText

    load = AutoModelForImageTextToText.from_pretrained
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", functools.partial(load, device_map="meta"))

    def use(config, shapes):
        tiny = "qwen2_5_vl_tiny" if config["model_type"] == "qwen2_5_vl" else "qwen3_vl_tiny"
        build(tiny).processor.save_pretrained(tmp_path)
        (tmp_path / "config.json").write_text(json.dumps(config))
        write_header(tmp_path / "model.safetensors", shapes)
        return build_parts(str(tmp_path), str(TOKENIZER), "bfloat16")

    return use


@pytest.mark.parametrize("name", CASES)
def test_every_parameter_is_named_and_shaped_as_published(name, read):
    config, shapes, published_bytes = CASES[name]
    assert 2 * sum(map(math.prod, shapes.values())) == published_bytes  # the table above is the published one
    parts = read(config, shapes)  # refuses a checkpoint that lacks a weight
    weights = dict(parts.model.named_parameters())
    assert {weight.device.type for weight in weights.values()} == {"meta"}
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}

    def published(key):  # transformers' name as the files of Qwen2.5-VL have it
        if name == "qwen3_vl_8b":
            return key
        return key.replace("model.visual.", "visual.").replace("model.language_model.", "model.")

    assert {published(key): list(weight.shape) for key, weight in weights.items()} == shapes
    assert parts.tokens_per_second == (2.0 if name == "qwen2_5_vl_7b" else None)
    form = parts.patches
    assert (form.patch_px, form.merge, form.frames) == (14 if name == "qwen2_5_vl_7b" else 16, 2, 2)


@pytest.mark.parametrize("name", CASES)
def test_a_tensor_that_is_missing_or_of_another_shape_is_named(name, read):
    config, shapes, _ = CASES[name]
    gone = next(key for key in shapes if key.endswith("layers.3.mlp.up_proj.weight"))
    with pytest.raises(TevoError, match=r"lacks 1 of the model's weights \(.*layers\.3\.mlp\.up_proj\.weight"):
        read(config, {key: shape for key, shape in shapes.items() if key != gone})
    with pytest.raises(TevoError, match="could not be loaded"):
        read(config, shapes | {gone: [8, 8]})


@pytest.mark.parametrize(("config", "ours"), [(QWEN2_5_VL_7B, RANDOM_7B), (QWEN3_VL_8B, RANDOM_8B)])
def test_random_weights_have_the_published_configuration(config, ours, tmp_path):
    from transformers import AutoConfig

    (tmp_path / "config.json").write_text(json.dumps(config))
    published = AutoConfig.from_pretrained(tmp_path).to_dict()
    values = dict(ours)
    made = AutoConfig.for_model(values.pop("model_type"), **values).to_dict()
    for part in ("text_config", "vision_config"):
        assert {key: made[part][key] for key in ours[part]} == ours[part]
        own = {"rope_parameters", "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id"}
        alike = ours[part].keys() - own
        assert {key: published[part][key] for key in alike} == {key: ours[part][key] for key in alike}
    rope = ours["text_config"]["rope_parameters"]
    assert {key: published["text_config"]["rope_parameters"].get(key) for key in rope} == rope
    assert made["tie_word_embeddings"] is published["tie_word_embeddings"] is False
