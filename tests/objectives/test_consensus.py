"""Votes, consensus spans and named drops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.errors import TevoError
from tevo.objectives import consensus
from tevo.objectives.consensus import DROP_REASONS, KEPT, PoolRule

LAW = settings(deadline=None, derandomize=True, max_examples=150)
VOTES, SPANS = 6, 2
one_vote = st.tuples(
    st.integers(-1, 3),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.booleans()), min_size=SPANS, max_size=SPANS),
)
ballots = st.lists(one_vote, min_size=VOTES, max_size=VOTES)


def tensors(ballot):
    answers = torch.tensor([[answer for answer, _ in ballot]])
    spans = torch.tensor([[[(s, s + n) for s, n, _ in spans] for _, spans in ballot]], dtype=torch.float32)
    mask = torch.tensor([[[valid for _, _, valid in spans] for _, spans in ballot]])
    return answers, spans * 0.7 + 1.4, mask


@LAW
@given(ballots, st.randoms(), st.booleans())
def test_consensus_does_not_depend_on_the_order_of_votes(ballot, random, is_when):
    """Bit-equal: label, agreement, spans and their score; the agreeing votes move with their owners."""
    order = random.sample(range(VOTES), VOTES)
    options, when = torch.tensor([4]), torch.tensor([is_when])
    answers, spans, mask = tensors(ballot)
    first = consensus.pseudo_labels(answers, options, spans, mask, when)
    second = consensus.pseudo_labels(answers[:, order], options, spans[:, order], mask[:, order], when)
    for name in ("answer", "agreement", "tied", "none", "spans", "span_mask", "mean_iou"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    assert torch.equal(first.agrees[:, order], second.agrees)


@LAW
@given(ballots)
def test_majority_equals_counting(ballot):
    answers, _, _ = tensors(ballot)
    result = consensus.majority(answers, torch.tensor([4]))
    votes = answers[0].tolist()
    counts = {option: votes.count(option) for option in range(-1, 4)}
    top = max(counts.values())
    winners = [option for option, count in counts.items() if count == top]
    assert result.tied.item() == (len(winners) > 1)
    assert result.none.item() == (winners == [-1])
    if winners != [-1]:
        assert result.agreement.item() == pytest.approx(top / VOTES)
        assert result.answer.item() == min(option for option in winners if option >= 0)
    else:
        assert (result.answer.item(), result.agreement.item()) == (-1, 0.0)


def test_unanswered_votes_count_in_the_denominator():
    result = consensus.majority(torch.tensor([[2, 2, 2, -1, -1, 0, 1, 2, -1, 0]]), torch.tensor([4]))
    assert (result.answer.item(), result.agreement.item()) == (2, pytest.approx(0.4))


def test_a_vote_for_an_option_not_offered_is_no_answer():
    result = consensus.majority(torch.tensor([[3, 3, 3, 1]]), torch.tensor([2]))
    assert result.none.item()
    assert result.answer.item() == -1


def test_no_vote_at_all_is_no_answer_and_no_prompt_is_no_error():
    assert consensus.majority(torch.zeros(1, 0, dtype=torch.long), torch.tensor([3])).none.item()
    empty = consensus.majority(torch.zeros(0, 4, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    assert empty.answer.shape == (0,)


def single(spans):
    tensor = torch.tensor(spans, dtype=torch.float32)[None, :, None]
    return tensor, torch.ones(tensor.shape[:-1], dtype=torch.bool)


def test_medoid_is_the_span_the_voters_agree_on_and_ignores_the_others():
    spans, mask = single([(0, 10), (1, 10), (1, 9), (50, 60), (50, 60), (50, 60)])
    voters = torch.tensor([[True, True, True, True, False, False]])
    result = consensus.medoid(spans, mask, voters)
    assert result.vote.item() == 1
    assert result.spans[0, 0].tolist() == [1.0, 10.0]
    pairs = [9 / 10, 8 / 10, 8 / 9, 0, 0, 0]
    assert result.mean_iou.item() == pytest.approx(sum(pairs) / 6)


@pytest.mark.parametrize("ties", [[(30, 34), (20, 26), (10, 19)], [(10, 16), (30, 40), (10, 14)]])
def test_medoid_breaks_ties_by_start_then_length(ties):
    spans, mask = single(ties)  # each of the candidates overlaps the others equally
    assert consensus.medoid(spans, mask, torch.ones(1, 3, dtype=torch.bool)).vote.item() == 2


def test_no_voter_means_no_medoid():
    spans, mask = single([(0, 10), (1, 10)])
    result = consensus.medoid(spans, mask, torch.zeros(1, 2, dtype=torch.bool))
    assert not result.found.item()
    assert not result.span_mask.any()
    assert result.mean_iou.item() == 0.0


def test_a_lone_voter_and_voters_without_spans_are_no_consensus():
    spans, mask = single([(0, 10), (0, 10), (0, 10)])
    lone = consensus.medoid(spans, mask, torch.tensor([[True, False, False]]))
    assert (lone.found.item(), lone.mean_iou.item()) == (True, 0.0)
    mask[0, 1:] = False
    silent = consensus.medoid(spans, mask, torch.ones(1, 3, dtype=torch.bool))
    assert (silent.vote.item(), silent.mean_iou.item()) == (0, 0.0)


def test_span_vote_agrees_at_half_overlap_and_counts_every_vote():
    spans, mask = single([(10, 20), (10, 20), (10, 15), (12, 16), (40, 50)])
    mask[0, 4] = False
    result = consensus.span_vote(spans, mask)
    assert result.agrees[0].tolist() == [True, True, True, False, False]
    assert result.agreement.item() == pytest.approx(3 / 5)
    assert result.answer.item() == -1
    assert not result.tied.item()


def test_two_equal_camps_of_spans_are_a_tie():
    spans, mask = single([(10, 20), (10, 20), (40, 50), (40, 50)])
    assert consensus.span_vote(spans, mask).tied.item()


def test_no_span_is_no_answer_to_when():
    spans, mask = single([(10, 20), (10, 20)])
    assert consensus.span_vote(spans, torch.zeros_like(mask)).none.item()


def verdict(windowed=False, in_window=True, evidence_iou=1.0, coverage=0.2, **fields):
    values = {"agreement": 0.5, "tied": False, "none": False, "mean_iou": 0.9} | fields
    vote = consensus.Consensus(
        answer=torch.tensor([0]),
        agrees=torch.ones(1, 4, dtype=torch.bool),
        spans=torch.zeros(1, 1, 2),
        span_mask=torch.ones(1, 1, dtype=torch.bool),
        **{name: torch.tensor([value]) for name, value in values.items()},
    )
    given_facts = (torch.tensor([value]) for value in (coverage, windowed, in_window, evidence_iou))
    return DROP_REASONS[consensus.drop_reasons(vote, *given_facts, PoolRule()).item()]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "kept"),
        ({"tied": True, "agreement": 0.1}, "tie"),
        ({"none": True, "agreement": 0.0}, "no answer"),
        ({"agreement": 0.9}, "too easy"),
        ({"agreement": 0.2}, "too hard"),
        ({"mean_iou": 0.2}, "spans disagree"),
        ({"coverage": 0.9}, "whole video"),
        ({"windowed": True, "in_window": False}, "outside the window"),
        ({"windowed": True, "evidence_iou": 0.0}, "kept"),
        ({"evidence_iou": 0.2}, "evidence mismatch"),
        ({"in_window": False}, "kept"),
    ],
)
def test_every_drop_has_its_name(facts, reason):
    assert verdict(**facts) == reason


@pytest.mark.parametrize("votes", [3, 8])
def test_the_band_holds_its_own_ends(votes):
    result = consensus.majority(torch.tensor([[0] * votes + list(range(1, 11 - votes))]), torch.tensor([20]))
    assert verdict(agreement=result.agreement.item()) == "kept"


def test_kept_is_the_last_code():
    assert DROP_REASONS[KEPT] == "kept"
    assert len(DROP_REASONS) == KEPT + 1


@pytest.mark.parametrize("wrong", [{"agreement_low": 0.9}, {"max_coverage": 1.5}])
def test_an_impossible_rule_is_refused(wrong):
    with pytest.raises(TevoError, match=next(iter(wrong))):
        PoolRule(**wrong)
