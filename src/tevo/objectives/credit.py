"""Credit: which advantage each completion token receives, and which groups give an update at all (ALGORITHM 6).

Every token carries a :class:`~tevo.structures.Role`: ANSWER, EVIDENCE (spans) or OTHER. A *when* question's
answer IS its span: r_ans is derived from the span, r_iou and r_zoom count 0, and its completion has no ANSWER
token, so its EVIDENCE tokens carry r_ans. Without that nothing of a *when* completion would learn to be right.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.errors import TevoError
from tevo.objectives.rewards import SolverWeights, extra_bonus, solver_reward
from tevo.ops import group_normalise
from tevo.structures import Role

_EPS = 1e-6  # the field's: beside the standard deviation of a group
_SPREAD = 1e-6  # rewards that differ by less are equal to rounding


class Rewards(NamedTuple):
    """The reward terms of a batch of groups; ``is_when`` is one flag a prompt."""

    r_ans: Float[Tensor, "prompt group"]
    r_iou: Float[Tensor, "prompt group"]
    r_zoom: Float[Tensor, "prompt group"]
    r_fmt: Float[Tensor, "prompt group"]
    is_when: Bool[Tensor, "prompt"]
    extra: Mapping[str, Tensor] = MappingProxyType({})  # rewards of one's own by name, each [prompt group]


Credit = Callable[[Rewards, SolverWeights, Tensor, Tensor], Tensor]
"""``(rewards, weights, roles, mask) -> advantages``, the last three ``[prompt group token]``."""


def advantages(
    kind: str,
    r_ans: Float[Tensor, "prompt group"],
    r_iou: Float[Tensor, "prompt group"],
    r_zoom: Float[Tensor, "prompt group"],
    r_fmt: Float[Tensor, "prompt group"],
    weights: SolverWeights,
    roles: Int[Tensor, "prompt group token"],
    mask: Bool[Tensor, "prompt group token"],
    is_when: Bool[Tensor, "prompt"] | None = None,
    extra: Mapping[str, Tensor] | None = None,
) -> Float[Tensor, "prompt group token"]:
    """Advantage of every completion token by the credit rule ``kind``, a key of :data:`CREDIT`; 0 where masked.

    Rewards of one's own (``extra``, by their names in ``weights.extra``) are a bonus gated by the answer that every
    role is paid: nobody knows what they are about.

    Raises:
        TevoError: when ``kind`` is unknown.
    """
    if kind not in CREDIT:
        raise TevoError(f"unknown credit {kind!r}: choose one of {', '.join(CREDIT)}")
    when = torch.zeros(len(r_ans), dtype=torch.bool, device=r_ans.device) if is_when is None else is_when
    spread = CREDIT[kind](Rewards(r_ans, r_iou, r_zoom, r_fmt, when, extra or {}), weights, roles, mask)
    return torch.where(mask, spread, 0.0)


def outcome_gate(
    r_ans: Float[Tensor, "prompt group"],
    r_iou: Float[Tensor, "prompt group"],
    is_when: Bool[Tensor, "prompt"] | None = None,
    extra: Mapping[str, Tensor] | None = None,
) -> Bool[Tensor, "prompt"]:
    """Which groups give an update: some rollout is right, and r_ans, r_iou or an extra reward varies over the group.

    Shaped rewards (format, spans) rescue all-wrong groups and training collapses; a group that differs in its
    format alone would be blown up to a full advantage by the division by its std. A *when* question's r_iou
    is not paid, so there only r_ans counts.
    """
    spans_vary = _varies(r_iou)
    if is_when is not None:
        spans_vary = spans_vary & ~is_when
    vary = _varies(r_ans) | spans_vary
    for values in (extra or {}).values():
        vary = vary | _varies(r_ans * values)
    return (r_ans > 0).any(1) & vary


def _varies(values: Float[Tensor, "prompt group"]) -> Bool[Tensor, "prompt"]:
    return values.amax(1) - values.amin(1) > _SPREAD


def role_scores(rewards: Rewards, weights: SolverWeights) -> Float[Tensor, "prompt group role"]:
    """What each role answers for, indexed by :class:`~tevo.structures.Role` (ZZ's idea, VZ's gate).

    ``s_answer = r_ans + w_fmt r_fmt``; ``s_evidence = r_ans (alpha r_iou + zeta r_zoom) + w_fmt r_fmt``;
    ``s_other = r_S``. A *when* question: all three are ``r_ans + w_fmt r_fmt``. Rewards of one's own add
    ``r_ans sum_k w_k r_k`` to all three.
    """
    when = rewards.is_when[:, None]
    fmt = weights.fmt * rewards.r_fmt
    shared = fmt + rewards.r_ans * extra_bonus(rewards.extra, weights.extra, rewards.r_ans)
    total = _total(rewards, weights)
    grounded = rewards.r_ans * (weights.alpha * rewards.r_iou + weights.zeta * rewards.r_zoom)
    by_role = {
        Role.OTHER: total,
        Role.ANSWER: rewards.r_ans + shared,
        Role.EVIDENCE: torch.where(when, rewards.r_ans, grounded) + shared,
    }
    return torch.stack([by_role[role] for role in sorted(by_role)], dim=-1)


def token_credit(rewards: Rewards, weights: SolverWeights, roles: Tensor, mask: Tensor) -> Tensor:
    """``A_{i,t} = (s_role(t),i - mean_i) / (std_i + eps)``: each role's scores normalised over the G rollouts.

    So a group of equal rollouts gives zero everywhere and a completion of OTHER tokens alone gets sequence
    credit. Changed from ZZ: see :func:`token_zz_credit`, the published form.
    """
    scores = group_normalise(role_scores(rewards, weights), dim=1, eps=_EPS)
    return scores.gather(-1, roles.long())


def sequence_credit(rewards: Rewards, weights: SolverWeights, roles: Tensor, mask: Tensor) -> Tensor:
    """``A_i = (r_S,i - mean) / (std + eps)`` for every token of completion i: plain GRPO."""
    scores = group_normalise(_total(rewards, weights), dim=1, eps=_EPS)
    return scores[..., None].expand(mask.shape)


def decoupled_credit(rewards: Rewards, weights: SolverWeights, roles: Tensor, mask: Tensor) -> Tensor:
    """``A_i = B(sum_k w_k N(r_k,i))``, N over the group, B over the batch: GDPO, used by EG.

    The terms are ``r_ans`` (weight 1), ``r_ans r_iou`` (alpha), ``r_ans r_zoom`` (zeta), ``r_fmt`` (w_fmt), and
    ``r_ans r_k`` (w_k) for every reward of one's own.
    Changed: the span terms keep VZ's gate; B divides by the batch's std and subtracts no mean, since that is
    zero by construction and its rounding would reach the groups that must stay at exactly zero.
    """
    paid = rewards.r_ans * (~rewards.is_when)[:, None]
    terms = (
        (1.0, rewards.r_ans),
        (weights.alpha, paid * rewards.r_iou),
        (weights.zeta, paid * rewards.r_zoom),
        (weights.fmt, rewards.r_fmt),
        *((weights.extra[name], rewards.r_ans * values) for name, values in rewards.extra.items()),
    )
    total = torch.stack([weight * group_normalise(term, dim=1, eps=_EPS) for weight, term in terms]).sum(0)
    scores = total / (total.square().mean().sqrt() + _EPS)
    return scores[..., None].expand(mask.shape)


def token_zz_credit(rewards: Rewards, weights: SolverWeights, roles: Tensor, mask: Tensor) -> Tensor:
    """The published pooled form of ZZ: ``s_{i,t} = (r_fmt + r_zoom + 1[answer] r_ans + 1[not answer] r_iou) / 3``.

    Mean and std are taken over all valid tokens of the group, so long completions weigh more, and a group of
    equal rollouts still moves its answer tokens against the others. The four weights are not used. Changed: the
    exact offset of the answer instead of "five tokens before ``<glue>``"; for a *when* question r_ans, which
    is its span's reward, takes the place of r_iou, and r_zoom counts 0; rewards of one's own add
    ``r_ans sum_k w_k r_k`` to the numerator.
    """
    when = rewards.is_when[:, None]
    shared = rewards.r_fmt + torch.where(when, 0.0, rewards.r_zoom)
    shared = shared + rewards.r_ans * extra_bonus(rewards.extra, weights.extra, rewards.r_ans)
    spans = torch.where(when, rewards.r_ans, rewards.r_iou)
    own = torch.where(roles == Role.ANSWER, rewards.r_ans[..., None], spans[..., None])
    return group_normalise((shared[..., None] + own) / 3, mask, dim=(1, 2), eps=_EPS)


def _total(rewards: Rewards, weights: SolverWeights) -> Tensor:
    """``r_S`` of every rollout."""
    return solver_reward(*rewards[:4], weights, rewards.is_when, rewards.extra)


CREDIT: dict[str, Credit] = {
    "token": token_credit,
    "sequence": sequence_credit,
    "decoupled": decoupled_credit,
    "token_zz": token_zz_credit,
}
"""Credit rules by their name in the config."""
