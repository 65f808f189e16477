"""What is read off frozen tokens, against loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.heads.cues import activity, around, change, describe, neighbour_means, standardise

LAW = settings(deadline=None, derandomize=True, max_examples=60)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def holes(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed + 1)) > 0.3


@LAW
@given(st.integers(0, 9999), st.integers(1, 12), st.integers(1, 5))
def test_neighbour_means_equal_a_loop(seed, tokens, width):
    values, mask = random(1, tokens, 3, seed=seed), holes(1, tokens, seed=seed)
    before, after = neighbour_means(values, mask, width)
    moved = change(values, mask, width)
    for here in range(tokens):

        def mean(low, high, here=here):
            near = [values[0, t] for t in range(max(low, 0), min(high, tokens)) if mask[0, t]]
            return torch.stack(near).mean(0) if near else values[0, here]

        left, right = mean(here - width, here), mean(here, here + width)
        torch.testing.assert_close(before[0, here], left, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(after[0, here], right, atol=1e-5, rtol=1e-4)
        wanted = right - left if mask[0, here] else torch.zeros(3)
        torch.testing.assert_close(moved[0, here], wanted, atol=1e-5, rtol=1e-4)


def test_standardise_gives_unit_deviation_over_valid_tokens():
    signal, mask = 7 + 3 * random(2, 40), holes(2, 40)
    out = standardise(signal, mask)
    for row in range(2):
        assert out[row][mask[row]].mean().item() == pytest.approx(0, abs=1e-5)
        assert out[row][mask[row]].std(unbiased=False).item() == pytest.approx(1, abs=1e-4)
    assert not out[~mask].any()
    assert not standardise(torch.full((1, 5), 0.25), torch.ones(1, 5, dtype=torch.bool)).any()


@pytest.mark.parametrize("length", [2, 3, 10])
def test_activity_does_not_depend_on_padding(length):
    values, mask = random(1, length, 4), torch.ones(1, length, dtype=torch.bool)
    padded = torch.nn.functional.pad(values, (0, 0, 0, 6))
    longer = torch.nn.functional.pad(mask, (0, 6))
    torch.testing.assert_close(activity(padded, longer)[:, :length], activity(values, mask), atol=1e-5, rtol=1e-4)
    assert not activity(padded, longer)[:, length:].any()


def test_activity_is_high_where_tokens_change():
    values = torch.zeros(1, 40, 3)
    values[:, 20:, 0] = 1  # a step between tokens 19 and 20
    signal = activity(values, torch.ones(1, 40, dtype=torch.bool))[0]
    assert 18 <= signal.argmax() <= 21
    assert signal[:14].max() < 0
    assert signal[26:].max() < 0


def test_describe_is_change_plus_what_is_seen_only_in_between():
    values, mask = random(1, 6, 3), torch.ones(1, 6, dtype=torch.bool)
    before, inside, after = torch.eye(6)[None, None, 0], torch.eye(6)[None, None, 2], torch.eye(6)[None, None, 5]
    b, m, a = values[0, 0], values[0, 2], values[0, 5]
    none = torch.zeros_like(inside)

    def shown(inside, before, after, mask=mask):
        return describe(values, mask, inside, before, after)[0, 0]

    torch.testing.assert_close(shown(inside, before, after), (a - b) + (m - (a + b) / 2))
    torch.testing.assert_close(shown(inside, none, after), (a - m) + (m - (a + m) / 2))  # a side counts as the inside
    torch.testing.assert_close(shown(none, before, after), a - b)
    assert not shown(none, none, after).any()
    assert not shown(inside, before, after, torch.zeros_like(mask)).any()
    without_after = mask.clone()
    without_after[0, 5] = False
    torch.testing.assert_close(shown(inside, before, after, without_after), shown(inside, before, none))


def test_a_token_belongs_to_the_part_its_middle_lies_in():
    spans = torch.tensor([[[float(t), t + 1.0] for t in range(8)]])
    mask = torch.ones(1, 8, dtype=torch.bool)
    mask[0, [2, 4, 7]] = False
    inside, before, after = around(spans, mask, torch.tensor([[[3.0, 5.5], [0.0, 0.6]]]), 2.0)
    assert inside[0].nonzero().tolist() == [[0, 3], [0, 5], [1, 0]]
    assert before[0].nonzero().tolist() == [[0, 1]]
    assert after[0].nonzero().tolist() == [[0, 6], [1, 1]]
