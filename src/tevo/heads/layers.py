"""A transformer layer over tokens placed in seconds."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

LONGEST_S = 300.0  # assumed: the longest period of the rotary positions, seconds
SHORTEST_S = 2.0  # assumed: the shortest


def turns(times_s: Float[Tensor, "row token"], pairs: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine, each [row 1 token pair], of the angle by which each pair of dimensions is turned at a time."""
    periods = torch.logspace(
        math.log10(SHORTEST_S), math.log10(LONGEST_S), pairs, device=times_s.device, dtype=times_s.dtype
    )
    angle = (times_s[..., None] * (2 * math.pi / periods))[:, None]
    return angle.cos(), angle.sin()


def rotate(x: Float[Tensor, "row head token dim"], turn: tuple[Tensor, Tensor]) -> Float[Tensor, "row head token dim"]:
    """Rotary positions (RoFormer, arXiv 2104.09864) by time in seconds, not by index: any rate, any spacing."""
    pairs, (cos, sin) = x.shape[-1] // 2, turn
    even, odd = x[..., :pairs], x[..., pairs:]
    return torch.cat([even * cos - odd * sin, even * sin + odd * cos], -1)


class TimeAttention(nn.Module):
    """Pre-norm self-attention with rotary seconds, then a feed-forward layer.

    Args:
        dim: width.
        heads: attention heads.
        dropout: share of activations dropped in training.
        attend: False leaves out the attention (the cross-frame relation ablation), keeping the feed-forward part.
    """

    def __init__(self, dim: int, heads: int, dropout: float, attend: bool = True) -> None:
        super().__init__()
        self.heads, self.attend = heads, attend
        self.norm, self.norm_ff = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim))

    def forward(
        self, x: Float[Tensor, "row token dim"], times_s: Float[Tensor, "row token"], mask: Bool[Tensor, "row token"]
    ) -> Float[Tensor, "row token dim"]:
        """Tokens attend to the valid tokens of their row."""
        if self.attend:
            q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            bias = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, -1e4)[:, None, None]
            turn = turns(times_s, q.shape[-1] // 2)
            mixed = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, attn_mask=bias)
            x = x + self.out(mixed.transpose(1, 2).flatten(2))
        fed: Tensor = self.ff(self.norm_ff(x))
        return x + fed
