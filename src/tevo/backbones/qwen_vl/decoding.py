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
    hidden: Float[Tensor, "prompt 1 1 prefix"] | None  # -inf where a prompt is padded, else 0; None: none is padded
    own: list[tuple[Tensor, Tensor]]  # a layer: keys, values [prompt kv group token dim], filled as tokens come
    length: int = field(default=0)  # tokens that have come

    @staticmethod
    def start(
        prefix: list[tuple[Tensor, Tensor]], mask: Bool[Tensor, "prompt prefix"], group: int, room: int
    ) -> "DecodeState":
        """Room for ``group`` completions of each prompt, ``room`` tokens each."""
        own = []
        for keys, values in prefix:
            prompts, heads, _, dim = keys.shape
            shape = (prompts, heads, group, room, dim)
            own.append((keys.new_empty(shape), values.new_empty(shape)))
        hidden = None
        if not bool(mask.all()):
            zeros = torch.zeros(mask.shape, dtype=prefix[0][0].dtype, device=mask.device)
            hidden = zeros.masked_fill_(~mask, -torch.inf)[:, None, None]
        return DecodeState(prefix, hidden, own)

    def keep(self, prompts: Int[Tensor, "new"]) -> None:
        """Go on with some of the prompts."""
        self.prefix, self.own = (
            [(keys[prompts], values[prompts]) for keys, values in layers] for layers in (self.prefix, self.own)
        )
        self.hidden = None if self.hidden is None else self.hidden[prompts]

    def attend(
        self,
        index: int,
        queries: Float[Tensor, "prompt kv group repeat dim"],
        key: Float[Tensor, "prompt kv group dim"],
        value: Float[Tensor, "prompt kv group dim"],
    ) -> Float[Tensor, "prompt kv group repeat dim"]:
        """One softmax over the prompt's keys and the completion's own, the newest included; queries are scaled.

        Of the large scores none is copied but to lie beside the completion's own; several query heads share a key head.
        """
        own_keys, own_values = self.own[index]
        own_keys[:, :, :, self.length], own_values[:, :, :, self.length] = key, value
        own_keys, own_values = own_keys[:, :, :, : self.length + 1], own_values[:, :, :, : self.length + 1]
        keys, values = self.prefix[index]
        length = keys.shape[2]
        shared = queries.flatten(2, 3) @ keys.transpose(-1, -2)
        if self.hidden is not None:
            shared = shared + self.hidden
        own = queries @ own_keys.transpose(-1, -2)
        scores = torch.cat([shared.view(*own.shape[:-1], length), own], dim=-1)
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(values.dtype)
        told = weights[..., :length].flatten(2, 3) @ values
        return told.view(queries.shape) + weights[..., length:] @ own_values


class Stepper:
    """Feeds the tokens just drawn through a language model.

    Args:
        language: the text side of a transformers Qwen-VL, as the acting role has it.
        positions: position of each completion's first token, on all three axes.
        state: filled on the way.
    """

    def __init__(self, language: Any, positions: Int[Tensor, "row"], state: DecodeState) -> None:  # noqa: ANN401
        self.language, self.state = language, state
        prompts, _, group, room, _ = state.own[0][0].shape
        places = positions[:, None] + torch.arange(room, device=positions.device)
        cos, sin = language.rotary_emb(state.own[0][0], places.expand(3, -1, -1))
        # the half turn of rotary positions is a roll, whose sign the sine takes
        half, shape = sin.shape[-1] // 2, (prompts, 1, group, 1, room, -1)
        self.cos, self.sin = cos.view(shape), torch.cat([-sin[..., :half], sin[..., half:]], dim=-1).view(shape)
        self.normed = "q_norm" in dict(language.layers[0].self_attn.named_children())

    def __call__(self, tokens: Int[Tensor, "row"]) -> Float[Tensor, "row dim"]:
        """Last hidden states after one more token of every row."""
        x: Tensor = self.language.embed_tokens(tokens)
        at = self.state.length
        cos, sin = self.cos[..., at, :], self.sin[..., at, :]
        for index, layer in enumerate(self.language.layers):
            x = x + self._attend(layer.self_attn, _norm(layer.input_layernorm, x), cos, sin, index)
            inner = _norm(layer.post_attention_layernorm, x)
            mlp = layer.mlp
            x = x + _linear(mlp.down_proj, mlp.act_fn(_linear(mlp.gate_proj, inner)) * _linear(mlp.up_proj, inner))
        self.state.length = at + 1
        return _norm(self.language.norm, x)

    def keep(self, prompts: Int[Tensor, "new"]) -> None:
        """Go on with the completions of some of the prompts."""
        self.state.keep(prompts)
        self.cos, self.sin = self.cos[prompts], self.sin[prompts]

    def _attend(self, attention: Any, x: Tensor, cos: Tensor, sin: Tensor, index: int) -> Float[Tensor, "row dim"]:  # noqa: ANN401
        prompts, kv, group, _, dim = self.state.own[index][0].shape
        q = _linear(attention.q_proj, x).view(prompts, group, kv, -1, dim)
        k = _linear(attention.k_proj, x).view(prompts, group, kv, 1, dim)
        v = _linear(attention.v_proj, x).view(prompts, group, kv, dim)
        if self.normed:  # Qwen3 normalises queries and keys
            q, k = _norm(attention.q_norm, q), _norm(attention.k_norm, k)
        both = torch.cat([q, k], dim=3).transpose(1, 2)
        both = torch.addcmul(both * cos, both.roll(dim // 2, dims=-1), sin)
        queries = both[:, :, :, :-1] * float(attention.scaling)
        output = self.state.attend(index, queries, both[:, :, :, -1], v.transpose(1, 2))
        return _linear(attention.o_proj, output.transpose(1, 2).reshape(len(x), -1))


def _linear(module: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """A linear layer without the call around it; whatever else stands in its place is called."""
    if type(module) is nn.Linear:
        return F.linear(x, module.weight, module.bias)
    made: Tensor = module(x)
    return made


def _norm(module: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Root-mean-square norm, fused; both families compute it in float32."""
    if x.dtype == module.weight.dtype == torch.float32:
        return F.rms_norm(x, x.shape[-1:], module.weight, module.variance_epsilon)
    made = F.rms_norm(x.float(), module.weight.shape, None, module.variance_epsilon)
    return module.weight * made.to(x.dtype)  # type: ignore[no-any-return]
