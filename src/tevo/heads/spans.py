"""A distribution over temporal spans with exact log-probabilities: the Solver's and evidence head's policy.

``p(i, j) ∝ exp(start_i + end_j + sum_{t=i..j} inside_t)`` over token pairs i <= j. With start = end = 0 and
``inside`` a thresholded similarity its mode is the maximum-sum segment: the zero-shot decoding. Several spans are
drawn one after the other, each outside those before it, until *stop*.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from tevo.ops import span_iou

NEVER = -1e4  # log-weight of what cannot be; finite, so that its gradient is zero and not NaN


@dataclass(frozen=True)  # no slots: what follows from the logits is kept beside them
class SpanLogits:
    """What the evidence head says of each token of each question."""

    start: Float[Tensor, "question token"]
    end: Float[Tensor, "question token"]
    inside: Float[Tensor, "question token"]
    more: Float[Tensor, "question"]  # bias of going on after a span
    mask: Bool[Tensor, "question token"]

    def take(self, rows: Int[Tensor, "new"]) -> "SpanLogits":
        """Rows by index; an index may repeat."""
        return SpanLogits(self.start[rows], self.end[rows], self.inside[rows], self.more[rows], self.mask[rows])

    @cached_property
    def pairs(self) -> Float[Tensor, "question token token"]:
        """:func:`pair_logits` of the first span, made once: draws, their scores and exact probabilities all read it."""
        return pair_logits(self)

    @cached_property
    def starts(self) -> Float[Tensor, "question token"]:
        """Log-probability of the first span's first token."""
        return self.pairs.logsumexp(-1).log_softmax(-1)


def pair_logits(
    logits: SpanLogits, taken: Bool[Tensor, "question token"] | None = None
) -> Float[Tensor, "question token token"]:
    """Unnormalised log-probability of every span (first token, last token); ``taken`` tokens may not be in it."""
    mask = logits.mask if taken is None else logits.mask & ~taken
    total = torch.cat([torch.zeros_like(logits.inside[:, :1]), (logits.inside * logits.mask).cumsum(-1)], -1)
    energy = (logits.start - total[:, :-1])[:, :, None] + (logits.end + total[:, 1:])[:, None, :]
    tokens = energy.shape[-1]
    ordered = torch.ones(tokens, tokens, dtype=torch.bool, device=energy.device).triu()
    allowed = ordered & mask[:, :, None] & mask[:, None, :]
    if taken is not None:
        crossed = torch.cat([torch.zeros_like(total[:, :1]), taken.to(total.dtype).cumsum(-1)], -1)
        allowed = allowed & (crossed[:, None, 1:] == crossed[:, :-1, None])
    return torch.where(allowed, energy, NEVER)


def log_mass(pairs: Float[Tensor, "question token token"]) -> Float[Tensor, "question"]:
    """Log of the total weight of all spans."""
    return pairs.flatten(1).logsumexp(-1)


def covered(index: Int[Tensor, "question 2"], tokens: int) -> Bool[Tensor, "question token"]:
    """Tokens of the spans given as (first, last)."""
    here = torch.arange(tokens, device=index.device)
    return (here >= index[:, :1]) & (here <= index[:, 1:])


@dataclass(frozen=True, slots=True)
class SpanDraws:
    """Spans drawn or scored: token indices, and the log-probability of each action that chose them."""

    index: Int[Tensor, "question group span 2"]  # first and last token
    mask: Bool[Tensor, "question group span"]
    log_probs: Float[Tensor, "question group action"]  # (start, end, go on?) for every span in turn
    actions: Bool[Tensor, "question group action"]  # True where an action was really taken


