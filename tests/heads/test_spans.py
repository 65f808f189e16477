"""The distribution over spans: exact against enumeration, honest log-probabilities, nothing from masked tokens."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.heads.spans import (
    NEVER,
    SpanLogits,
    draw_spans,
    least_risk_spans,
    log_mass,
    marginal_inside,
    pair_logits,
    score_spans,
    to_seconds,
)
from tevo.ops import span_iou

LAW = settings(deadline=None, derandomize=True, max_examples=60)


def random_logits(questions, tokens, seed=0, masked=0.0):
    generator = torch.Generator().manual_seed(seed)
    start, end, inside = torch.randn(3, questions, tokens, generator=generator)
    mask = torch.rand(questions, tokens, generator=generator) >= masked
    mask[:, tokens // 2] = True  # at least one token was seen
    return SpanLogits(start, end, inside, torch.randn(questions, generator=generator), mask)


def most(logits, spans):
    return torch.full((len(logits.mask),), spans)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def energies(logits, row, taken=frozenset()):
    """The weight of every possible span of one question, the slow way."""
    start, end, inside, mask = (part[row].tolist() for part in (logits.start, logits.end, logits.inside, logits.mask))
    tokens = len(mask)
    return {
        (i, j): start[i] + end[j] + sum(inside[t] for t in range(i, j + 1) if mask[t])
        for i in range(tokens)
        for j in range(i, tokens)
        if mask[i] and mask[j] and not taken & set(range(i, j + 1))
    }


def log_sum(values):
    values = list(values)
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def naive_log_prob(logits, row, spans, limit):
    """Log-probability of a whole completion: spans in turn, going on after each, stopping after the last."""
    whole, taken, total = log_sum(energies(logits, row).values()), set(), 0.0
    for number, (first, last) in enumerate(spans, start=1):
        left = energies(logits, row, frozenset(taken))
        total += left[first, last] - log_sum(left.values())
        taken |= set(range(first, last + 1))
        rest = energies(logits, row, frozenset(taken))
        if number < limit and rest:
            odds = log_sum(rest.values()) - whole + float(logits.more[row])
            go = 1 / (1 + math.exp(-odds))
            total += math.log(go if number < len(spans) else 1 - go)
    return total


def scored(logits, spans, limit):
    """The same by :func:`score_spans`, for one question."""
    index, mask = torch.zeros(1, 1, limit, 2, dtype=torch.long), torch.zeros(1, 1, limit, dtype=torch.bool)
    index[0, 0, : len(spans)], mask[0, 0, : len(spans)] = torch.tensor(spans), True
    return float(score_spans(logits, torch.tensor([limit]), index, mask).log_probs.sum())


def test_pair_logits_equal_enumeration():
    logits = random_logits(3, 6, masked=0.3)
    pairs = pair_logits(logits)
    for row in range(3):
        wanted = energies(logits, row)
        possible = {(i, j): float(pairs[row, i, j]) for i in range(6) for j in range(6) if pairs[row, i, j] > -5000}
        assert possible == pytest.approx(wanted, abs=1e-5)
        assert float(log_mass(pairs)[row]) == pytest.approx(log_sum(wanted.values()), abs=1e-5)


def test_one_span_equals_enumeration_and_sums_to_one():
    logits = random_logits(1, 6, masked=0.3)
    every = energies(logits, 0)
    probs = {span: math.exp(scored(logits, [span], 1)) for span in every}
    assert sum(probs.values()) == pytest.approx(1.0, abs=1e-5)
    mass = log_sum(every.values())
    assert probs == pytest.approx({span: math.exp(energy - mass) for span, energy in every.items()}, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_several_spans_equal_enumeration_and_sum_to_one(seed):
    logits = random_logits(1, 4, seed, masked=0.2)

    def completions(spans, limit):
        yield spans
        taken = frozenset(t for first, last in spans for t in range(first, last + 1))
        if len(spans) < limit:
            for span in energies(logits, 0, taken):
                yield from completions([*spans, span], limit)

    total = 0.0
    for first in energies(logits, 0):
        for spans in completions([first], 3):
            log_p = scored(logits, spans, 3)
            assert log_p == pytest.approx(naive_log_prob(logits, 0, spans, 3), abs=1e-4)
            total += math.exp(log_p)
    assert total == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("limits", [[1, 1, 1], [4, 1, 3], [2, 4, 4]])
def test_draws_carry_their_own_log_probabilities(limits):
    logits = random_logits(3, 9, masked=0.2)
    drawn = draw_spans(logits, torch.tensor(limits), 16, seeded())
    again = score_spans(logits, torch.tensor(limits), drawn.index, drawn.mask)
    assert torch.equal(drawn.log_probs, again.log_probs)
    assert torch.equal(drawn.actions, again.actions)
    assert torch.equal(drawn.mask, again.mask)
    assert (drawn.log_probs[~drawn.actions] == 0).all()
    for row, limit in enumerate(limits):
        assert not drawn.mask[row, :, limit:].any()
        for rollout in range(16):
            spans = [tuple(span) for span in drawn.index[row, rollout][drawn.mask[row, rollout]].tolist()]
            wanted = naive_log_prob(logits, row, spans, limit)
            assert float(drawn.log_probs[row, rollout].sum()) == pytest.approx(wanted, abs=1e-4)


def test_draws_come_as_often_as_their_probability_says():
    logits = random_logits(1, 4)
    drawn = draw_spans(logits, most(logits, 1), 4000, seeded())
    every = energies(logits, 0)
    mass = log_sum(every.values())
    for span, energy in every.items():
        share = float((drawn.index[0, :, 0] == torch.tensor(span)).all(-1).float().mean())
        assert share == pytest.approx(math.exp(energy - mass), abs=0.03)


@LAW
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 4))
def test_spans_are_valid_ordered_and_apart(seed, tokens, limit):
    logits = random_logits(2, tokens, seed, masked=0.4)
    logits = SpanLogits(logits.start, logits.end, logits.inside, logits.more + 3, logits.mask)
    drawn = draw_spans(logits, most(logits, limit), 5, seeded(seed))
    for row in range(2):
        for index, mask in zip(drawn.index[row], drawn.mask[row], strict=True):
            seen = set()
            for first, last in index[mask].tolist():
                assert first <= last
                assert logits.mask[row, first] and logits.mask[row, last]
                assert not seen & set(range(first, last + 1))
                seen |= set(range(first, last + 1))
            assert mask[0]
            assert (mask[1:] <= mask[:-1]).all()  # no span after a stop


@LAW
@given(st.integers(0, 10_000), st.integers(1, 10))
def test_greedy_is_the_mode(seed, tokens):
    logits = random_logits(1, tokens, seed, masked=0.3)
    drawn = draw_spans(logits, most(logits, 3), 1, greedy=True)
    spans = [tuple(span) for span in drawn.index[0, 0][drawn.mask[0, 0]].tolist()]
    taken = set()
    for span in spans:
        left = energies(logits, 0, frozenset(taken))
        assert left[span] == pytest.approx(max(left.values()), abs=1e-5)
        taken |= set(range(span[0], span[1] + 1))
    whole, rest = log_sum(energies(logits, 0).values()), energies(logits, 0, frozenset(taken))
    if len(spans) < 3 and rest:
        assert log_sum(rest.values()) - whole + float(logits.more) <= 1e-4


def kadane(values):
    """Maximum-sum segment in one pass."""
    best, best_span, running, begin = -math.inf, (0, 0), 0.0, 0
    for index, value in enumerate(values):
        if running <= 0:
            running, begin = 0.0, index
        running += value
        if running > best:
            best, best_span = running, (begin, index)
    return best, best_span


@LAW
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=20))
def test_zero_shot_mode_is_the_maximum_sum_segment(tenths):
    inside = torch.tensor([tenths]) / 10
    zero = torch.zeros_like(inside)
    logits = SpanLogits(zero, zero, inside, torch.zeros(1), torch.ones_like(inside, dtype=torch.bool))
    first, last = draw_spans(logits, torch.tensor([1]), 1, greedy=True).index[0, 0, 0].tolist()
    best, _ = kadane(inside[0].tolist())
    assert float(inside[0, first : last + 1].sum()) == pytest.approx(best, abs=1e-4)


def test_marginal_inside_equals_enumeration():
    logits = random_logits(3, 7, masked=0.3)
    marginal = marginal_inside(logits)
    for row in range(3):
        every = energies(logits, row)
        mass = log_sum(every.values())
        for token in range(7):
            wanted = sum(math.exp(energy - mass) for (i, j), energy in every.items() if i <= token <= j)
            assert float(marginal[row, token]) == pytest.approx(wanted, abs=1e-5)


def test_a_question_without_a_valid_token_gets_no_span():
    logits = random_logits(2, 5)
    logits.mask[1] = False
    for drawn in (
        draw_spans(logits, most(logits, 3), 4, seeded()),
        draw_spans(logits, most(logits, 3), 4, greedy=True),
    ):
        assert drawn.mask[0, :, 0].all()
        assert not drawn.mask[1].any()
        assert not drawn.actions[1].any()
        assert (drawn.log_probs[1] == 0).all()
        assert (drawn.index[1] == 0).all()


def test_gradients_are_finite_with_every_token_masked():
    parts = torch.randn(3, 2, 5, generator=seeded()).requires_grad_()
    more = torch.zeros(2, requires_grad=True)
    mask = torch.tensor([[True] * 5, [False] * 5])
    logits = SpanLogits(*parts, more, mask)
    drawn = draw_spans(logits, most(logits, 3), 6, seeded())
    (drawn.log_probs.sum() + marginal_inside(logits).sum() + log_mass(pair_logits(logits)).sum()).backward()
    assert parts.grad.isfinite().all()
    assert more.grad.isfinite().all()
    assert (parts.grad[:, 0] != 0).any()
    assert (parts.grad[:, 1] == 0).all()


def test_a_question_is_the_same_in_any_company():
    logits = random_logits(4, 8, masked=0.2)
    limits = torch.tensor([3, 1, 4, 2])
    drawn = draw_spans(logits, limits, 5, seeded())
    together = score_spans(logits, limits, drawn.index, drawn.mask)
    greedy = draw_spans(logits, limits, 1, greedy=True)
    for row in range(4):
        one = torch.tensor([row])
        limit = int(limits[row])
        alone = score_spans(logits.take(one), limits[one], drawn.index[one, :, :limit], drawn.mask[one, :, :limit])
        torch.testing.assert_close(alone.log_probs[0], together.log_probs[row, :, : 3 * limit])
        mode = draw_spans(logits.take(one), limits[one], 1, greedy=True)
        assert torch.equal(mode.mask[0], greedy.mask[row, :, :limit])
        assert torch.equal(mode.index[0][mode.mask[0]], greedy.index[row][greedy.mask[row]])


def test_padding_changes_nothing():
    logits = random_logits(2, 6, masked=0.2)

    def longer(part):
        return torch.nn.functional.pad(part, (0, 5))

    padded = SpanLogits(
        *(longer(p) for p in (logits.start, logits.end, logits.inside)), logits.more, longer(logits.mask)
    )
    drawn = draw_spans(logits, most(logits, 3), 7, seeded())
    again = score_spans(padded, most(logits, 3), drawn.index, drawn.mask)
    torch.testing.assert_close(again.log_probs, drawn.log_probs)
    torch.testing.assert_close(marginal_inside(padded)[:, :6], marginal_inside(logits))


def test_no_question_gives_no_draw():
    drawn = draw_spans(random_logits(3, 4).take(torch.arange(0)), torch.zeros(0, dtype=torch.long), 2, seeded())
    assert drawn.index.shape == (0, 2, 1, 2)


def test_seconds_run_from_the_first_token_to_the_end_of_the_last():
    token_spans = torch.tensor([[[1.4, 2.0], [2.0, 2.5], [3.0, 4.25]], [[0.0, 1.0], [1.0, 2.0], [0.0, 0.0]]])
    index = torch.tensor([[[[0, 2], [1, 1]]], [[[0, 1], [0, 0]]]])
    mask = torch.tensor([[[True, True]], [[True, False]]])
    seconds = to_seconds(index, mask, token_spans)
    assert seconds.tolist() == [[[[pytest.approx(1.4), 4.25], [2.0, 2.5]]], [[[0.0, 2.0], [0.0, 0.0]]]]


def expected_iou(pairs, token_spans):
    """Expected IoU of every span under the whole distribution, the slow way."""
    tokens = pairs.shape[-1]
    probs = pairs.flatten().softmax(-1).view_as(pairs)
    every = [(i, j) for i in range(tokens) for j in range(i, tokens) if pairs[i, j] > NEVER / 2]
    seconds = {(i, j): torch.stack([token_spans[i, 0], token_spans[j, 1]]) for i, j in every}
    return {
        span: sum(float(probs[other] * span_iou(seconds[span], seconds[other])) for other in every) for span in every
    }


@LAW
@given(st.integers(1, 7), st.integers(0, 30), st.sampled_from([0.0, 0.3]))
def test_the_span_of_least_risk_has_the_greatest_expected_iou(tokens, seed, masked):
    logits = random_logits(2, tokens, seed, masked)
    start = torch.arange(tokens).float()
    token_spans = torch.stack([start, start + 1], -1).expand(2, -1, -1)
    pairs = pair_logits(logits)
    best = least_risk_spans(pairs, token_spans, candidates=1000)
    for row in range(2):
        risks = expected_iou(pairs[row], token_spans[row])
        assert risks[tuple(best[row].tolist())] == pytest.approx(max(risks.values()), abs=1e-5)


def test_of_one_candidate_it_is_the_mode():
    logits = random_logits(4, 9)
    start = torch.arange(9).float()
    best = least_risk_spans(pair_logits(logits), torch.stack([start, start + 1], -1).expand(4, -1, -1), candidates=1)
    for row in range(4):
        found = energies(logits, row)
        assert tuple(best[row].tolist()) == max(found, key=found.get)
