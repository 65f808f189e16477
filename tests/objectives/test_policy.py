"""The policy loss against scalar loops, in values and in gradients, and its behaviour at the edges."""

import math

import pytest
import torch

from tevo.errors import TevoError
from tevo.objectives.policy import NORMALISATIONS, RATIOS, PolicyRule, grpo_loss

SHAPE = (2, 3, 5)


def batch(seed=0, drift=0.5):
    """Log-probs that have drifted enough for the clip to bind on either side, and ragged completions."""
    generator = torch.Generator().manual_seed(seed)

    def normal():
        return torch.randn(SHAPE, generator=generator, dtype=torch.float64)

    new = -normal().abs()
    old, ref = new + drift * normal(), new + 0.3 * normal()
    lengths = torch.tensor([[5, 2, 0], [3, 5, 1]])
    mask = torch.arange(SHAPE[-1]) < lengths[..., None]
    return new.requires_grad_(), old, ref, normal(), mask


def naive(new, old, ref, advantages, mask, eps_low, eps_high, beta, normalisation, ratio, max_tokens):
    """One scalar at a time; returns the loss, the k3 mean and the share of tokens whose clip binds."""
    rows, kls, bound, count = [], [], 0, int(mask.sum())
    for p in range(SHAPE[0]):
        for g in range(SHAPE[1]):
            tokens = [t for t in range(SHAPE[2]) if mask[p, g, t]]
            if not tokens:
                continue
            before = new.detach() if old is None else old
            gaps = [new[p, g, t] - before[p, g, t] for t in tokens]
            sequence = torch.exp(sum(gaps) / len(gaps))
            row = []
            for gap, t in zip(gaps, tokens, strict=True):
                rho = torch.exp(gap)
                if ratio == "sequence":  # GSPO's token form
                    rho = sequence.detach() * torch.exp(gap - gap.detach())
                a = advantages[p, g, t]
                clipped = min(max(rho.item(), 1 - eps_low), 1 + eps_high)
                value, held = rho * a, clipped * a
                takes_clip = clipped != rho.item() and held < value
                bound += bool(takes_clip)
                token_loss = -(held if takes_clip else value)
                if ref is not None:
                    k3 = torch.exp(ref[p, g, t] - new[p, g, t]) - (ref[p, g, t] - new[p, g, t]) - 1
                    kls.append(k3.item())
                    token_loss = token_loss + beta * k3
                row.append(token_loss)
            rows.append(row)
    if normalisation == "dapo":
        loss = sum(map(sum, rows)) / count
    elif normalisation == "grpo":
        loss = sum(sum(row) / len(row) for row in rows) / len(rows)
    else:
        loss = sum(map(sum, rows)) / (len(rows) * max_tokens)
    return loss, sum(kls) / count, bound / count


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("with_old", [True, False])
@pytest.mark.parametrize("with_ref", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_loss_and_gradient_equal_the_naive_loop(normalisation, ratio, with_old, with_ref, seed):
    new, old, ref, advantages, mask = batch(seed)
    old, ref = old if with_old else None, ref if with_ref else None
    options = {"eps_low": 0.2, "eps_high": 0.28, "beta": 0.05, "normalisation": normalisation, "ratio": ratio}
    got = grpo_loss(new, old, ref, advantages, mask, **options, max_tokens=7)
    loss, kl, bound = naive(new, old, ref, advantages, mask, **options, max_tokens=7)
    torch.testing.assert_close(got.loss, loss)
    assert got.kl.item() == pytest.approx(kl)
    assert got.clip_fraction.item() == pytest.approx(bound)
    if with_old and ratio == "token":
        assert bound > 0, "the case must exercise the clip"
    (slow,) = torch.autograd.grad(loss, new, retain_graph=True)
    (fast,) = torch.autograd.grad(got.loss, new)
    torch.testing.assert_close(fast, slow)


def test_with_equal_advantages_the_sequence_ratio_is_gspo():
    """The published form, whose ratio is differentiated as a whole."""
    new, old, _, advantages, mask = batch(3, drift=0.1)
    advantages = advantages[..., :1].expand(SHAPE)
    got = grpo_loss(new, old, None, advantages, mask, normalisation="grpo", ratio="sequence").loss
    rows = []
    for p, g in mask.any(-1).nonzero().tolist():
        keep = mask[p, g]
        rho = (new[p, g][keep] - old[p, g][keep]).mean().exp()
        a = advantages[p, g, 0]
        rows.append(-torch.minimum(rho * a, rho.clamp(0.8, 1.28) * a))
    published = torch.stack(rows).mean()
    torch.testing.assert_close(got, published)
    torch.testing.assert_close(torch.autograd.grad(got, new), torch.autograd.grad(published, new))


def test_without_an_old_policy_the_ratio_is_one_and_the_gradient_is_reinforce():
    new, _, _, advantages, mask = batch()
    result = grpo_loss(new, None, None, advantages, mask)
    assert (result.ratio_mean.item(), result.clip_fraction.item(), result.max_log_ratio.item()) == (1.0, 0.0, 0.0)
    (gradient,) = torch.autograd.grad(result.loss, new)
    torch.testing.assert_close(gradient, -advantages * mask / mask.sum())


def test_dr_grpo_takes_the_width_of_the_mask_for_its_budget():
    new, old, ref, advantages, mask = batch()
    default = grpo_loss(new, old, ref, advantages, mask, normalisation="dr_grpo").loss
    torch.testing.assert_close(
        default, grpo_loss(new, old, ref, advantages, mask, normalisation="dr_grpo", max_tokens=SHAPE[-1]).loss
    )


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_padding_may_hold_anything_and_empty_completions_count_nowhere(normalisation, ratio):
    new, old, ref, advantages, mask = batch()
    plain = grpo_loss(new, old, ref, advantages, mask, normalisation=normalisation, ratio=ratio)
    (expected,) = torch.autograd.grad(plain.loss, new)
    dirty = [torch.where(mask, t, junk) for t, junk in ((new, math.nan), (old, -math.inf), (ref, math.nan))]
    poisoned = torch.where(mask, advantages, math.inf)
    again = grpo_loss(*dirty, poisoned, mask, normalisation=normalisation, ratio=ratio)
    torch.testing.assert_close(again, plain)
    torch.testing.assert_close(torch.autograd.grad(again.loss, new)[0], expected)
    rows = [torch.cat([t, t[:1]]) for t in (new, old, ref, advantages)]
    wider = torch.cat([mask, torch.zeros_like(mask[:1])])
    torch.testing.assert_close(grpo_loss(*rows, wider, normalisation=normalisation, ratio=ratio).loss, plain.loss)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_batch_of_nothing_is_a_loss_of_zero_that_can_step(normalisation):
    new, old, ref, advantages, mask = batch()
    result = grpo_loss(new, old, ref, advantages, torch.zeros_like(mask), normalisation=normalisation)
    result.loss.backward()
    assert result.loss.item() == 0.0
    assert new.grad.eq(0).all()


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("far", [200.0, -200.0])
def test_a_policy_that_ran_away_gives_finite_gradients(ratio, far):
    new, old, ref, advantages, mask = batch()
    old, ref, advantages = (tensor.float() for tensor in (old + far, ref - far, advantages))
    result = grpo_loss(new.float(), old, ref, advantages, mask, ratio=ratio)
    (gradient,) = torch.autograd.grad(result.loss, new)
    assert result.loss.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["log_probs", "old_log_probs", "ref_log_probs", "advantages"])
