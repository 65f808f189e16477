"""Head losses against loops."""

import math

import pytest
import torch

from tevo.objectives.grounding import SOFTNESS, answer_loss, grid_iou, saliency_loss, span_likelihood_loss

TOKENS = 6
IMPOSSIBLE = -1e4


def case(seed=0, questions=3):
    """Energies over spans of valid tokens (one token masked), seconds of the tokens, and targets."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.arange(TOKENS) * 1.5 + 1.4
    token_spans = torch.stack([start, start + 1.5], -1).repeat(questions, 1, 1)
    energy = torch.randn(questions, TOKENS, TOKENS, generator=generator)
    allowed = torch.ones(TOKENS, TOKENS).triu().bool()
    allowed[2], allowed[:, 2] = False, False
    target = torch.tensor([[2.0, 5.5], [1.4, 10.4], [7.0, 7.9]])[:questions]
    return torch.where(allowed, energy, IMPOSSIBLE), token_spans, target


def iou(a, b):
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (a[1] - a[0] + b[1] - b[0] - shared)


def test_grid_iou_equals_a_loop():
    _, token_spans, target = case()
    grid = grid_iou(token_spans, target)
    for q in range(3):
        for i in range(TOKENS):
            for j in range(i, TOKENS):
                span = (float(token_spans[q, i, 0]), float(token_spans[q, j, 1]))
                assert float(grid[q, i, j]) == pytest.approx(iou(span, target[q].tolist()), abs=1e-5)


@pytest.mark.parametrize("softness", [SOFTNESS, 0.5])
def test_span_likelihood_equals_a_loop(softness):
    pairs, token_spans, target = case()
    loss = span_likelihood_loss(pairs, token_spans, target, softness)
    for q in range(3):
        spans = [(i, j) for i in range(TOKENS) for j in range(i, TOKENS) if pairs[q, i, j] > IMPOSSIBLE / 2]
        log_mass = math.log(sum(math.exp(float(pairs[q, i, j])) for i, j in spans))
        seconds = {(i, j): (float(token_spans[q, i, 0]), float(token_spans[q, j, 1])) for i, j in spans}
        overlap = {span: iou(seconds[span], target[q].tolist()) for span in spans}
        weight = {span: math.exp(value / softness) for span, value in overlap.items() if value > 0}
        total = sum(weight.values())
        wanted = -sum(w / total * (float(pairs[q][span]) - log_mass) for span, w in weight.items())
        assert float(loss[q]) == pytest.approx(wanted, abs=1e-4)


def test_span_likelihood_is_least_where_the_mass_is_on_the_target():
    pairs, token_spans, target = case(questions=1)
    best = grid_iou(token_spans, target).where(pairs > IMPOSSIBLE / 2, torch.tensor(-1.0)).flatten().argmax()
    sharp = pairs.clone().flatten(1)
    sharp[0, best] += 5
    assert span_likelihood_loss(sharp.view_as(pairs), token_spans, target) < span_likelihood_loss(
        pairs, token_spans, target
    )


@pytest.mark.parametrize("everything_masked", [True, False])
def test_a_target_that_nothing_overlaps_teaches_nothing(everything_masked):
    pairs, token_spans, target = case()
    if everything_masked:
        pairs = torch.full_like(pairs, IMPOSSIBLE)
    else:
        target = torch.tensor([[500.0, 510.0]] * 3)
    pairs.requires_grad_()
    loss = span_likelihood_loss(pairs, token_spans, target)
    loss.sum().backward()
    assert loss.tolist() == [0.0] * 3
    assert not pairs.grad.any()


def test_saliency_equals_a_loop():
    generator = torch.Generator().manual_seed(4)
    _, token_spans, _ = case()
    logits, mask = torch.randn(3, TOKENS, generator=generator), torch.ones(3, TOKENS, dtype=torch.bool)
    mask[0, 1], mask[1, 4] = False, False
    targets = torch.tensor([[[2.0, 5.5], [8.0, 10.0]], [[1.4, 2.9], [0.0, 99.0]], [[3.0, 3.1], [0.0, 0.0]]])
    target_mask = torch.tensor([[True, True], [True, False], [True, False]])
    loss = saliency_loss(logits, token_spans, mask, targets, target_mask)
    for q in range(3):
        sides = {True: [], False: []}
        for t in range(TOKENS):
            middle = float(token_spans[q, t].mean())
            spans = [targets[q, k].tolist() for k in range(2) if target_mask[q, k]]
            hit = any(low <= middle <= high for low, high in spans)
            probability = 1 / (1 + math.exp(-float(logits[q, t])))
            if mask[q, t]:
                sides[hit].append(-math.log(probability if hit else 1 - probability))
        wanted = sum(sum(side) / max(len(side), 1) for side in sides.values()) / 2
        assert float(loss[q]) == pytest.approx(wanted, abs=1e-5)


def test_saliency_is_finite_without_a_valid_token():
    _, token_spans, target = case()
    logits = torch.randn(3, TOKENS).requires_grad_()
    mask = torch.zeros(3, TOKENS, dtype=torch.bool)
    loss = saliency_loss(logits, token_spans, mask, target[:, None], torch.ones(3, 1, dtype=torch.bool))
    loss.sum().backward()
    assert loss.tolist() == [0.0] * 3
    assert not logits.grad.any()


def test_answer_loss_equals_a_loop_and_leaves_questions_without_answer_alone():
    logits = torch.tensor([[0.2, 1.0, -1.0, -1e4], [0.5, 0.1, 0.3, 0.0], [-1e4, -1e4, -1e4, -1e4]]).requires_grad_()
    answer = torch.tensor([1, 3, -1])
    loss = answer_loss(logits, answer, answer >= 0)
    for q, right in ((0, 1), (1, 3)):
        row = logits[q].tolist()
        wanted = math.log(sum(math.exp(value) for value in row)) - row[right]
        assert loss[q].item() == pytest.approx(wanted, abs=1e-5)
    loss.sum().backward()
    assert loss[2].item() == 0.0
    assert not logits.grad[2].any()
    assert logits.grad.isfinite().all()
