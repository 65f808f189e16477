"""Credit rules against one-rollout-at-a-time loops, and the laws that no rule but the published one may break."""

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.errors import TevoError
from tevo.objectives import credit
from tevo.objectives.rewards import SolverWeights
from tevo.structures import Role

LAW = settings(deadline=None, derandomize=True, max_examples=30)
WEIGHTS = SolverWeights(alpha=0.3, zeta=0.2, fmt=0.1, extra={"mine": 0.4, "yours": 0.25})
PROMPTS, GROUP, TOKENS = 3, 5, 6
share = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def table(values):
    return st.lists(st.lists(values, min_size=GROUP, max_size=GROUP), min_size=PROMPTS, max_size=PROMPTS)


token = st.tuples(st.sampled_from([0, 1, 2]), st.booleans())
completions = table(st.lists(token, min_size=TOKENS, max_size=TOKENS))
batches = st.tuples(
    table(st.sampled_from([0.0, 1.0])),
    table(share),
    table(share),
    table(st.sampled_from([0.0, 1.0])),
    completions,
    st.lists(st.booleans(), min_size=PROMPTS, max_size=PROMPTS),
    st.fixed_dictionaries({}, optional={"mine": table(share), "yours": table(share)}),
)


def tensors(batch):
    *terms, tokens, when, _ = batch
    roles = torch.tensor([[[role for role, _ in row] for row in group] for group in tokens])
    mask = torch.tensor([[[valid for _, valid in row] for row in group] for group in tokens])
    return [torch.tensor(term) for term in terms], roles, mask, torch.tensor(when)


def normal(values):
    """(x - mean) / (population std + 1e-6), zero for an all-equal list."""
    if not values or max(values) - min(values) <= 1e-6:
        return [0.0] * len(values)
    mean, std = statistics.fmean(values), statistics.pstdev(values)
    return [(value - mean) / (std + 1e-6) for value in values]


def extras(batch):
    return {name: torch.tensor(values) for name, values in batch[-1].items()}


def naive(kind, batch):
    """Every rule, one prompt and one token at a time."""
    ans, iou, zoom, fmt, tokens, when, extra = batch
    out, raw = [], []
    for p in range(PROMPTS):
        paid = 0.0 if when[p] else 1.0
        rows = [(ans[p][g], iou[p][g] * paid, zoom[p][g] * paid, fmt[p][g]) for g in range(GROUP)]
        own = [[ans[p][g] * values[p][g] for g in range(GROUP)] for values in extra.values()]
        bonus = [sum(WEIGHTS.extra[k] * r[g] for k, r in zip(extra, own, strict=True)) for g in range(GROUP)]
        total = [a * (1 + 0.3 * i + 0.2 * z) + 0.1 * f + b for (a, i, z, f), b in zip(rows, bonus, strict=True)]
        if kind == "token":
            scores = {
                Role.OTHER: normal(total),
                Role.ANSWER: normal([a + 0.1 * f + b for (a, _, _, f), b in zip(rows, bonus, strict=True)]),
                Role.EVIDENCE: normal(
                    [
                        (a if when[p] else a * (0.3 * i + 0.2 * z)) + 0.1 * f + b
                        for (a, i, z, f), b in zip(rows, bonus, strict=True)
                    ]
                ),
            }
            out.append([[scores[Role(role)][g] for role, _ in tokens[p][g]] for g in range(GROUP)])
        elif kind == "sequence":
            out.append([[normal(total)[g]] * TOKENS for g in range(GROUP)])
        elif kind == "token_zz":
            spans = [a if when[p] else i for a, i, _, _ in rows]
            score = [
                [(f + z + bonus[g] + (a if role == Role.ANSWER else spans[g])) / 3 for role, _ in tokens[p][g]]
                for g, (a, _, z, f) in enumerate(rows)
            ]
            flat = [(g, t) for g in range(GROUP) for t in range(TOKENS) if tokens[p][g][t][1]]
            done = dict(zip(flat, normal([score[g][t] for g, t in flat]), strict=True))
            out.append([[done.get((g, t), 0.0) for t in range(TOKENS)] for g in range(GROUP)])
        else:
            columns = [*zip(*[(a, a * i, a * z, f) for a, i, z, f in rows], strict=True), *own]
            parts = [normal(list(column)) for column in columns]
            shares = (1, 0.3, 0.2, 0.1, *(WEIGHTS.extra[name] for name in extra))
            raw += [sum(w * part[g] for w, part in zip(shares, parts, strict=True)) for g in range(GROUP)]
    if kind == "decoupled":
        mean, std = statistics.fmean(raw), statistics.pstdev(raw)
        flat_scores = [(value - mean) / (std + 1e-6) if std > 1e-5 else 0.0 for value in raw]
        out = [[[flat_scores[p * GROUP + g]] * TOKENS for g in range(GROUP)] for p in range(PROMPTS)]
    return [
        [[out[p][g][t] if tokens[p][g][t][1] else 0.0 for t in range(TOKENS)] for g in range(GROUP)]
        for p in range(PROMPTS)
    ]


