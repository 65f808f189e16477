"""The answer head: similarity before training, one option as good as another in its place, silence without a video."""

from dataclasses import replace

import pytest
import torch

from tevo.heads.answer import AnswerHead, span_facts
from tevo.heads.cues import around, describe
from tevo.heads.evidence import HeadConfig, HierarchicalEvidenceHead
from tevo.structures import VideoTokens

JOINT = 12


def heads(shake=None, **changes):
    config = HeadConfig(hidden=32, **changes)
    evidence, answer = HierarchicalEvidenceHead(JOINT, JOINT, config).eval(), AnswerHead(JOINT, config).eval()
    return (shake(evidence), shake(answer)) if shake else (evidence, answer)


def reply(pair, tokens, queries, spans, mask):
    state = pair[0].watch(tokens, tokens.values)
    return pair[1](state, pair[0](state, queries), queries, spans, mask)


def some_spans(questions):
    """Three rollouts a question: one span, two spans, none; what is masked may be anything."""
    spans = torch.tensor([[[3.0, 5.0], [4.0, 8.0]], [[4.0, 6.0], [8.0, 9.5]], [[0.0, 0.0], [2.0, 9.0]]])
    mask = torch.tensor([[True, False], [True, True], [False, False]])
    return spans.repeat(questions, 1, 1, 1), mask.repeat(questions, 1, 1)


def test_before_training_it_is_similarity(make_tokens, make_queries, shaken):
    evidence, answer = heads()
    shaken(evidence)
    shaken(answer.read)
    tokens, queries = make_tokens([20, 15]), make_queries([0, 1, 1])
    spans, mask = some_spans(3)
    logits = reply((evidence, answer), tokens, queries, spans, mask)
    joint = tokens.values[queries.rows]
    inside, before, after = around(tokens.spans[queries.rows], tokens.mask[queries.rows], spans[:, 0, :1], 1.5)
    shown = describe(joint, tokens.mask[queries.rows], inside, before, after)[:, 0]
    wanted = 10.0 * torch.einsum("qj,qoj->qo", shown, queries.options)
    torch.testing.assert_close(logits[:, 0], wanted)


def test_options_change_places_with_their_logits(make_tokens, make_queries, shaken):
    pair, tokens, queries = heads(shaken), make_tokens([20]), make_queries([0, 0])
    queries.option_mask[1, 3] = False
    order = torch.tensor([2, 3, 0, 1])
    moved = replace(queries, options=queries.options[:, order], option_mask=queries.option_mask[:, order])
    straight = reply(pair, tokens, queries, *some_spans(2))
    torch.testing.assert_close(reply(pair, tokens, moved, *some_spans(2)), straight[..., order], atol=2e-5, rtol=1e-4)
    probs = straight.softmax(-1)
    assert not probs[1, :, 3].any()
    assert probs[0].std() > 0


def test_the_answer_is_read_from_the_evidence_and_its_context(make_tokens, make_queries, shaken):
    """Beyond the spans and their context only the question-aware layers could carry anything: here they do not."""
    pair, tokens, queries = heads(), make_tokens([40]), make_queries([0])
    shaken(pair[1].read)
    spans, mask = torch.tensor([[[[6.0, 8.0]]]]), torch.tensor([[[True]]])
    seen = reply(pair, tokens, queries, spans, mask)
    far, near = tokens.values.clone(), tokens.values.clone()
    middle = tokens.spans[0].mean(-1)
    far[0, middle > 8 + 1.6] *= -1
    near[0, (middle > 6) & (middle < 8)] *= -1
    torch.testing.assert_close(reply(pair, VideoTokens(far, tokens.spans, tokens.mask), queries, spans, mask), seen)
    changed = reply(pair, VideoTokens(near, tokens.spans, tokens.mask), queries, spans, mask)
    assert not torch.allclose(changed, seen, atol=0.1)


def test_without_evidence_attention_it_reads_the_whole_video(make_tokens, make_queries):
    pair, tokens, queries = heads(evidence_attention=False), make_tokens([40]), make_queries([0])
    spans, mask = torch.tensor([[[[6.0, 8.0]], [[12.0, 15.0]]]]), torch.ones(1, 2, 1, dtype=torch.bool)
    far = tokens.values.clone()
    far[0, 36:] *= -1
    seen = reply(pair, tokens, queries, spans, mask)
    assert not torch.allclose(reply(pair, VideoTokens(far, tokens.spans, tokens.mask), queries, spans, mask), seen)


def test_no_video_gives_equal_probabilities_at_initialisation(make_tokens, make_queries):
    pair, tokens, queries = heads(), make_tokens([20, 9]), make_queries([0, 1])
    tokens.mask[:] = False
    probs = reply(pair, tokens, queries, *some_spans(2)).softmax(-1)
    torch.testing.assert_close(probs, torch.full_like(probs, 0.25))


def test_padding_and_company_change_nothing(make_tokens, make_queries, shaken):
    pair, queries = heads(shaken), make_queries([0, 1, 0])
    tight, padded = make_tokens([14, 30]), make_tokens([14, 30], width=45)
    spans, mask = some_spans(3)
    together = reply(pair, tight, queries, spans, mask)
    torch.testing.assert_close(reply(pair, padded, queries, spans, mask), together, atol=3e-5, rtol=1e-4)
    one = torch.tensor([2])
    alone = reply(pair, make_tokens([14]), queries.take(one), spans[:1], mask[:1])
    torch.testing.assert_close(alone, together[one], atol=3e-5, rtol=1e-4)


def test_gradients_are_finite_without_a_valid_token(make_tokens, make_queries, shaken):
    pair, tokens, queries = heads(shaken), make_tokens([10, 10]), make_queries([0, 1])
    tokens.mask[1] = False
    reply(pair, tokens, queries, *some_spans(2)).log_softmax(-1)[..., 0].sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for head in pair for p in head.parameters())


def test_span_facts_are_number_and_lengths():
    spans, mask = some_spans(1)
    facts = span_facts(spans, mask)[0]
    assert facts[:, 0].tolist() == [1, 2, 0]
    assert facts[:, 1].expm1().tolist() == pytest.approx([2.0, 3.5, 0.0])
    assert facts[:, 2].expm1().tolist() == pytest.approx([2.0, 2.0, 0.0])
    assert facts[:, 3].tolist() == pytest.approx([0.2, 0.175, 0.0])
