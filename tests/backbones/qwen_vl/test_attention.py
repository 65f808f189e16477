import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tevo.backbones.qwen_vl.attention import tail_attention


def plain(query, key, value, prefix_key, prefix_value):
    """Every completion as a row of its own: its group's prefix copied before it."""
    members = len(query) // len(prefix_key)
    keys = torch.cat([prefix_key.repeat_interleave(members, 0), key], dim=2)
    values = torch.cat([prefix_value.repeat_interleave(members, 0), value], dim=2)
    scores = query @ keys.transpose(-1, -2) * 0.3
    tail, whole = query.shape[2], keys.shape[2]
    seen = torch.ones(tail, whole).tril(whole - tail).bool()
    return scores.masked_fill(~seen, -torch.inf).softmax(-1) @ values


def tensors(groups, members, heads, tail, prefix, dim, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    own, shared = (groups * members, heads, tail, dim), (groups, heads, prefix, dim)
    made = [torch.randn(shape, generator=generator) * scale for shape in (own, own, own, shared, shared)]
    return [tensor.requires_grad_() for tensor in made]


@given(*(st.integers(1, 4) for _ in range(3)), st.integers(1, 9), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_shared_prefix_gives_what_separate_rows_give(groups, members, heads, tail, prefix):
    given_tensors = tensors(groups, members, heads, tail, prefix, 8)
    ours, theirs = tail_attention(*given_tensors, 0.3), plain(*given_tensors)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    grad = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    for mine, other in zip(
        torch.autograd.grad(ours, given_tensors, grad), torch.autograd.grad(theirs, given_tensors, grad), strict=True
    ):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_very_flat_and_very_sharp_scores_stay_exact(scale):
    given_tensors = tensors(2, 3, 2, 5, 50, 16, scale)
    torch.testing.assert_close(tail_attention(*given_tensors, 0.3), plain(*given_tensors), atol=1e-4 * scale, rtol=1e-4)


def test_other_devices_use_one_kernel_over_copied_keys(monkeypatch):
    given_tensors = tensors(2, 3, 2, 5, 7, 8)
    elsewhere = torch.device("meta")
    made = tail_attention(*(t.detach().to(elsewhere) for t in given_tensors), 0.3)
    assert made.shape == given_tensors[0].shape and made.device == elsewhere


def test_completions_do_not_see_one_another():
    query, key, value, prefix_key, prefix_value = (t.detach() for t in tensors(1, 2, 2, 5, 7, 8))
    before = tail_attention(query, key, value, prefix_key, prefix_value, 0.3)
    key[1], value[1] = key[1] + 5.0, value[1] - 3.0
    after = tail_attention(query, key, value, prefix_key, prefix_value, 0.3)
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])


def test_a_token_does_not_see_the_next_one():
    given_tensors = [t.detach() for t in tensors(1, 1, 2, 5, 7, 8)]
    before = tail_attention(*given_tensors, 0.3)
    given_tensors[1][:, :, 3] += 5.0
    after = tail_attention(*given_tensors, 0.3)
    assert torch.equal(before[:, :, :3], after[:, :, :3])
    assert not torch.allclose(before[:, :, 3:], after[:, :, 3:])
    assert F.mse_loss(before, after) > 0
