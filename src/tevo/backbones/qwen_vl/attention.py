"""Attention of a group: its prompt is read once, every completion attends to it and to itself alone.

A packed row holds the prompts (*prefixes*) and completions (*tails*) of several groups one after the other, without
padding, so that every layer but attention sees one long sequence. Attention goes by group. For the tails it is taken in
two parts, over the prefix and over the tail itself, which the log-sum-exps of their scores join exactly::

    o = o_prefix exp(lse_prefix - lse) + o_own exp(lse_own - lse),  lse = log(exp(lse_prefix) + exp(lse_own))

Given the joint ``o`` and ``lse``, a flash kernel's backward pass over either part is the true gradient through that
part (the probabilities it recomputes are those of the whole), so neither keys nor scores are ever copied G times.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

NAME = "tevo_group"
"""Under which transformers knows this attention."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Groups whose prefixes have one length: where their tokens lie in the packed row.

    A tail may be what other tails begin with (a question about a video, and replies to it): they have a bucket of their
    own then, whose prefix is ``known``.
    """

    prefix: Int[Tensor, "group prefix"]
    tails: Int[Tensor, "group member tail"]  # right-padded with any place: a causal mask keeps it out of sight
    known: bool = False  # the prefix belongs to other buckets: it is looked at, and nothing is made of it here


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """The groups of a packed row."""

    buckets: tuple[Bucket, ...]
    order: Int[Tensor, "token"]  # place of each token's output in the buckets' outputs, one after the other
    kept: dict[int, tuple[Tensor, Tensor]] | None = None  # by layer, keys and values of the row; filled when given


def group_attention(
    module: torch.nn.Module,
    query: Float[Tensor, "batch head token dim"],
    key: Float[Tensor, "batch kv token dim"],
    value: Float[Tensor, "batch kv token dim"],
    attention_mask: Tensor | None,
    scaling: float,
    layout: GroupLayout,
    **_: Any,
) -> tuple[Tensor, None]:
    """An attention function of transformers: ``layout`` travels to it through the model's keyword arguments.

    Returns:
        The output [batch token head dim], and None for the weights.
    """
    if layout.kept is not None:
        layout.kept[int(module.layer_idx)] = (key[0], value[0])  # type: ignore[arg-type]
    repeats = query.shape[1] // key.shape[1]
    q, k, v = query[0], _repeat(key[0], repeats), _repeat(value[0], repeats)
    outputs = []
    for bucket in layout.buckets:
        keys, values = _pick(k, bucket.prefix), _pick(v, bucket.prefix)
        if not bucket.known:
            queries = _pick(q, bucket.prefix)
            prefix = F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=scaling)
            outputs.append(prefix.transpose(1, 2).flatten(0, 1))
        if bucket.tails.numel():
            own = [_pick(part, bucket.tails.flatten(0, 1)) for part in (q, k, v)]
            tails = tail_attention(own[0], own[1], own[2], keys, values, scaling)
            outputs.append(tails.transpose(1, 2).flatten(0, 1))
    return torch.cat(outputs).index_select(0, layout.order).unsqueeze(0), None


def _repeat(heads: Float[Tensor, "kv token dim"], repeats: int) -> Float[Tensor, "head token dim"]:
    return heads.repeat_interleave(repeats, dim=0) if repeats > 1 else heads


def _pick(
    heads: Float[Tensor, "head token dim"], places: Int[Tensor, "row length"]
) -> Float[Tensor, "row head length dim"]:
    rows, length = places.shape
    picked = heads.index_select(1, places.flatten())
    return picked.view(heads.shape[0], rows, length, -1).transpose(0, 1)


def tail_attention(
    query: Float[Tensor, "row head tail dim"],
    key: Float[Tensor, "row head tail dim"],
    value: Float[Tensor, "row head tail dim"],
    prefix_key: Float[Tensor, "group head prefix dim"],
    prefix_value: Float[Tensor, "group head prefix dim"],
    scaling: float,
) -> Float[Tensor, "row head tail dim"]:
    """Completions over their group's prefix and, causally, over themselves; ``row`` = group x member.

    On a CPU in two joined parts. Elsewhere by torch's own choice of kernel over keys that are laid side by side.
    """
    if query.device.type == "cpu":
        joined: Tensor = _JoinedAttention.apply(query, key, value, prefix_key, prefix_value, scaling)  # type: ignore[no-untyped-call]
        return joined
    members = len(query) // len(prefix_key)
    keys = torch.cat([prefix_key.repeat_interleave(members, dim=0), key], dim=2)
    values = torch.cat([prefix_value.repeat_interleave(members, dim=0), value], dim=2)
    tail, whole = query.shape[2], keys.shape[2]
    seen = torch.ones(tail, whole, dtype=torch.bool, device=query.device).tril(whole - tail)
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=seen, scale=scaling)


class _JoinedAttention(torch.autograd.Function):
    """Two calls of torch's CPU flash kernel, joined by their log-sum-exps; see the module."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 (autograd's own)
        query: Tensor,
        key: Tensor,
        value: Tensor,
        prefix_key: Tensor,
        prefix_value: Tensor,
        scaling: float,
    ) -> Tensor:
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        groups = len(prefix_key)
        over_prefix, lse_prefix = flash(
            _side_by_side(query, groups), prefix_key, prefix_value, 0.0, False, scale=scaling
        )
        over_own, lse_own = flash(query, key, value, 0.0, True, scale=scaling)
        over_prefix, lse_prefix = _apart(over_prefix, query), _apart(lse_prefix.unsqueeze(-1), query).squeeze(-1)
        lse = torch.logaddexp(lse_prefix, lse_own)
        share = (lse_prefix - lse).exp().unsqueeze(-1).to(query.dtype)
        output: Tensor = over_prefix * share + over_own * (1 - share)
        ctx.save_for_backward(query, key, value, prefix_key, prefix_value, output, lse)
        ctx.scaling = scaling
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        query, key, value, prefix_key, prefix_value, output, lse = ctx.saved_tensors
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
        groups = len(prefix_key)
        rows = [_side_by_side(part, groups) for part in (grad, query, output, lse.unsqueeze(-1))]
        to_query, to_prefix_key, to_prefix_value = flash(
            rows[0], rows[1], prefix_key, prefix_value, rows[2], rows[3].squeeze(-1), 0.0, False, scale=ctx.scaling
        )
        own_query, to_key, to_value = flash(
            grad.contiguous(), query, key, value, output, lse, 0.0, True, scale=ctx.scaling
        )
        return _apart(to_query, query) + own_query, to_key, to_value, to_prefix_key, to_prefix_value, None


def _side_by_side(rows: Float[Tensor, "row head tail dim"], groups: int) -> Float[Tensor, "group head all dim"]:
    """The members of a group as one run of queries: none sees another, so over a prefix they need not be apart."""
    _, heads, tail, dim = rows.shape
    return rows.view(groups, -1, heads, tail, dim).transpose(1, 2).reshape(groups, heads, -1, dim)


def _apart(joined: Float[Tensor, "group head all dim"], like: Float[Tensor, "row head tail dim2"]) -> Tensor:
    """The inverse of :func:`_side_by_side`."""
    groups, heads, _, dim = joined.shape
    return joined.view(groups, heads, -1, like.shape[2], dim).transpose(1, 2).reshape(len(like), heads, -1, dim)


def register() -> None:
    """Make the attention known to transformers; a second time changes nothing."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, group_attention)
    AttentionMaskInterface.register(NAME, _no_mask)


def _no_mask(*_: object, **__: object) -> None:
    """The layout says who sees whom."""