@pytest.mark.parametrize("kind", credit.CREDIT)
@LAW
@given(batch=batches)
def test_every_rule_equals_the_naive_loop(kind, batch):
    terms, roles, mask, when = tensors(batch)
    got = credit.advantages(kind, *terms, WEIGHTS, roles, mask, when, extras(batch))
    torch.testing.assert_close(got, torch.tensor(naive(kind, batch)), atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("kind", ["token", "sequence", "decoupled"])
@LAW
@given(batch=batches, equal=st.tuples(share, share, share, share))
def test_an_all_equal_group_gives_zero_advantage_everywhere(kind, batch, equal):
    """Also beside groups that do differ."""
    terms, roles, mask, when = tensors(batch)
    for term, value in zip(terms, equal, strict=True):
        term[1] = value
    assert credit.advantages(kind, *terms, WEIGHTS, roles, mask, when)[1].eq(0).all()


def test_the_published_pooled_form_moves_the_tokens_of_equal_rollouts():
    """Why it is not the default: right answers with poor spans push every span token of every rollout down."""
    one = torch.ones(1, GROUP)
    roles = torch.tensor([Role.EVIDENCE, Role.EVIDENCE, Role.ANSWER]).expand(1, GROUP, 3)
    mask = torch.ones(1, GROUP, 3, dtype=torch.bool)
    got = credit.advantages("token_zz", one, 0 * one, 0 * one, one, WEIGHTS, roles, mask)
    assert (got[..., 0] < 0).all()
    assert (got[..., 2] > 0).all()
    assert credit.advantages("token", one, 0 * one, 0 * one, one, WEIGHTS, roles, mask).eq(0).all()


@LAW
@given(batches)
def test_other_tokens_alone_get_sequence_credit(batch):
    terms, roles, mask, when = tensors(batch)
    roles[:, 0] = Role.OTHER
    by_token = credit.advantages("token", *terms, WEIGHTS, roles, mask, when)
    by_sequence = credit.advantages("sequence", *terms, WEIGHTS, roles, mask, when)
    assert torch.equal(by_token[:, 0], by_sequence[:, 0])


@pytest.mark.parametrize("kind", credit.CREDIT)
@LAW
@given(batch=batches)
def test_masked_tokens_get_nothing_and_order_of_rollouts_does_not_matter(kind, batch):
    terms, roles, mask, when = tensors(batch)
    got = credit.advantages(kind, *terms, WEIGHTS, roles, mask, when)
    assert got[~mask].eq(0).all()
    turned = credit.advantages(kind, *(t.flip(1) for t in terms), WEIGHTS, roles.flip(1), mask.flip(1), when)
    torch.testing.assert_close(turned.flip(1), got, atol=1e-4, rtol=1e-4)


def test_a_when_completion_learns_its_span_from_the_answer_reward():
    """It has no ANSWER token, so the span's own tokens must tell right from wrong, and be paid once."""
    right = torch.tensor([[1.0, 0.0]])
    roles = torch.tensor([Role.EVIDENCE, Role.EVIDENCE, Role.OTHER]).expand(1, 2, 3)
    mask = torch.ones(1, 2, 3, dtype=torch.bool)
    iou = torch.tensor([[0.6, 0.4]])
    for kind in credit.CREDIT:
        got = credit.advantages(kind, right, iou, right, 0 * right, WEIGHTS, roles, mask, torch.tensor([True]))
        assert (got[0, 0] > 0).all(), kind
        assert (got[0, 1] < 0).all(), kind
        other = credit.advantages(kind, right, 1 - iou, right, 0 * right, WEIGHTS, roles, mask, torch.tensor([True]))
        assert torch.equal(got, other), f"{kind} pays r_iou twice"


def test_when_and_option_questions_share_a_batch():
    right, iou = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.9, 0.1], [0.0, 0.9]])
    scores = credit.role_scores(credit.Rewards(right, iou, 0 * right, 0 * right, torch.tensor([True, False])), WEIGHTS)
    assert scores[0, :, Role.EVIDENCE].tolist() == [1.0, 0.0]
    assert scores[1, :, Role.EVIDENCE].tolist() == [0.0, 0.0]


@LAW
@given(batches)
def test_outcome_gate_is_its_sentence(batch):
    (ans, iou, _, _), _, _, when = tensors(batch)
    got = credit.outcome_gate(ans, iou, when, extras(batch))
    for p in range(PROMPTS):
        varied = len(set(ans[p].tolist())) > 1 or (not when[p] and len(set(iou[p].tolist())) > 1)
        varied = varied or any(len(set((ans * values)[p].tolist())) > 1 for values in extras(batch).values())
        assert got[p].item() == (any(ans[p].tolist()) and varied)


def test_format_alone_opens_no_gate():
    ones = torch.ones(1, 4)
    assert not credit.outcome_gate(ones, 0.5 * ones).item()
    assert not credit.outcome_gate(0 * ones, torch.tensor([[0.1, 0.9, 0.3, 0.2]])).item()


def test_an_unknown_rule_names_the_known_ones():
    ones = torch.ones(1, 2)
    tokens = torch.zeros(1, 2, 3, dtype=torch.long)
    with pytest.raises(TevoError, match=r"'tokens'.*token, sequence, decoupled, token_zz"):
        credit.advantages("tokens", ones, ones, ones, ones, WEIGHTS, tokens, tokens == 0)


def test_a_group_of_one_has_no_advantage():
    one, tokens = torch.ones(2, 1), torch.zeros(2, 1, 3, dtype=torch.long)
    for kind in credit.CREDIT:
        got = credit.advantages(kind, one, one, one, one, WEIGHTS, tokens, tokens == 0)
        assert not math.isnan(got.sum().item())
        assert got.eq(0).all()