@dataclass(frozen=True, slots=True)
class _Chooser:
    """Where choices come from: chance, the mode, or draws made before."""

    generator: torch.Generator | None = None
    greedy: bool = False
    index: Int[Tensor, "question group span 2"] | None = None  # draws made before, and which of them are real
    mask: Bool[Tensor, "question group span"] | None = None

    def pick(self, log_probs: Float[Tensor, "rollout token"]) -> Int[Tensor, "rollout"]:
        """One token a rollout."""
        return torch.multinomial(log_probs.exp(), 1, generator=self.generator)[:, 0]

    def fixed(self, pairs: Float[Tensor, "source token token"], of: Tensor, rows: Tensor, step: int) -> Tensor | None:
        """Span number ``step`` of each rollout where chance has no say: the one drawn before, or the mode."""
        if self.index is not None:
            return self.index.flatten(0, 1)[rows, step]
        if not self.greedy:
            return None
        best = pairs.flatten(1).argmax(-1)[of]
        return torch.stack([best // pairs.shape[-1], best % pairs.shape[-1]], -1)

    def go_on(self, odds: Float[Tensor, "rollout"], rows: Tensor, step: int) -> Bool[Tensor, "rollout"]:
        """Whether there is a span number ``step``."""
        if self.mask is not None:
            return self.mask.flatten(0, 1)[rows, step]
        if self.greedy:
            return odds > 0
        return torch.rand(odds.shape, generator=self.generator, device=odds.device) < odds.sigmoid()


def draw_spans(
    logits: SpanLogits,
    max_spans: Int[Tensor, "question"],
    group: int,
    generator: torch.Generator | None = None,
    greedy: bool = False,
) -> SpanDraws:
    """Draw ``group`` completions of one to ``max_spans`` spans a question.

    A question without a valid token gets no span and takes no action. Where ``greedy``, each span is the most probable
    one outside those before it, and another follows where that is more likely than not. The first span's distribution
    is computed once a question and shared by its group.
    """
    return _walk(logits, max_spans, group, _Chooser(generator, greedy))


def score_spans(
    logits: SpanLogits,
    max_spans: Int[Tensor, "question"],
    index: Int[Tensor, "question group span 2"],
    mask: Bool[Tensor, "question group span"],
) -> SpanDraws:
    """Log-probabilities of spans drawn before, in the order in which they were drawn."""
    return _walk(logits, max_spans, index.shape[1], _Chooser(index=index, mask=mask))


def _walk(logits: SpanLogits, max_spans: Int[Tensor, "question"], group: int, chooser: _Chooser) -> SpanDraws:
    """Choose or score spans one after the other; only the rollouts that go on are worked on again."""
    number, tokens = logits.mask.shape
    steps = int(max_spans.max()) if number else 1
    pairs, starts, device = logits.pairs, logits.starts, logits.mask.device
    several = (max_spans > 1).nonzero()[:, 0]
    whole = pairs.new_zeros(number).index_copy(0, several, log_mass(pairs[several]))
    index = torch.zeros(number * group, steps, 2, dtype=torch.long, device=device)
    mask = torch.zeros(number * group, steps, dtype=torch.bool, device=device)
    actions = torch.zeros(number * group, 3 * steps, dtype=torch.bool, device=device)
    columns: list[Tensor] = []
    rows = torch.arange(number * group, device=device)  # rollouts still going on
    of = rows // group  # the row of ``pairs`` each of them reads
    taken = torch.zeros(number * group, tokens, dtype=torch.bool, device=device)
    for step in range(steps):
        chosen, log_p = _choose(pairs, starts, of, rows, step, chooser)
        seen = logits.mask.any(-1)[rows // group]
        index[rows, step], mask[rows, step] = chosen * seen[:, None], seen
        actions[rows, 3 * step], actions[rows, 3 * step + 1] = seen, seen
        columns.append(_spread(log_p * seen[:, None], rows, number * group))
        if step + 1 == steps:
            columns.append(log_p.new_zeros(number * group, 1))
            break
        taken[rows] |= covered(chosen, tokens)
        live = rows[max_spans[rows // group] > step + 1]
        pairs = pair_logits(logits.take(live // group), taken[live])
        possible = pairs.detach().flatten(1).amax(-1) > NEVER / 2
        odds = log_mass(pairs) - whole[live // group] + logits.more[live // group]
        go = chooser.go_on(odds, live, step + 1) & possible
        actions[live, 3 * step + 2] = possible
        columns.append(_spread((logsigmoid(torch.where(go, odds, -odds)) * possible)[:, None], live, number * group))
        rows, pairs = live[go], pairs[go]
        starts = pairs.logsumexp(-1).log_softmax(-1)
        of = torch.arange(len(rows), device=device)

    def grouped(rollouts: Tensor) -> Tensor:
        return rollouts.view(number, group, *rollouts.shape[1:])

    return SpanDraws(grouped(index), grouped(mask), grouped(torch.cat(columns, -1)), grouped(actions))


def _choose(
    pairs: Float[Tensor, "source token token"],
    starts: Float[Tensor, "source token"],
    of: Int[Tensor, "rollout"],
    rows: Int[Tensor, "rollout"],
    step: int,
    chooser: _Chooser,
) -> tuple[Int[Tensor, "rollout 2"], Float[Tensor, "rollout 2"]]:
    """One span a rollout, ``p(start) p(end | start)``, and its two log-probabilities."""
    fixed = chooser.fixed(pairs, of, rows, step)
    starts = starts[of]
    start = chooser.pick(starts) if fixed is None else fixed[:, 0]
    ends = pairs[of, start].log_softmax(-1)
    end = chooser.pick(ends) if fixed is None else fixed[:, 1]
    log_p = torch.stack([starts.gather(1, start[:, None])[:, 0], ends.gather(1, end[:, None])[:, 0]], -1)
    return torch.stack([start, end], -1), log_p


def _spread(
    values: Float[Tensor, "rollout column"], rows: Int[Tensor, "rollout"], number: int
) -> Float[Tensor, "{number} column"]:
    """Values of some rollouts in a table of all of them; zero elsewhere."""
    return values.new_zeros(number, values.shape[-1]).index_copy(0, rows, values)


def least_risk_spans(
    pairs: Float[Tensor, "question token token"],
    token_spans: Float[Tensor, "question token 2"],
    candidates: int = 100,
) -> Int[Tensor, "question 2"]:
    """The span with the greatest expected IoU (minimum Bayes risk), as first and last token.

    The mode of a broad distribution is an arbitrary one of many near spans; this is the one most like all of them.

    Args:
        pairs: unnormalised log-probability of the span from token i to token j.
        token_spans: seconds that each token saw.
        candidates: the most probable spans, which are chosen from and averaged over (assumed).
    """
    flat, tokens = pairs.flatten(1), pairs.shape[-1]
    log_p, place = flat.topk(min(candidates, flat.shape[1]), -1)
    index = torch.stack([place // tokens, place % tokens], -1)
    rows = torch.arange(len(index), device=index.device)[:, None]
    spans = torch.stack([token_spans[rows, index[..., 0], 0], token_spans[rows, index[..., 1], 1]], -1)
    overlap = span_iou(spans[:, :, None], spans[:, None])
    best = (overlap @ log_p.softmax(-1)[..., None])[..., 0].argmax(-1)
    return index[rows[:, 0], best]


def marginal_inside(logits: SpanLogits) -> Float[Tensor, "question token"]:
    """Probability that each token lies in the (first) span: the soft evidence of a question.

    A masked token may lie in a span that begins before and ends after it.
    """
    pairs = pair_logits(logits)
    probs = pairs.flatten(1).softmax(-1).view_as(pairs)
    opened, closed = probs.sum(2).cumsum(-1), probs.sum(1).cumsum(-1)
    return opened - torch.cat([torch.zeros_like(closed[:, :1]), closed[:, :-1]], -1)


def to_seconds(
    index: Int[Tensor, "question group span 2"],
    mask: Bool[Tensor, "question group span"],
    token_spans: Float[Tensor, "question token 2"],
) -> Float[Tensor, "question group span 2"]:
    """Spans of tokens as seconds: from the first token's start to the last token's end; padding is zero."""
    rows = torch.arange(len(index), device=index.device)[:, None, None]
    seconds = torch.stack([token_spans[rows, index[..., 0], 0], token_spans[rows, index[..., 1], 1]], -1)
    return seconds * mask[..., None]
