"""The pseudo-label objective: likelihood of consensus spans under a span distribution, and per-token saliency.

Pure functions. VZ trains its Solver on pseudo-labels by GRPO alone; the likelihood form, and its softening by IoU, are
ours (assumed): a token grid cannot hit a boundary exactly, so neighbours share the target by their overlap.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

SOFTNESS = 0.1  # assumed; a span whose IoU with the target is this much lower is a target e times weaker


def grid_iou(
    token_spans: Float[Tensor, "question token 2"], target: Float[Tensor, "question 2"]
) -> Float[Tensor, "question token token"]:
    """IoU of the span from every token i to every token j with one target span a question (seconds)."""
    start, end = token_spans[:, :, None, 0], token_spans[:, None, :, 1]
    low, high = target[:, :1, None], target[:, 1:, None]
    overlap = (torch.minimum(end, high) - torch.maximum(start, low)).clamp(min=0)
    union = (end - start).clamp(min=0) + (high - low) - overlap
    return overlap / union.clamp(min=1e-6)


def span_likelihood_loss(
    pairs: Float[Tensor, "question token token"],
    token_spans: Float[Tensor, "question token 2"],
    target: Float[Tensor, "question 2"],
    softness: float = SOFTNESS,
) -> Float[Tensor, "question"]:
    """Cross-entropy ``-sum_ij q_ij log p_ij`` with ``q_ij ∝ exp(IoU_ij / softness)`` over the spans that overlap.

    Zero where no possible span overlaps the target (its tokens were left out of the view, or are taken): there is
    nothing to learn from it.

    Args:
        pairs: unnormalised log-probability of the span from token i to token j.
        token_spans: seconds that each token saw.
        target: the consensus span, seconds.
        softness: temperature of the target.
    """
    with torch.no_grad():
        iou = grid_iou(token_spans, target).masked_fill_(pairs <= -5e3, 0.0).flatten(1)
        wanted = (iou / softness).masked_fill_(iou <= 0, -1e4).softmax(-1)
        some = iou.amax(-1) > 0
    flat = pairs.flatten(1)  # sum(wanted) = 1, so that the partition function stands outside the sum
    return torch.where(some, flat.logsumexp(-1) - (wanted * flat).sum(-1), 0.0)


def saliency_loss(
    inside_logits: Float[Tensor, "question token"],
    token_spans: Float[Tensor, "question token 2"],
    mask: Bool[Tensor, "question token"],
    targets: Float[Tensor, "question span 2"],
    target_mask: Bool[Tensor, "question span"],
) -> Float[Tensor, "question"]:
    """Binary cross-entropy of each token against "its middle lies in a target span", both classes of equal weight."""
    middle = token_spans.mean(-1)[:, None]
    hit = ((middle >= targets[..., :1]) & (middle <= targets[..., 1:]) & target_mask[..., None]).any(1)
    loss = F.binary_cross_entropy_with_logits(inside_logits, hit.to(inside_logits.dtype), reduction="none")

    def mean(where: Tensor) -> Tensor:
        return (loss * where).sum(-1) / where.sum(-1).clamp(min=1)

    return (mean(hit & mask) + mean(~hit & mask)) / 2


def answer_loss(
    option_logits: Float[Tensor, "question option"],
    answer: Int[Tensor, "question"],
    has_answer: Bool[Tensor, "question"],
) -> Float[Tensor, "question"]:
    """Cross-entropy on the pseudo-answer; zero for questions without one (*when*)."""
    loss = F.cross_entropy(option_logits, answer.clamp(min=0), reduction="none")
    return torch.where(has_answer, loss, 0.0)