@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_valid_token_that_is_not_finite_is_refused_by_name_and_place(name, bad):
    new, old, ref, advantages, mask = batch()
    values = {"log_probs": new.detach(), "old_log_probs": old, "ref_log_probs": ref, "advantages": advantages}
    values[name] = values[name].clone()
    values[name][1, 2, 0] = bad
    with pytest.raises(TevoError, match=rf"^{name} holds 1 .*{bad} at prompt 1, rollout 2, token 0"):
        grpo_loss(**values, mask=mask)


@pytest.mark.parametrize("wrong", [{"normalisation": "mean"}, {"ratio": "group"}])
def test_an_unknown_choice_names_the_known_ones(wrong):
    new, old, ref, advantages, mask = batch()
    with pytest.raises(TevoError, match="choose one of"):
        grpo_loss(new, old, ref, advantages, mask, **wrong)


def test_half_precision_log_probs_are_summed_in_full():
    new, old, ref, advantages, mask = batch()
    low = [t.detach().bfloat16() for t in (new, old, ref)]
    got = grpo_loss(*low, advantages.float(), mask)
    exact = grpo_loss(*(t.double() for t in low), advantages, mask)
    assert got.loss.dtype == torch.float32
    assert got.loss.item() == pytest.approx(exact.loss.item(), rel=1e-5)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_rule_of_a_config_is_the_function_with_its_choices(normalisation, ratio):
    new, old, ref, advantages, mask = batch()
    rule = PolicyRule(normalisation, ratio, eps_low=0.1, eps_high=0.5)
    got = rule.loss(new, old, ref, advantages, mask, beta=0.3, max_tokens=7)
    wanted = grpo_loss(new, old, ref, advantages, mask, 0.1, 0.5, 0.3, normalisation, ratio, 7)
    torch.testing.assert_close(got, wanted)


def test_the_rule_by_default_is_the_function_by_default():
    new, old, ref, advantages, mask = batch()
    torch.testing.assert_close(
        PolicyRule().loss(new, old, ref, advantages, mask), grpo_loss(new, old, ref, advantages, mask)
    )
