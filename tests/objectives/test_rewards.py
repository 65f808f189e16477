"""Each reward against its formula, the edge that games it, and the law that the issue of collapse asks for."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.objectives import rewards
from tevo.objectives.rewards import QuestionerWeights, SolverWeights

LAW = settings(deadline=None, derandomize=True, max_examples=100)
share = st.floats(0, 1, width=32)


def spans(*sets):
    """One prompt, one rollout a set; the padding is masked junk."""
    size = max(map(len, sets))
    rows = [[*given, *[(7.0, -7.0)] * (size - len(given))] for given in sets]
    mask = [[column < len(given) for column in range(size)] for given in sets]
    return torch.tensor([rows], dtype=torch.float32).view(1, len(sets), size, 2), torch.tensor([mask], dtype=torch.bool)


def truth(*given):
    tensor, mask = spans(list(given))
    return tensor[:, 0], mask[:, 0]


def test_answer_reward_never_pays_for_no_answer():
    answers = torch.tensor([[2, 0, -1], [-1, 0, 1]])
    assert rewards.answer_reward(answers, torch.tensor([2, -1])).tolist() == [[1, 0, 0], [0, 0, 0]]


def test_when_reward_is_paid_from_half_overlap_on():
    pred, mask = spans([(10, 20)], [(10, 15)], [(10, 14)], [])
    assert rewards.when_reward(pred, mask, *truth((10, 20))).tolist() == [[1, 1, 0, 0]]


def test_alignment_is_set_iou_and_guards_against_the_whole_video():
    pred, mask = spans([(10, 20)], [(10, 14), (12, 30)], [(0, 100)], [], [(20, 10)], [(10, 20), (30, 25)])
    got = rewards.alignment_reward(pred, mask, *truth((10, 20)), torch.tensor([100.0]))
    torch.testing.assert_close(got, torch.tensor([[1.0, 0.5, 0.0, 0.0, 0.0, 0.0]]))
    open_guard = rewards.alignment_reward(pred, mask, *truth((10, 20)), torch.tensor([100.0]), max_coverage=1.0)
    assert open_guard[0, 2].item() == pytest.approx(0.1)


def test_boundary_penalty_is_the_published_product():
    pred, mask = spans([(10, 20)], [(5, 22)], [(8, 9), (12, 26)])
    got = rewards.alignment_reward(pred, mask, *truth((10, 20)), torch.tensor([50.0]), boundary_penalty=True)
    expected = [1.0, 10 / 17 * (1 - 5 / 50) * (1 - 2 / 50), 8 / 17 * (1 - 2 / 50) * (1 - 6 / 50)]
    torch.testing.assert_close(got, torch.tensor([expected]))


def test_boundary_penalty_of_nothing_is_zero_not_nan():
    pred, mask = spans([], [(1, 2)])
    for tau in (truth(), truth((1, 2))):
        got = rewards.alignment_reward(pred, mask, *tau, torch.tensor([9.0]), boundary_penalty=True)
        assert got.isfinite().all()
        assert got[0, 0].item() == 0.0


def test_zoom_pays_neither_an_empty_answer_nor_a_missing_span():
    zoomed, has_span = torch.tensor([[1, 1, -1, 0]]), torch.tensor([[True, False, True, True]])
    assert rewards.zoom_reward(zoomed, torch.tensor([1]), has_span).tolist() == [[1, 0, 0, 0]]
    assert rewards.zoom_reward(zoomed, torch.tensor([-1]), has_span).sum().item() == 0


@LAW
@given(st.booleans(), share, st.booleans(), st.booleans(), share, share, share)
def test_solver_reward_is_the_formula(ans, iou, zoom, fmt, alpha, zeta, w_fmt):
    terms = [torch.tensor([[float(value)]]) for value in (ans, iou, zoom, fmt)]
    weights = SolverWeights(alpha, zeta, w_fmt)
    expected = ans * (1 + alpha * iou + zeta * zoom) + w_fmt * fmt
    assert rewards.solver_reward(*terms, weights).item() == pytest.approx(expected, abs=1e-6)
    when = rewards.solver_reward(*terms, weights, torch.tensor([True])).item()
    assert when == pytest.approx(ans + w_fmt * fmt, abs=1e-6)


def test_differences_are_clamped_and_order_counts_a_tenth():
    high, low = torch.tensor([0.9, 0.2]), torch.tensor([0.4, 0.6])
    for term in (rewards.video_dependency, rewards.necessity, rewards.sufficiency):
        assert term(high, low).tolist() == pytest.approx([0.5, 0.0])
    assert rewards.order_dependency(high, low).tolist() == pytest.approx([0.05, 0.0])
    assert rewards.evidence_quality(high, low, torch.ones(2)).tolist() == pytest.approx([2.3 / 3, 1.8 / 3])


@pytest.mark.parametrize(
    ("evidence", "good"),
    [
        ([(0, 10)], True),
        ([(5, 10), (10, 15)], True),
        ([], False),
        ([(10, 15), (5, 9)], False),  # not in order
        ([(0, 20), (4, 8), (15, 25)], False),  # the third overlaps the first
        ([(5, 7)], False),  # under three seconds
        ([(-1, 10)], False),
        ([(95, 101)], False),
        ([(0, 30), (40, 65)], False),  # more than half the video
        ([(20, 10)], False),
        ([(math.nan, 10)], False),
    ],
)
def test_localisation_names_well_formed_evidence(evidence, good):
    assert rewards.localisation(*truth(*evidence), torch.tensor([100.0])).item() == good


def test_localisation_sees_an_overlap_across_a_hole_in_the_mask():
    evidence, mask = torch.tensor([[(0.0, 10.0), (99.0, 98.0), (5.0, 9.0)]]), torch.tensor([[True, False, True]])
    assert rewards.localisation(evidence, mask, torch.tensor([100.0])).item() == 0
    evidence[0, 2] = torch.tensor([10.0, 14.0])
    assert rewards.localisation(evidence, mask, torch.tensor([100.0])).item() == 1


def test_localisation_takes_two_sampled_frames_for_long_enough_and_starts_at_the_first_pts():
    evidence, duration = truth((5, 7)), torch.tensor([20.0])
    assert rewards.localisation(*evidence, duration, token_s=1.0).item() == 1
    assert rewards.localisation(*evidence, duration, token_s=1.5).item() == 0
    assert rewards.localisation(*evidence, duration, token_s=1.0, start_s=torch.tensor([5.5])).item() == 0
    assert rewards.localisation(*truth((19, 21.4)), duration, token_s=1.0, start_s=torch.tensor([1.4])).item() == 1


def test_same_question_needs_kind_concept_and_overlap():
    kind, concept = torch.tensor([[0, 0, 0, 1, 0]]), torch.tensor([[3, 3, 3, 3, 4]])
    asked = torch.tensor([[(0.0, 10.0), (1.0, 10.0), (6.0, 20.0), (0.0, 10.0), (0.0, 10.0)]])
    same = rewards.same_question(kind, concept, asked)[0]
    assert same[0].tolist() == [True, True, False, False, False]
    assert torch.equal(same, same.T)
    points = torch.zeros(1, 5, 2)
    assert rewards.same_question(kind, concept, points)[0].diagonal().all()


def naive_clusters(same):
    """Union by flooding, one question at a time."""
    size, shares = len(same), []
    for start in range(size):
        seen, edge = {start}, [start]
        while edge:
            here = edge.pop()
            new = {other for other in range(size) if (same[here][other] or same[other][here]) and other not in seen}
            seen |= new
            edge += new
        shares.append(len(seen) / size)
    return shares


@LAW
@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 5), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_repetition_is_the_share_of_the_cluster(raw):
    same = [[value == 0 for value in row] for row in raw]
    got = rewards.repetition(torch.tensor([same]))
    assert got[0].tolist() == pytest.approx(naive_clusters(same))


def test_repetition_accepts_ready_clusters():
    ids = torch.tensor([[4, 4, 7, 4]])
    assert rewards.repetition(ids[:, :, None] == ids[:, None])[0].tolist() == [0.75, 0.75, 0.25, 0.75]


def reward_of_agreement(weights):
    """r_Q along c, for a question that needs its video and its evidence: without them the Solver is at chance."""
    agreement = torch.linspace(0, 1, 101)
    chance = torch.full_like(agreement, 0.25)
    quality = rewards.evidence_quality(
        rewards.necessity(agreement, chance), rewards.sufficiency(agreement, chance), torch.ones_like(agreement)
    )
    reward = rewards.questioner_reward(
        torch.ones_like(agreement, dtype=torch.bool),
        rewards.learnability(agreement),
        torch.full_like(agreement, 1 / 4),
        rewards.video_dependency(agreement, chance),
        rewards.order_dependency(agreement, chance),
        quality,
        rewards.in_band(agreement),
        weights,
    )
    return agreement, reward


def test_the_questioner_is_paid_most_inside_the_agreement_band():
    agreement, reward = reward_of_agreement(QuestionerWeights())
    best = agreement[reward.argmax()].item()
    assert 0.3 <= best <= 0.8 + 1e-6
    outside = (agreement < 0.295) | (agreement > 0.805)
    assert reward[outside].max() < reward[~outside].max()
    agreement, reward = reward_of_agreement(QuestionerWeights(band=False))
    assert agreement[reward.argmax()].item() == 1.0  # the question that the pool drops


@LAW
@given(*[share] * 5, st.booleans(), st.booleans(), st.lists(share, min_size=5, max_size=5))
def test_questioner_reward_is_the_formula(learn, repeat, depend, order, evidence, parsed, shown, w):
    terms = [torch.tensor([[value]]) for value in (learn, repeat, depend, order, evidence)]
    got = rewards.questioner_reward(
        torch.tensor([[parsed]]), *terms, torch.tensor([[shown]]), QuestionerWeights(*w)
    ).item()
    bonus = w[2] * depend + w[3] * order + w[4] * evidence
    assert got == pytest.approx(parsed * (max(0.0, w[0] * learn - w[1] * repeat) + shown * bonus), abs=1e-5)


def test_an_unparsed_question_scores_zero_even_where_its_terms_are_nan():
    broken = torch.tensor([[math.nan]])
    no = torch.tensor([[False]])
    assert rewards.questioner_reward(no, *[broken] * 5, no, QuestionerWeights()).item() == 0.0


@LAW
@given(*[share] * 4, st.booleans(), st.booleans())
def test_rewards_of_ones_own_are_bonuses_behind_the_same_gates(first, second, weight, iou, ans, shown):
    mine = {"a": torch.tensor([[first]]), "b": torch.tensor([[second]])}
    right, overlap, none = torch.tensor([[float(ans)]]), torch.tensor([[iou]]), torch.zeros(1, 1)
    bonus = weight * first + 0.5 * second
    weights = SolverWeights(extra={"a": weight, "b": 0.5})
    got = rewards.solver_reward(right, overlap, none, none, weights, extra=mine).item()
    assert got == pytest.approx(ans * (1 + 0.3 * iou + bonus), abs=1e-6)
    when = rewards.solver_reward(right, overlap, none, none, weights, torch.tensor([True]), mine).item()
    assert when == pytest.approx(ans * (1 + bonus), abs=1e-6)
    asked = [torch.tensor([[True]]), *[torch.tensor([[0.25]])] * 5, torch.tensor([[shown]])]
    own = QuestionerWeights(extra={"a": weight, "b": 0.5})
    plain = rewards.questioner_reward(*asked, own).item()
    assert rewards.questioner_reward(*asked, own, mine).item() == pytest.approx(plain + shown * bonus, abs=1e-6)
