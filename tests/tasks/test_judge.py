"""Examining questions: the vote, and what of the answer is left when its reasons are taken away."""

import pytest
import torch

from tevo.heads.evidence import HeadConfig
from tevo.heads.queries import encode_queries, pad_spans
from tevo.structures import Question, Span, VideoTokens
from tevo.tasks.judge import Judge, compact, jitter
from tevo.tasks.solver import Solver, SolverConfig
from tevo.video.interventions import keep_spans

EVENTS = [(0, 4, 7), (3, 14, 17), (5, 24, 27)]
SMALL = SolverConfig(head=HeadConfig(hidden=16, attention_heads=2, relation_layers=1))


@pytest.fixture
def policy(concepts):
    torch.manual_seed(0)
    return Solver(concepts.spec.dim, concepts.spec.dim, concepts, SMALL).policy


@pytest.fixture
def judge(policy, concepts):
    return Judge(policy, concepts, num_votes=10, views=2)


@pytest.fixture
def questions(clauses):
    four, three = (clauses[0], clauses[3], clauses[5], clauses[1]), (clauses[5], clauses[2], clauses[4])
    return [
        Question("a", "0.mp4", "What happens between 12 s and 19 s?", "what", four, clauses[3], (Span(13.0, 18.0),)),
        Question("b", "0.mp4", f"When does this happen: {clauses[5]}?", "when", (), "", (Span(23.0, 28.0),)),
        Question("c", "0.mp4", "What happens last?", "last", three, clauses[5], (Span(23.0, 28.0),)),
    ]


def examine(judge, videos, questions, seed=0, **options):
    rows = torch.zeros(len(questions), dtype=torch.long)
    return judge.put(videos, questions, rows, torch.Generator().manual_seed(seed), **options)


def test_without_a_video_an_untrained_policy_guesses(judge, scene, questions):
    seen = examine(judge, scene(EVENTS), questions)
    torch.testing.assert_close(seen.without_video, torch.tensor([1 / 4, 0.0, 1 / 3]))


def test_an_untrained_policy_sees_what_can_be_seen(judge, scene, questions):
    seen = examine(judge, scene(EVENTS), questions)
    assert seen.consensus.answer.tolist()[:1] == [1]
    assert float(seen.with_video[0]) > 0.8 and float(seen.with_video[1]) > 0.5
    assert Span(*seen.consensus.spans[1, 0].tolist()).overlaps(questions[1].evidence[0])


def test_what_hides_the_evidence_lowers_the_score(judge, scene, questions):
    seen = examine(judge, scene(EVENTS), questions)
    assert (seen.masked[:2] < seen.with_video[:2] - 0.3).all()
    assert (seen.shuffled[:2] < seen.with_video[:2]).all()
    signals = seen.signals()
    torch.testing.assert_close(signals["necessity"], seen.with_video - seen.masked)
    torch.testing.assert_close(signals["specificity"], seen.key - seen.random)
    assert (signals["dependency"][:2] > 0.3).all()


def test_what_hides_something_else_does_not(judge, scene, questions, clauses):
    elsewhere = [Question("a", "0.mp4", q.text, q.kind, q.options, q.answer, (Span(8.0, 11.0),)) for q in questions[:1]]
    seen = examine(judge, scene(EVENTS), elsewhere)
    assert float(seen.masked[0]) > float(seen.with_video[0]) - 0.2


def test_the_evidence_and_its_surroundings_are_enough(judge, scene, questions):
    wide = [Question("a", "0.mp4", q.text, q.kind, q.options, q.answer, (Span(10.0, 20.0),)) for q in questions[:1]]
    seen = examine(judge, scene(EVENTS), wide)
    assert float(seen.key[0]) > float(seen.random[0]) + 0.3


def test_scores_are_shares_and_the_votes_are_shared_by_the_views(judge, scene, questions, shaken):
    shaken(judge.policy)
    seen = examine(judge, scene(EVENTS), questions)
    scores = torch.stack([seen.with_video, seen.without_video, seen.shuffled, seen.masked, seen.key, seen.random])
    assert ((scores >= 0) & (scores <= 1 + 1e-6)).all()
    assert seen.votes.shape == (3, 10) and seen.spans.shape[:2] == (3, 10)
    assert seen.votes[1].tolist() == [-1] * 10  # the answer to "when" is the spans
    odd = Judge(judge.policy, judge.encoder, num_votes=7, views=3)
    assert examine(odd, scene(EVENTS), questions).votes.shape == (3, 7)


