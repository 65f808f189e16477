"""Qwen2.5-VL and Qwen3-VL."""

from tevo.backbones.qwen_vl.adapter import QwenVL as QwenVL
from tevo.backbones.qwen_vl.variants import qwen2_5_vl_7b as qwen2_5_vl_7b
from tevo.backbones.qwen_vl.variants import qwen2_5_vl_tiny as qwen2_5_vl_tiny
from tevo.backbones.qwen_vl.variants import qwen3_vl_8b as qwen3_vl_8b
from tevo.backbones.qwen_vl.variants import qwen3_vl_tiny as qwen3_vl_tiny
