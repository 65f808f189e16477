"""Attention over tokens placed in seconds."""

import pytest
import torch

from tevo.heads.layers import TimeAttention, rotate, turns


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_rotation_keeps_length_and_tells_only_differences_in_time():
    q, k, times = random(1, 2, 5, 8), random(1, 2, 5, 8, seed=1), torch.tensor([[0.0, 0.4, 3.0, 11.0, 80.0]])
    torch.testing.assert_close(rotate(q, turns(times, 4)).norm(dim=-1), q.norm(dim=-1))

    def products(times):
        turn = turns(times, 4)
        return rotate(q, turn) @ rotate(k, turn).transpose(-1, -2)

    here = products(times)
    torch.testing.assert_close(here, products(times + 17.3), atol=1e-4, rtol=1e-4)
    slower = products(2 * times)
    assert not torch.allclose(here, slower, atol=0.1)


@pytest.mark.parametrize("attend", [True, False])
def test_only_valid_tokens_are_attended_to(attend):
    layer = TimeAttention(16, 2, 0.0, attend).eval()
    x, times = random(1, 6, 16), torch.arange(6.0)[None]
    mask = torch.tensor([[True, True, True, True, False, False]])
    seen = layer(x, times, mask)[:, :4]
    torch.testing.assert_close(seen, layer(x[:, :4], times[:, :4], mask[:, :4]))
    nearer = x.clone()
    nearer[:, 3] = random(16, seed=5)
    assert torch.allclose(layer(nearer, times, mask)[:, 0], seen[:, 0]) != attend


def test_attention_goes_by_seconds_apart():
    layer = TimeAttention(16, 2, 0.0).eval()
    x, times, mask = random(1, 6, 16), torch.arange(6.0)[None] / 2, torch.ones(1, 6, dtype=torch.bool)
    seen = layer(x, times, mask)
    torch.testing.assert_close(layer(x, times + 100, mask), seen, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(layer(x, times * 2, mask), seen, atol=1e-3)


def test_a_row_without_a_valid_token_is_finite():
    layer = TimeAttention(16, 2, 0.0)
    out = layer(random(2, 3, 16), torch.zeros(2, 3), torch.tensor([[True] * 3, [False] * 3]))
    out.sum().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in layer.parameters())
