"""The pseudo-label objective's side of the spans: how likely the head makes them, one after the other (ALGORITHM 8)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tevo.heads.queries import Queries
from tevo.heads.spans import NEVER, SpanLogits, log_mass, pair_logits
from tevo.objectives.grounding import span_likelihood_loss
from tevo.tasks.rollout_terms import Targets


def span_losses(
    logits: SpanLogits, queries: Queries, targets: Targets, token_spans: Float[Tensor, "question token 2"]
) -> tuple[Float[Tensor, "question"], Float[Tensor, "question"]]:
    """Negative log-likelihood of the target spans one after the other, and of going on or stopping after each."""
    first = pair_logits(logits)
    whole = log_mass(first)
    taken = torch.zeros_like(logits.mask)
    likelihood, stop = torch.zeros_like(whole), torch.zeros_like(whole)
    number = targets.span_mask.sum(-1).clamp(min=1)
    steps = int(queries.max_spans.max())
    target_mask = F.pad(targets.span_mask, (0, max(0, steps - targets.span_mask.shape[1])))
    for slot in range(steps):
        wanted = target_mask[:, slot]
        reached = target_mask[:, slot - 1] & (queries.max_spans > slot) if slot else wanted
        rows = reached.nonzero()[:, 0]
        if not len(rows):
            break
        pairs = pair_logits(logits.take(rows), taken[rows]) if slot else first[rows]
        if slot:
            odds = log_mass(pairs) - whole[rows] + logits.more[rows]
            possible = (pairs > NEVER / 2).flatten(1).any(-1)
            loss = F.binary_cross_entropy_with_logits(odds, wanted[rows].to(odds.dtype), reduction="none")
            stop = stop.index_add(0, rows, loss * possible)
        hit = wanted[rows].nonzero()[:, 0]
        if len(hit):
            goal = targets.spans[rows[hit], slot]
            loss = span_likelihood_loss(pairs[hit], token_spans[rows[hit]], goal)
            likelihood = likelihood.index_add(0, rows[hit], loss / number[rows[hit]])
            at = token_spans[rows[hit]]
            taken = taken.index_put(
                (rows[hit],), taken[rows[hit]] | ((at[..., 1] > goal[:, :1]) & (at[..., 0] < goal[:, 1:]))
            )
    return likelihood, stop
