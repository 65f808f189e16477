"""Log-probabilities of given tokens: logits only where a token is predicted, in chunks made again in backward."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

MAX_LOGITS = 2**25  # assumed: logits held at once (float32: 128 MiB)


def token_scores(
    hidden: Float[Tensor, "token dim"],
    targets: Int[Tensor, "token"],
    lm_head: Any,  # noqa: ANN401 (a linear layer, perhaps with an adapter around it)
    never: Bool[Tensor, "vocabulary"],
    temperature: float,
) -> tuple[Float[Tensor, "token"], Float[Tensor, "token"]]:
    """Log-probability of each target at the policy's temperature, and the entropy there (nats, detached).

    The policy never writes the tokens of ``never``: its distribution is over the others, in rollout and update alike.
    """
    if not len(targets):
        return hidden.sum(-1), hidden.detach().sum(-1)

    def score(rows: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        log_probs = log_policy(lm_head(rows), never, temperature)
        with torch.no_grad():
            entropy = -(log_probs.exp() * log_probs.masked_fill(never, 0.0)).sum(-1)
        return log_probs.gather(-1, wanted[:, None])[:, 0], entropy

    size = max(1, MAX_LOGITS // len(never))
    if len(targets) <= size:
        return score(hidden, targets)
    parts = [
        checkpoint(score, rows, wanted, use_reentrant=False)
        for rows, wanted in zip(torch.split(hidden, size), torch.split(targets, size), strict=True)
    ]
    log_probs, entropy = zip(*parts, strict=True)
    return torch.cat(log_probs), torch.cat(entropy)


def log_policy(
    logits: Float[Tensor, "*row vocabulary"], never: Bool[Tensor, "vocabulary"], temperature: float
) -> Float[Tensor, "*row vocabulary"]:
    """Log-probabilities of the policy: float32, at its temperature, without what it never writes."""
    return (logits.float() / temperature).masked_fill(never, -torch.inf).log_softmax(dim=-1)
