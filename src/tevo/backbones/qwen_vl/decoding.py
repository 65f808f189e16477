"""One token more for every completion: transformers' layers, without what only long sequences need.

A step of a few rows costs mostly the calls around the arithmetic, so the layers' own modules are called here one by one
(an adapter around a projection included), and attention reads the prompt's keys once for all completions of a group.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(slots=True)
class DecodeState:
    """What the next token of each completion attends to: its prompt's keys, shared, and those of its own so far."""

    prefix: list[tuple[Tensor, Tensor]]  # a layer: keys, values [prompt kv prefix dim]
    hidden: Float[Tensor, "prompt 1 1 1 prefix"]  # -inf where a shorter prompt is padded, else 0
    own: list[tuple[Tensor, Tensor]]  # a layer: keys, values [prompt group kv token dim], filled as tokens come
    length: int = field(default=0)  # tokens that have come

    @staticmethod
    def start(
        prefix: list[tuple[Tensor, Tensor]], mask: Bool[Tensor, "prompt prefix"], group: int, room: int
    ) -> "DecodeState":
        """Room for ``group`` completions of each prompt, ``room`` tokens each."""
        own = []
        for keys, values in prefix:
            prompts, heads, _, dim = keys.shape
            shape = (prompts, group, heads, room, dim)
            own.append((keys.new_empty(shape), values.new_empty(shape)))
        hidden = torch.zeros(mask.shape, dtype=prefix[0][0].dtype, device=mask.device)
        return DecodeState(prefix, hidden.masked_fill_(~mask, -torch.inf)[:, None, None, None], own)


class Stepper:
    """Feeds the tokens just drawn through a language model.

    Args:
        language: the text side of a transformers Qwen-VL, as the acting role has it.
        positions: position of each completion's first token, on all three axes.
        state: filled on the way.
    """

    def __init__(self, language: Any, positions: Int[Tensor, "row"], state: DecodeState) -> None:  # noqa: ANN401
        self.language, self.state = language, state
        room = state.own[0][0].shape[3]
        places = positions[:, None] + torch.arange(room, device=positions.device)
        cos, sin = language.rotary_emb(state.own[0][0], places.expand(3, -1, -1))
        self.cos, self.sin = cos[:, None], sin[:, None]  # [row 1 token dim]

    def __call__(self, tokens: Int[Tensor, "row"]) -> Float[Tensor, "row dim"]:
        """Last hidden states after one more token of every row."""
        x: Tensor = self.language.embed_tokens(tokens)
        at = self.state.length
        cos, sin = self.cos[:, :, at], self.sin[:, :, at]
        for index, layer in enumerate(self.language.layers):
            x = x + self._attend(layer.self_attn, _norm(layer.input_layernorm, x), cos, sin, index)
            inner = _norm(layer.post_attention_layernorm, x)
            mlp = layer.mlp
            x = x + _linear(mlp.down_proj, mlp.act_fn(_linear(mlp.gate_proj, inner)) * _linear(mlp.up_proj, inner))
        self.state.length = at + 1
        return _norm(self.language.norm, x)

    def _attend(self, attention: Any, x: Tensor, cos: Tensor, sin: Tensor, index: int) -> Float[Tensor, "row dim"]:  # noqa: ANN401
        rows, dim = len(x), int(attention.head_dim)
        q = _linear(attention.q_proj, x).view(rows, -1, dim)
        k = _linear(attention.k_proj, x).view(rows, -1, dim)
        v = _linear(attention.v_proj, x)
        norms = dict(attention.named_children())  # Qwen3 normalises queries and keys
        if "q_norm" in norms:
            q, k = _norm(norms["q_norm"], q), _norm(norms["k_norm"], k)
        heads = q.shape[1]
        both = torch.cat([q, k], dim=1)
        half = dim // 2
        turned = torch.cat([-both[..., half:], both[..., :half]], dim=-1)
        both = both * cos + turned * sin
        output = self._over_all(both[:, :heads], both[:, heads:], v, float(attention.scaling), index)
        return _linear(attention.o_proj, output)

    def _over_all(self, q: Tensor, k: Tensor, v: Tensor, scaling: float, index: int) -> Float[Tensor, "row dim"]:
        """Softmax over the prompt's keys and the completion's own; several query heads share a key head."""
        own_keys, own_values = self.state.own[index]
        prompts, group, heads, _, dim = own_keys.shape
        at = self.state.length
        own_keys[:, :, :, at] = k.view(prompts, group, heads, dim)
        own_values[:, :, :, at] = v.view(prompts, group, heads, dim)
        keys, values = self.state.prefix[index]
        queries = (q * scaling).view(prompts, group, heads, -1, dim)
        shared = queries.transpose(1, 2).reshape(prompts, heads, -1, dim) @ keys.transpose(-1, -2)
        shared = shared.view(prompts, heads, group, -1, keys.shape[2]).transpose(1, 2) + self.state.hidden
        own = queries @ own_keys[:, :, :, : at + 1].transpose(-1, -2)
        weights = torch.cat([shared, own], dim=-1).softmax(dim=-1, dtype=torch.float32).to(v.dtype)
        over_prefix, over_own = weights[..., : keys.shape[2]], weights[..., keys.shape[2] :]
        told = over_prefix.transpose(1, 2).reshape(prompts, heads, -1, keys.shape[2]) @ values
        told = told.view(prompts, heads, group, -1, dim).transpose(1, 2) + over_own @ own_values[:, :, :, : at + 1]
        return told.reshape(prompts * group, -1)


def _linear(module: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """A linear layer without the call around it; whatever else stands in its place is called."""
    if type(module) is nn.Linear:
        return F.linear(x, module.weight, module.bias)
    made: Tensor = module(x)
    return made


def _norm(module: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Root-mean-square norm, fused; both families compute it in float32."""
    made = F.rms_norm(x.float(), module.weight.shape, None, module.variance_epsilon)
    return module.weight * made.to(x.dtype)  # type: ignore[no-any-return]