def test_the_dear_controls_can_be_left_out_without_a_change_of_the_rest(judge, scene, questions, shaken):
    shaken(judge.policy)
    all_of_them, few = (examine(judge, scene(EVENTS), questions, controls=controls) for controls in (True, False))
    assert few.masked.isnan().all() and few.shuffled.isnan().all()
    for name in ("votes", "spans", "with_video", "without_video", "key", "random"):
        torch.testing.assert_close(getattr(all_of_them, name), getattr(few, name), rtol=0, atol=0)


def test_the_same_seed_gives_the_same_votes(judge, scene, questions, shaken):
    shaken(judge.policy)
    one, same, other = (examine(judge, scene(EVENTS), questions, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.spans, same.spans) and torch.equal(one.random, same.random)
    assert not torch.equal(one.spans, other.spans)


def test_the_judge_changes_nothing(judge, scene, questions, shaken):
    shaken(judge.policy).train()
    before = [weight.clone() for weight in judge.policy.parameters()]
    seen = examine(judge, scene(EVENTS), questions)
    assert judge.policy.training
    assert not seen.with_video.requires_grad
    assert all(torch.equal(*pair) for pair in zip(before, judge.policy.parameters(), strict=True))


def test_videos_that_start_late_are_examined_in_their_own_seconds(judge, scene, clauses):
    events = [(3, 14, 17)]
    options = (clauses[0], clauses[3], clauses[5], clauses[1])
    asked = [
        Question("", "0.mp4", f"What happens between {a} s and {b} s?", "what", options, clauses[3], (Span(c, d),))
        for a, b, c, d in [(12, 19, 14.0, 17.0), (112, 119, 114.0, 117.0)]
    ]
    early, late = examine(judge, scene(events), asked[:1]), examine(judge, scene(events, start_s=100.0), asked[1:])
    for name in ("with_video", "masked", "key"):
        torch.testing.assert_close(getattr(early, name), getattr(late, name), rtol=0, atol=0.05)


# --- views ---


def test_a_view_leaves_some_tokens_out_and_never_all(scene):
    tokens = scene(EVENTS, []).tokens
    view = jitter(tokens, 0.3, torch.Generator().manual_seed(0))
    assert 0.15 < 1 - float(view.mask.float().mean()) < 0.45
    assert view.values is tokens.values and not (view.mask & ~tokens.mask).any()
    assert jitter(tokens, 0.0, None) is tokens
    nothing_left = jitter(tokens, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(nothing_left.mask, tokens.mask)


def test_a_view_shows_no_token_that_was_not_there(scene):
    tokens = scene(EVENTS).tokens
    hidden = VideoTokens(tokens.values, tokens.spans, torch.arange(32)[None] < 9)
    assert not jitter(hidden, 0.2, torch.Generator().manual_seed(0)).mask[:, 9:].any()


def test_compact_keeps_what_is_seen_in_its_order(scene):
    tokens = scene(EVENTS, EVENTS).tokens
    mask = torch.zeros(2, 32, dtype=torch.bool)
    mask[0, [3, 9, 20]] = True
    small = compact(VideoTokens(tokens.values, tokens.spans, mask))
    assert small.mask.tolist() == [[True] * 3, [False] * 3]
    assert torch.equal(small.values[0], tokens.values[0, [3, 9, 20]])
    assert torch.equal(small.spans[0], tokens.spans[0, [3, 9, 20]])


@pytest.mark.parametrize("trained", [False, True])
def test_a_crop_is_judged_the_same_with_and_without_its_hidden_tokens(
    policy, concepts, scene, questions, shaken, trained
):
    """Of a stretch, to the last digits; a trained policy's coarse windows begin elsewhere, unless at second 0."""
    if trained:
        shaken(policy, 0.05)
    policy.eval()
    spans, mask = pad_spans([(Span(0.0, 16.0) if trained else Span(13.0, 19.0),)] * 3)
    queries = encode_queries(questions, torch.arange(3), concepts)
    tokens = keep_spans(scene(EVENTS).tokens.take(torch.zeros(3, dtype=torch.long)), spans, mask)
    target = torch.tensor([[14.0, 17.0]]).expand(3, -1)
    found = []
    for part in (tokens, compact(tokens)):
        state = policy.watch(part, concepts.project(part.values))
        best = policy.predict(state, queries)
        found.append((best.option_probs, best.spans, policy.span_probs(state, queries, target)))
    assert compact(tokens).mask.shape[1] == (16 if trained else 6)
    for whole, small in zip(*found, strict=True):
        torch.testing.assert_close(whole, small, rtol=1e-4, atol=1e-5)
