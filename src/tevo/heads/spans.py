"""A distribution over temporal spans with exact log-probabilities: the Solver's and evidence head's policy.

``p(i, j) ∝ exp(start_i + end_j + sum_{t=i..j} inside_t)`` over token pairs i <= j. With start = end = 0 and
``inside`` a thresholded similarity its mode is the maximum-sum segment: the zero-shot decoding. Several spans are
drawn one after the other, each outside those before it, until *stop*.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEVER = -1e4  # log-weight of what cannot be; finite, so that its gradient is zero and not NaN


@dataclass(frozen=True, slots=True)
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


def pair_logits(logits: SpanLogits, taken: Bool[Tensor, "question token"] | None = None) -> Float[Tensor, "question start end"]:
    """Unnormalised log-probability of every span (first token, last token); ``taken`` tokens may not be in it."""
    mask = logits.mask if taken is None else logits.mask & ~taken
    total = torch.cat([torch.zeros_like(logits.inside[:, :1]), (logits.inside * logits.mask).cumsum(-1)], -1)
    energy = (logits.start - total[:, :-1])[:, :, None] + (logits.end + total[:, 1:])[:, None, :]
    tokens = energy.shape[-1]
    ordered = torch.ones(tokens, tokens, dtype=torch.bool, device=energy.device).triu()
    allowed = ordered & mask[:, :, None] & mask[:, None, :]
    if taken is not None:
        crossed = torch.cat([torch.zeros_like(total[:, :1]), taken.to(total.dtype).cumsum(-1)], -1)
        allowed = allowed & (crossed[:, None, 1:] - crossed[:, :-1, None] < 0.5)
    return torch.where(allowed, energy, NEVER)


def log_mass(pairs: Float[Tensor, "question start end"]) -> Float[Tensor, "question"]:
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


def draw_spans(
    logits: SpanLogits,
    max_spans: Int[Tensor, "question"],
    group: int,
    generator: torch.Generator | None = None,
    greedy: bool = False,
) -> SpanDraws:
    """Draw ``group`` completions of one to ``max_spans`` spans a question (the mode where ``greedy``).

    The first span's distribution is computed once a question and shared by its group.
    """
    return _walk(logits, max_spans, group, None, lambda weights: _pick(weights, generator, greedy), generator, greedy)


def score_spans(
    logits: SpanLogits,
    max_spans: Int[Tensor, "question"],
    index: Int[Tensor, "question group span 2"],
    mask: Bool[Tensor, "question group span"],
) -> SpanDraws:
    """Log-probabilities of spans drawn before, in the order in which they were drawn."""
    return _walk(logits, max_spans, index.shape[1], (index, mask), None, None, False)


def _walk(
    logits: SpanLogits,
    max_spans: Int[Tensor, "question"],
    group: int,
    given: tuple[Tensor, Tensor] | None,
    pick: Callable[[Tensor], Tensor] | None,
    generator: torch.Generator | None,
    greedy: bool,
) -> SpanDraws:
    """Choose or score spans one after the other; only the rollouts that go on are worked on again."""
    number, tokens = logits.mask.shape
    steps = int(max_spans.max()) if number else 1
    pairs = pair_logits(logits)
    whole, device = log_mass(pairs), pairs.device
    index = torch.zeros(number * group, steps, 2, dtype=torch.long, device=device)
    mask = torch.zeros(number * group, steps, dtype=torch.bool, device=device)
    actions = torch.zeros(number * group, 3 * steps, dtype=torch.bool, device=device)
    columns: list[Tensor] = []
    rows = torch.arange(number * group, device=device)  # rollouts still going on
    of = rows // group  # the row of ``pairs`` each of them reads
    taken = torch.zeros(number * group, tokens, dtype=torch.bool, device=device)
    for step in range(steps):
        chosen, log_p = _choose(pairs, of, pick, None if given is None else given[0].flatten(0, 1)[rows, step])
        index[rows, step], mask[rows, step] = chosen, True
        actions[rows, 3 * step], actions[rows, 3 * step + 1] = True, True
        columns.append(_spread(log_p, rows, number * group))
        if step + 1 == steps:
            columns.append(log_p.new_zeros(number * group, 1))
            break
        taken[rows] |= covered(chosen, tokens)
        live = rows[max_spans[rows // group] > step + 1]
        pairs = pair_logits(logits.take(live // group), taken[live])
        possible = (pairs > NEVER / 2).flatten(1).any(-1)
        odds = log_mass(pairs) - whole[live // group] + logits.more[live // group]
        go = _decide(odds, generator, greedy) if given is None else given[1].flatten(0, 1)[live, step + 1]
        go = go & possible
        log_go = torch.nn.functional.logsigmoid(torch.where(go, odds, -odds)) * possible
        actions[live, 3 * step + 2] = possible
        columns.append(_spread(log_go[:, None], live, number * group))
        rows, pairs = live[go], pairs[go]
        of = torch.arange(len(rows), device=device)
    log_probs = torch.cat(columns, -1)
    shape = (number, group)
    return SpanDraws(index.unflatten(0, shape), mask.unflatten(0, shape), log_probs.unflatten(0, shape), actions.unflatten(0, shape))


def _choose(
    pairs: Float[Tensor, "source start end"],
    of: Int[Tensor, "rollout"],
    pick: Callable[[Tensor], Tensor] | None,
    given: Int[Tensor, "rollout 2"] | None,
) -> tuple[Int[Tensor, "rollout 2"], Float[Tensor, "rollout 2"]]:
    """One span a rollout, ``p(start) p(end | start)``: drawn where none is given, and its two log-probabilities."""
    starts = pairs.logsumexp(-1).log_softmax(-1)[of]
    if given is None and pick is not None:
        start = pick(starts)
    elif given is not None:
        start = given[:, 0]
    ends = pairs[of, start].log_softmax(-1)
    end = pick(ends) if given is None and pick is not None else given[:, 1]
    log_p = torch.stack([starts.gather(1, start[:, None])[:, 0], ends.gather(1, end[:, None])[:, 0]], -1)
    return torch.stack([start, end], -1), log_p


def _spread(values: Float[Tensor, "rollout column"], rows: Int[Tensor, "rollout"], number: int) -> Tensor:
    """Values of some rollouts in a table of all of them; zero elsewhere."""
    return values.new_zeros(number, values.shape[-1]).index_copy(0, rows, values)


def _pick(log_probs: Tensor, generator: torch.Generator | None, greedy: bool) -> Tensor:
    if greedy:
        return log_probs.argmax(-1)
    return torch.multinomial(log_probs.exp(), 1, generator=generator)[:, 0]


def _decide(odds: Tensor, generator: torch.Generator | None, greedy: bool) -> Tensor:
    if greedy:
        return odds > 0
    return torch.rand(odds.shape, generator=generator, device=odds.device) < odds.sigmoid()


def marginal_inside(logits: SpanLogits) -> Float[Tensor, "question token"]:
    """Probability that each token lies in the (first) span: the soft evidence of a question."""
    probs = pair_logits(logits).flatten(1).softmax(-1).view(len(logits.mask), *[logits.mask.shape[-1]] * 2)
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
