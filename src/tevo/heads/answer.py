"""The answer head: reads the answer over the options from the evidence, and from nothing else."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tevo.heads.cues import around, describe
from tevo.heads.evidence import Evidence, HeadConfig, VideoState
from tevo.heads.queries import Queries

NUM_FACTS = 4


def span_facts(
    spans: Float[Tensor, "question group span 2"], mask: Bool[Tensor, "question group span"]
) -> Float[Tensor, "question group fact"]:
    """Number of spans, their total and longest length in seconds (logarithmic), and the mean length over ten."""
    length = (spans[..., 1] - spans[..., 0]).clamp(min=0) * mask
    number, total = mask.sum(-1).to(length.dtype), length.sum(-1)
    mean = total / number.clamp(min=1)
    return torch.stack([number, total.log1p(), length.amax(-1).log1p(), mean / 10], -1)


class AnswerHead(nn.Module):
    """``p(answer | evidence)`` over the options.

    Zero-shot part: similarity of each option to what :func:`~tevo.heads.cues.describe` sees in the spans. The learnt
    part reads the question-aware tokens of the evidence and the spans' number and lengths; it starts at zero.
    """

    def __init__(self, joint: int, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.read = nn.Sequential(
            nn.Linear(3 * hidden + NUM_FACTS, 2 * hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * hidden, hidden),
            nn.GELU(),
        )
        self.out = nn.Linear(hidden, joint)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        state: VideoState,
        evidence: Evidence,
        queries: Queries,
        spans: Float[Tensor, "question group span 2"],
        span_mask: Bool[Tensor, "question group span"],
    ) -> Float[Tensor, "question group option"]:
        """Option logits given each rollout's spans; options that a question does not have are -10,000."""
        number, group, slots = span_mask.shape
        token_spans, mask = state.tokens.spans[queries.rows], state.tokens.mask[queries.rows]
        parts = around(token_spans, mask, spans.flatten(1, 2), self.config.context_s)
        keep = span_mask.flatten(1, 2)[..., None]
        inside, before, after = ((part * keep).view(number, group, slots, -1) for part in parts)
        within = inside.amax(2)
        if not self.config.evidence_attention:
            within = mask[:, None].to(within.dtype).expand_as(within)
        # the first span says what happened: of several, all show the same event
        seen = describe(state.joint[queries.rows], mask, within, before[:, :, 0], after[:, :, 0])
        zero_shot = self.config.answer_scale * torch.einsum("qgj,qoj->qgo", seen, queries.options)
        pooled = _mean(evidence.hidden, within)
        whole = _mean(evidence.hidden, mask[:, None].to(within.dtype)).expand_as(pooled)
        query = evidence.query[:, None].expand_as(pooled)
        read = self.read(torch.cat([pooled, whole, query, span_facts(spans, span_mask)], -1))
        learnt = torch.einsum("qgj,qoj->qgo", self.out(read), queries.options)
        return (zero_shot + learnt).masked_fill(~queries.option_mask[:, None], -1e4)


def _mean(
    values: Float[Tensor, "question token hidden"], weight: Float[Tensor, "question group token"]
) -> Float[Tensor, "question group hidden"]:
    return (weight @ values) / weight.sum(-1, keepdim=True).clamp(min=1e-6)
