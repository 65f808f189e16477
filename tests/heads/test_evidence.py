"""The evidence head: zero-shot before training, the same in any company, blind to what is masked."""

from dataclasses import replace

import pytest
import torch

from tevo.errors import TevoError
from tevo.heads.cues import activity
from tevo.heads.evidence import (
    PRIORS,
    SEGMENT_TOKENS,
    HeadConfig,
    HierarchicalEvidenceHead,
    phrase_cues,
    relative_place,
)
from tevo.heads.spans import draw_spans
from tevo.structures import VideoTokens

JOINT = 12
PARTS = ("start", "end", "inside", "more")


def small(**changes):
    return HierarchicalEvidenceHead(JOINT, JOINT, HeadConfig(hidden=32, **changes)).eval()


def look(head, tokens, queries):
    return head(head.watch(tokens, tokens.values), queries)


def assert_same(first, second, mask):
    for name in ("start", "end", "inside"):
        torch.testing.assert_close(getattr(first, name)[mask], getattr(second, name)[mask], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(first.more, second.more, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("prior", PRIORS)
def test_before_training_it_is_the_zero_shot_backbone(prior, make_tokens, make_queries, shaken):
    head = small(prior=prior)
    last = ("frame_out", "segment_out", "more_out", "trust", "meaning")
    for name, part in head.named_children():
        if name not in last:
            shaken(part)
    tokens, queries = make_tokens([20, 13]), make_queries([0, 1, 1, 0, 0])
    evidence = look(head, tokens, queries)
    mask = tokens.mask[queries.rows]
    active = activity(tokens.values, tokens.mask)[queries.rows]
    cues = phrase_cues(tokens.values[queries.rows], active, queries, mask, head.config.cue_width)
    wanted = head.config.prior_scale * (cues[prior] - head.config.prior_threshold)
    assert torch.equal(evidence.logits.inside[mask], wanted[mask])
    assert not evidence.logits.start.any()
    assert not evidence.logits.end.any()
    assert not evidence.logits.more.any()


def test_questions_do_not_see_one_another(make_tokens, make_queries, shaken):
    head, tokens = shaken(small()), make_tokens([20, 13, 17])
    queries = make_queries([0, 1, 1, 2, 0, 2])
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    straight, shuffled = look(head, tokens, queries), look(head, tokens, queries.take(order))
    mask = tokens.mask[queries.rows[order]]
    assert_same(straight.logits.take(order), shuffled.logits, mask)
    one = torch.tensor([4])
    assert_same(straight.logits.take(one), look(head, tokens, queries.take(one)).logits, tokens.mask[queries.rows[one]])


@pytest.mark.parametrize("length", [3, 9, 16, 21])
def test_padding_changes_nothing(length, make_tokens, make_queries, shaken):
    head, queries = shaken(small()), make_queries([0, 0, 0, 0])
    alone, padded = make_tokens([length]), make_tokens([length], width=length + 19)
    first, second = look(head, alone, queries), look(head, padded, queries)
    mask = alone.mask[queries.rows]
    assert_same(first.logits, replace_width(second.logits, length), mask)
    torch.testing.assert_close(first.hidden, second.hidden[:, :length], atol=2e-5, rtol=1e-4)


def replace_width(logits, length):
    cut = {name: getattr(logits, name)[:, :length] for name in ("start", "end", "inside", "mask")}
    return replace(logits, **cut)


def test_masked_tokens_have_no_say(make_tokens, make_queries, shaken):
    """Whatever stands in a masked token (its values, not its time), the rest of the video reads the same."""
    head, tokens, queries = shaken(small()), make_tokens([24]), make_queries([0, 0, 0])
    tokens.mask[0, 8:13] = False
    other = tokens.values.clone()
    other[0, 8:13] = 5 * torch.randn(5, JOINT, generator=torch.Generator().manual_seed(9))
    mask = tokens.mask[queries.rows]
    seen = look(head, tokens, queries)
    assert_same(seen.logits, look(head, VideoTokens(other, tokens.spans, tokens.mask), queries).logits, mask)
    unmasked = VideoTokens(other, tokens.spans, torch.ones_like(tokens.mask))
    assert not torch.allclose(look(head, unmasked, queries).logits.inside[mask], seen.logits.inside[mask], atol=1e-2)


@pytest.mark.parametrize("relation", [True, False])
def test_far_frames_meet_only_through_the_relation_level(relation, make_tokens, make_queries, shaken):
    head, tokens, queries = shaken(small(relation=relation)), make_tokens([60]), make_queries([0, 0])
    state = head.watch(tokens, tokens.values)
    hidden = state.hidden.detach().requires_grad_()
    logits = head(replace(state, hidden=hidden), queries).logits
    (logits.start + logits.end + logits.inside)[:, 5].sum().backward()
    reach = hidden.grad.abs().sum((0, 2)) > 1e-9
    assert reach[5]
    assert reach[5 + max(SEGMENT_TOKENS) :].any() == relation


def test_relation_level_sees_far_frames_of_the_video_too(make_tokens, shaken):
    tokens = make_tokens([40])
    values = tokens.values.requires_grad_()
    for relation in (True, False):
        state = shaken(small(relation=relation)).watch(tokens, tokens.values)
        (reached,) = torch.autograd.grad(state.hidden[0, 3].pow(2).sum(), values)
        assert reached[0, 20:].any() == relation


def test_named_seconds_hold_the_evidence(make_tokens, make_queries):
    tokens, queries = make_tokens([30]), make_queries([0, 0], kinds=["what", "what"])
    queries = replace(queries, within=torch.tensor([[5.0, 8.0], [90.0, 99.0]]))
    logits = look(small(), tokens, queries).logits
    middle = tokens.spans[0].mean(-1)
    assert torch.equal(logits.mask[0], (middle >= 5) & (middle <= 8))
    assert logits.mask[1].all()  # no token there: the seconds tell nothing
    draws = draw_spans(logits, queries.max_spans, 50, torch.Generator().manual_seed(0))
    assert logits.mask[0][draws.index[0]].all()


def test_a_question_without_a_clause_follows_activity(make_tokens, make_queries):
    tokens, queries = make_tokens([30]), make_queries([0], kinds=["first"])
    head = small(prior="state")
    logits = look(head, tokens, replace(queries, phrase=torch.zeros_like(queries.phrase))).logits
    wanted = head.config.prior_scale * (activity(tokens.values, tokens.mask) - head.config.prior_threshold)
    torch.testing.assert_close(logits.inside, wanted)


def test_gradients_are_finite_without_a_valid_token(make_tokens, make_queries, shaken):
    head, tokens, queries = shaken(small()), make_tokens([10, 10]), make_queries([0, 1])
    tokens.mask[1] = False
    evidence = look(head, tokens, queries)
    sum(getattr(evidence.logits, name).sum() for name in PARTS).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in head.parameters())


def test_place_is_by_time_among_valid_tokens():
    times = torch.tensor([[0.5, 2.0, 3.0, 4.0, 9.0], [7.0, 8.0, 0.0, 0.0, 0.0]])
    mask = torch.tensor([[False, True, True, True, False], [True, False, False, False, False]])
    assert relative_place(times, mask).tolist() == [[0.0, -1.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("changes", "hint"), [({"prior": "best"}, "state, change, peak"), ({"hidden": 36}, "multiple")]
)
def test_impossible_sizes_are_refused(changes, hint):
    with pytest.raises(TevoError, match=hint):
        HeadConfig(**changes)
