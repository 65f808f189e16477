"""Spans and answer as one policy: rollouts, their log-probabilities, and predictions."""

from dataclasses import replace

import pytest
import torch

from tevo.heads.evidence import HeadConfig
from tevo.heads.policy import GroundedPolicy
from tevo.heads.spans import least_risk_spans, pair_logits
from tevo.ops import span_iou
from tevo.structures import Role

JOINT = 12
KINDS = ["count", "when", "before", "what"]


@pytest.fixture
def scene(make_tokens, make_queries, shaken):
    """A policy whose layers all say something, two videos of different length, four questions; *when* has no option."""
    policy = shaken(GroundedPolicy(JOINT, JOINT, HeadConfig(hidden=32)))
    queries = make_queries([0, 1, 1, 0], kinds=KINDS)
    queries.option_mask[1] = False
    tokens = make_tokens([16, 24])
    return policy, policy.watch(tokens, tokens.values), queries


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_rollouts_carry_their_own_log_probabilities(scene):
    policy, state, queries = scene
    sampled = policy.rollout(state, queries, 8, seeded())
    again = policy.log_probs(state, queries, sampled)
    torch.testing.assert_close(again.log_probs, sampled.rollouts.log_probs)
    assert torch.equal(again.mask, sampled.rollouts.mask)
    assert again.log_probs.requires_grad
    assert (again.log_probs[again.mask] <= 0).all()


def test_roles_go_by_the_action(scene):
    policy, state, queries = scene
    rollouts = policy.rollout(state, queries, 8, seeded()).rollouts
    assert (rollouts.roles[..., :-1] == Role.EVIDENCE).all()
    assert (rollouts.roles[..., -1] == Role.ANSWER).all()
    assert rollouts.mask[..., -1].any(-1).tolist() == [True, False, True, True]  # a when question has no answer to give
    assert (rollouts.answers[1] == -1).all()
    assert ((rollouts.answers[0] >= 0) & (rollouts.answers[0] < 4)).all()
    assert rollouts.span_mask.sum(-1).amax(-1)[1:].tolist() == [1, 1, 1]


def test_spans_lie_on_the_tokens_of_their_own_video(scene):
    policy, state, queries = scene
    rollouts = policy.rollout(state, queries, 8, seeded()).rollouts
    for question, row in enumerate(queries.rows.tolist()):
        seen = state.tokens.spans[row][state.tokens.mask[row]]
        for start, end in rollouts.spans[question][rollouts.span_mask[question]].tolist():
            assert start < end
            assert start in seen[:, 0].tolist()
            assert end in seen[:, 1].tolist()


def test_the_prediction_is_the_span_of_least_risk_and_of_several_the_greedy_ones(scene):
    policy, state, queries = scene
    evidence = policy.evidence(state, queries)
    best = policy.rollout(state, queries, 1, greedy=True).rollouts
    found = policy.predict(state, queries)
    several = queries.max_spans > 1
    assert several.any() and not several.all()
    assert torch.equal(found.span_mask, best.span_mask[:, 0])
    assert torch.equal(found.spans[several], best.spans[several, 0])
    token_spans = state.tokens.spans[queries.rows]
    first, last = least_risk_spans(pair_logits(evidence.logits), token_spans).unbind(-1)
    rows = torch.arange(len(first))
    wanted = torch.stack([token_spans[rows, first, 0], token_spans[rows, last, 1]], -1)
    assert torch.equal(found.spans[~several, 0], wanted[~several])
    torch.testing.assert_close(found.option_probs.sum(-1), torch.ones(4))
    assert ((found.span_scores > 0) == found.span_mask).all()
    assert (found.span_scores <= 1 + 1e-5).all()


def test_span_probability_equals_sampling_and_enumeration(scene):
    policy, state, queries = scene
    evidence = policy.evidence(state, queries)
    target = torch.tensor([[2.0, 5.0], [4.0, 4.6], [3.0, 9.0], [50.0, 60.0]])
    exact = policy.span_probs(state, queries, target, evidence=evidence)
    drawn = policy.rollout(state, queries, 3000, seeded(), evidence=evidence).rollouts
    near = span_iou(drawn.spans[:, :, 0], target[:, None]) >= 0.5
    torch.testing.assert_close(exact, near.float().mean(1), atol=0.03, rtol=0)
    assert exact[3] == 0


def test_answer_probabilities_are_a_mean_over_evidence(scene):
    policy, state, queries = scene
    probs = policy.answer_probs(state, queries, 6, seeded())
    sampled = policy.rollout(state, queries, 6, seeded())
    evidence = policy.evidence(state, queries)
    every = policy.answer(state, evidence, queries, sampled.rollouts.spans, sampled.rollouts.span_mask).softmax(-1)
    torch.testing.assert_close(probs, every.mean(1))


def test_a_question_is_the_same_in_any_company(scene):
    policy, state, queries = scene
    sampled = policy.rollout(state, queries, 5, seeded())
    together, best = policy.log_probs(state, queries, sampled), policy.predict(state, queries)
    for question in range(1, 4):
        one = torch.tensor([question])
        rollouts = replace(sampled.rollouts, **{
            name: getattr(sampled.rollouts, name)[one] for name in ("log_probs", "roles", "mask", "answers")
        }, spans=sampled.rollouts.spans[one, :, :1], span_mask=sampled.rollouts.span_mask[one, :, :1])  # fmt: skip
        alone = policy.log_probs(
            state, queries.take(one), replace(sampled, rollouts=rollouts, index=sampled.index[one, :, :1])
        )
        torch.testing.assert_close(alone.log_probs.sum(-1), together.log_probs[one].sum(-1), atol=1e-4, rtol=1e-4)
        found = policy.predict(state, queries.take(one))
        assert torch.equal(found.spans[0, 0], best.spans[question, 0])
        torch.testing.assert_close(found.option_probs[0], best.option_probs[question], atol=1e-4, rtol=1e-4)


def test_no_video_gives_no_span_and_no_preference_before_training(make_tokens, make_queries):
    policy = GroundedPolicy(JOINT, JOINT, HeadConfig(hidden=32)).eval()
    tokens, queries = make_tokens([20, 12]), make_queries([0, 1, 0], kinds=["before", "count", "when"])
    tokens.mask[:] = False
    state = policy.watch(tokens, tokens.values)
    assert not policy.rollout(state, queries, 4, seeded()).rollouts.span_mask.any()
    torch.testing.assert_close(policy.answer_probs(state, queries, 4, seeded()), torch.full((3, 4), 0.25))
    assert not policy.span_probs(state, queries, torch.tensor([[0.0, 30.0]]).repeat(3, 1)).any()


def test_gradients_reach_both_heads_and_stay_finite(scene):
    policy, state, queries = scene
    tokens = state.tokens
    tokens.mask[0] = False  # of one video nothing was seen
    again = policy.watch(tokens, tokens.values)
    sampled = policy.rollout(again, queries, 4, seeded())
    policy.log_probs(again, queries, sampled).log_probs.sum().backward()
    grads = {name: p.grad for name, p in policy.named_parameters()}
    assert all(grad is None or grad.isfinite().all() for grad in grads.values())
    assert grads["answer.out.weight"].any()
    assert grads["evidence.frame_out.weight"].any()
