"""Policy losses of the GRPO family over groups of completions (ALGORITHM 6)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.errors import TevoError
from tevo.ops import masked_mean

_MAX_LOG_RATIO = 20.0  # exp() beyond is of no use to anyone and its gradient becomes 0 * inf

NORMALISATIONS = ("dapo", "grpo", "dr_grpo")
RATIOS = ("token", "sequence")


class PolicyLoss(NamedTuple):
    """A loss to step on and what to log beside it (detached)."""

    loss: Float[Tensor, ""]
    kl: Float[Tensor, ""]  # mean k3 estimate of KL(policy || reference) over valid tokens; 0 without reference
    clip_fraction: Float[Tensor, ""]  # share of valid tokens whose clip binds
    ratio_mean: Float[Tensor, ""]  # mean rho over valid tokens; 1 when there is no old policy
    max_log_ratio: Float[Tensor, ""]  # largest |log pi - log pi_old| of a valid token: how far rollouts have aged
    num_tokens: Float[Tensor, ""]  # valid tokens


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class PolicyRule:
    """The choices of :func:`grpo_loss`, for a config.

    With one update a set of rollouts the policy that learns is the one that sampled: rho is 1, nothing is clipped, and
    both ratios have one gradient. They part from the second update on.

    Raises:
        TevoError: when a choice is unknown, a clip lies outside its range, or there is no update.
    """

    normalisation: str = "dapo"  # dapo | grpo | dr_grpo: what the loss is a mean over
    ratio: str = "token"  # token | sequence (GSPO): what rho compares
    eps_low: float = 0.2  # lower clip of rho; GSPO's are of the order of 3e-4
    eps_high: float = 0.28  # upper clip of rho
    updates: int = 1  # optimizer steps on the same rollouts

    def __post_init__(self) -> None:
        _check_choice("normalisation", self.normalisation, NORMALISATIONS)
        _check_choice("ratio", self.ratio, RATIOS)
        if not (0 <= self.eps_low <= 1 and self.eps_high >= 0):
            raise TevoError(f"rho is clipped to 1 - eps_low .. 1 + eps_high, got {self.eps_low} and {self.eps_high}")
        if self.updates < 1:
            raise TevoError(f"rollouts need at least one update, got updates={self.updates}")

    def loss(
        self,
        log_probs: Float[Tensor, "prompt group token"],
        old_log_probs: Float[Tensor, "prompt group token"] | None,
        ref_log_probs: Float[Tensor, "prompt group token"] | None,
        advantages: Float[Tensor, "prompt group token"],
        mask: Bool[Tensor, "prompt group token"],
        beta: float = 1e-2,
        max_tokens: int | None = None,
    ) -> PolicyLoss:
        """:func:`grpo_loss` by this rule."""
        return grpo_loss(
            log_probs, old_log_probs, ref_log_probs, advantages, mask, self.eps_low, self.eps_high, beta,
            self.normalisation, self.ratio, max_tokens,
        )  # fmt: skip


def grpo_loss(
    log_probs: Float[Tensor, "prompt group token"],
    old_log_probs: Float[Tensor, "prompt group token"] | None,
    ref_log_probs: Float[Tensor, "prompt group token"] | None,
    advantages: Float[Tensor, "prompt group token"],
    mask: Bool[Tensor, "prompt group token"],
    eps_low: float = 0.2,
    eps_high: float = 0.28,
    beta: float = 1e-2,
    normalisation: str = "dapo",
    ratio: str = "token",
    max_tokens: int | None = None,
) -> PolicyLoss:
    """``mean_{i,t} [-min(rho A, clip(rho, 1 - eps_low, 1 + eps_high) A) + beta KL_k3]`` (GRPO; DAPO's two clips).

    Symbols: ``rho = pi / pi_old`` of a token; ``KL_k3 = pi_ref/pi - log(pi_ref/pi) - 1``; the mean is

    - ``dapo``: over all valid tokens of the batch (2503.14476);
    - ``grpo``: over the tokens of each completion, then over completions (2402.03300);
    - ``dr_grpo``: the sum over ``completions * max_tokens``, a constant that no length changes (2503.20783).

    ``ratio="sequence"`` is GSPO (2507.18071) in its token form, ``sg[rho_i] * pi / sg[pi]``, which lets
    token-selective credit through (:func:`_importance`); its clips are of the order of 3e-4.

    Args:
        log_probs: of the sampled tokens under the policy in training.
        old_log_probs: under the policy that sampled; None when the two are one (rho = 1 by detach).
        ref_log_probs: under the reference; None drops the KL term, as does ``beta`` 0.
        advantages: one a token, from :func:`tevo.objectives.credit.advantages`.
        mask: True at completion tokens; what is masked may hold anything, and counts nowhere.
        eps_low: lower clip.
        eps_high: upper clip.
        beta: weight of the KL term.
        normalisation: one of ``NORMALISATIONS``.
        ratio: one of ``RATIOS``.
        max_tokens: completion budget of ``dr_grpo``; None = the width of ``mask``.

    Raises:
        TevoError: when a choice is unknown or a valid token's number is not finite.
    """
    _check_choice("normalisation", normalisation, NORMALISATIONS)
    _check_choice("ratio", ratio, RATIOS)
    new = _valid("log_probs", log_probs, mask)
    old = new.detach() if old_log_probs is None else _valid("old_log_probs", old_log_probs, mask)
    advantage = _valid("advantages", advantages, mask)
    rho = _importance(new, old, mask, ratio)
    clipped = rho.clamp(1 - eps_low, 1 + eps_high)
    per_token = -torch.minimum(rho * advantage, clipped * advantage)
    kl = _k3(new, ref_log_probs if beta != 0 else None, mask)
    loss = _normalise(per_token + beta * kl, mask, normalisation, max_tokens or mask.shape[-1])
    with torch.no_grad():
        binds = ((advantage > 0) & (rho > 1 + eps_high)) | ((advantage < 0) & (rho < 1 - eps_low))
        return PolicyLoss(
            loss=loss,
            kl=_over_tokens(kl, mask),
            clip_fraction=_over_tokens(binds.to(new.dtype), mask),
            ratio_mean=_over_tokens(rho, mask),
            max_log_ratio=(new - old).abs().max() if mask.numel() else new.new_zeros(()),
            num_tokens=mask.sum().to(new.dtype),
        )


def _k3(new: Tensor, reference: Tensor | None, mask: Tensor) -> Tensor:
    """``KL_k3`` of each token; 0 without a reference."""
    if reference is None:
        return torch.zeros_like(new)
    gap = (_valid("ref_log_probs", reference, mask) - new).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    return gap.exp() - gap - 1


def _importance(new: Tensor, old: Tensor, mask: Tensor, ratio: str) -> Tensor:
    """Rho of each token, or of its whole sequence with the token's own gradient.

    GSPO: ``rho_i = exp(mean_t log(pi / pi_old))``. Its token form has the same value and, when a completion's
    advantages are equal, the same gradient.
    """
    log_ratio = (new - old).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    if ratio == "token":
        return log_ratio.exp()
    sequence = masked_mean(log_ratio, mask, -1)[..., None].detach().exp()
    return sequence * (new - new.detach()).exp()


def _normalise(per_token: Tensor, mask: Tensor, normalisation: str, max_tokens: int) -> Tensor:
    """The batch's mean of a loss per token, by the named rule; 0 (with a gradient of 0) when nothing is valid."""
    if normalisation == "dapo":
        return _over_tokens(per_token, mask)
    rows = mask.any(-1).sum().clamp(min=1)
    if normalisation == "grpo":
        return masked_mean(per_token, mask, -1).sum() / rows
    return torch.where(mask, per_token, 0.0).sum() / (rows * max_tokens)


def _over_tokens(values: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)


def _valid(name: str, values: Tensor, mask: Tensor) -> Tensor:
    """The values in at least float32, zero where masked; refuses NaN and infinities at valid tokens."""
    wide = values if values.dtype == torch.float64 else values.float()
    clean = torch.where(mask, wide, 0.0)
    if not bool(clean.isfinite().all()):
        bad = (~clean.isfinite()).nonzero()
        prompt, rollout, token = bad[0].tolist()
        raise TevoError(
            f"{name} holds {len(bad)} value(s) that are not finite at valid tokens, first "
            f"{clean[prompt, rollout, token].item()} at prompt {prompt}, rollout {rollout}, token {token}. -inf means "
            "that a sampled token has probability 0 under this policy (is it masked in one pass and not in the "
            "other?), NaN that the model diverged: lower the learning rate or raise beta"
        )
    return clean


def _check_choice(name: str, given: str, choices: tuple[str, ...]) -> None:
    if given not in choices:
        raise TevoError(f"unknown {name} {given!r}: choose one of {', '.join(choices)}")
