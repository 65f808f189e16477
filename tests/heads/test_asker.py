"""The Questioner's policy: honest log-probabilities, kinds within what is allowed, neighbours as anchors."""

import random

import pytest
import torch

from tevo.heads.asker import ASKABLE, Asker, CueWeights, Segments, look, semantic_cue, temporal_cue
from tevo.prompts.compose import Named, compose
from tevo.structures import Span

JOINT, BANK = 12, 9


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def bank():
    return torch.nn.functional.normalize(torch.randn(BANK, JOINT, generator=seeded(3)), dim=-1)


@pytest.fixture
def segments(make_tokens):
    """Three videos of forty tokens: with five events, with one, with none."""
    tokens = make_tokens([40, 40, 40])
    start = torch.tensor([2.0, 5.0, 9.0, 13.0, 18.0])
    spans = torch.stack([start, start + 1.5], -1).repeat(3, 1, 1)
    mask = torch.tensor([[True] * 5, [True] + [False] * 4, [False] * 5])
    spans = spans * mask[..., None]
    saliency = torch.rand(3, 5, generator=seeded(1)) * mask
    return look(tokens, tokens.values, spans, spans, mask, saliency, bank(), 1.5, 10.0)


def test_scoring_gives_the_log_probs_of_the_draw(segments, shaken):
    asker = shaken(Asker(JOINT))
    drawn = asker.choose(segments, bank(), ASKABLE, 16, seeded())
    again = asker.choose(segments, bank(), ASKABLE, 16, given=drawn)
    for name in ("kind", "target", "anchor", "clause", "anchor_clause", "log_probs", "actions"):
        assert torch.equal(getattr(drawn, name), getattr(again, name)), name
    assert (drawn.log_probs <= 0).all()
    assert not drawn.log_probs[~drawn.actions].any()
    assert torch.equal(drawn.actions[..., 2], drawn.anchor != drawn.target)
    assert drawn.actions[..., 2].any()


def test_log_probs_are_those_of_the_choices(segments, shaken):
    """Against the logits, choice by choice."""
    asker = shaken(Asker(JOINT))
    drawn = asker.choose(segments, bank(), ("when", "why", "before"), 30, seeded())
    value, clauses = asker.logits(segments, bank())
    for g in range(30):
        target, kind, anchor = (int(part[0, g]) for part in (drawn.target, drawn.kind, drawn.anchor))
        fitting = value[0, :4] if ASKABLE[kind] == "before" else value[0]  # the last of five has none after it
        wanted = [fitting.log_softmax(-1)[target], clauses[0, target].log_softmax(-1)[drawn.clause[0, g]]]
        if anchor != target:
            wanted.append(clauses[0, anchor].log_softmax(-1)[drawn.anchor_clause[0, g]])
        torch.testing.assert_close(drawn.log_probs[0, g, : len(wanted)], torch.stack(wanted))


def test_kinds_are_as_likely_however_the_asker_has_been_trained(segments, shaken):
    drawn = shaken(Asker(JOINT)).choose(segments, bank(), ("when", "count", "duration"), 3000, seeded())
    shares = torch.bincount(drawn.kind[0], minlength=len(ASKABLE)) / 3000
    for name in ("when", "count", "duration"):
        assert shares[ASKABLE.index(name)] == pytest.approx(1 / 3, abs=0.04)


def test_a_group_of_one_kind_is_of_any_of_those_allowed(segments, shaken):
    asker = shaken(Asker(JOINT))
    seen = set()
    for seed in range(40):
        kind = asker.choose(segments, bank(), ("when", "count", "duration"), 6, seeded(seed), one_kind=True).kind
        assert (kind == kind[:, :1]).all()
        seen |= {ASKABLE[index] for index in kind[0].tolist()}
    assert seen == {"when", "count", "duration"}


@pytest.mark.parametrize("kinds", [("when",), ("first",), ("before", "after"), ("what", "last"), ASKABLE])
def test_kinds_stay_within_those_allowed(kinds, segments, shaken):
    drawn = shaken(Asker(JOINT)).choose(segments, bank(), kinds, 64, seeded())
    assert {ASKABLE[kind] for kind in drawn.kind.flatten().tolist()} <= set(kinds)


def test_feasible_kinds_are_preferred_and_anchors_are_neighbours(segments, shaken):
    drawn = shaken(Asker(JOINT)).choose(segments, bank(), ASKABLE, 200, seeded())
    seen = set()
    for row, number in ((0, 5), (1, 1)):
        for kind, target, anchor in zip(drawn.kind[row], drawn.target[row], drawn.anchor[row], strict=True):
            name = ASKABLE[kind]
            seen.add(name)
            assert 0 <= target < number
            assert anchor - target == {"before": 1, "after": -1}.get(name, 0)
            assert name != "first" or target == 0
            assert name != "last" or target == number - 1
    assert seen == set(ASKABLE)


@pytest.mark.parametrize("kinds", [("before",), ("after",), ("before", "after")])
def test_what_cannot_be_asked_is_not_composed(kinds, segments, shaken):
    """One event has no neighbour: the gate, not another kind."""
    drawn = shaken(Asker(JOINT)).choose(segments, bank(), kinds, 40, seeded())
    phrases = [f"the thing number {n} moves" for n in range(BANK)]
    refused = 0
    for row, number in ((0, 5), (1, 1)):
        spans = [Span(*span) for span in segments.spans[row, :number].tolist()]
        events = [
            Named(span, span, phrases[best]) for span, best in zip(spans, segments.names[row].argmax(-1), strict=False)
        ]
        for g in range(40):
            kind, target, anchor = ASKABLE[drawn.kind[row, g]], int(drawn.target[row, g]), int(drawn.anchor[row, g])
            possible = {
                "before": target + 1 < number, "after": target > 0, "first": target == 0, "last": target == number - 1
            }[kind]  # fmt: skip
            clause, other = phrases[drawn.clause[row, g]], phrases[drawn.anchor_clause[row, g]]
            made = compose(kind, events, target, anchor, clause, other, phrases, random.Random(0))
            if not possible:
                refused += 1
                assert made is None
    assert refused


def test_before_training_segments_go_by_their_cues_and_clauses_by_similarity(segments):
    weights = CueWeights(saliency=2.0, semantic=0.5, temporal=0.0)
    value, clauses = Asker(JOINT, cue_weights=weights).logits(segments, bank())
    wanted = 2.0 * segments.cues[..., 0] + 0.5 * segments.cues[..., 1]
    torch.testing.assert_close(value[segments.mask], wanted[segments.mask])
    assert (value[~segments.mask] <= -1e4).all()
    assert torch.equal(clauses, segments.names)


@pytest.mark.parametrize("off", ["saliency", "semantic", "temporal"])
def test_a_cue_switched_off_stays_off_in_training(off, segments):
    asker = Asker(JOINT, cue_weights=CueWeights(**{off: 0.0}))
    asker.logits(segments, bank())[0][segments.mask].sum().backward()
    switched = asker.cue_weights.grad == 0
    assert switched.tolist() == [name == off for name in ("saliency", "semantic", "temporal")]


def test_cues_equal_a_slow_form(segments):
    gaps = temporal_cue(segments.spans, segments.mask)
    middles = [2.75, 5.75, 9.75, 13.75, 18.75]
    nearest = [min(abs(a - b) for b in middles if b != a) for a in middles]
    assert gaps[0].expm1().tolist() == pytest.approx(nearest, abs=1e-4)
    assert not gaps[1:].any()  # alone in its video, or not there
    names = segments.names[0, 2].tolist()
    best = max(names) - torch.tensor(names).logsumexp(0).item()
    assert semantic_cue(segments.names)[0, 2].item() == pytest.approx(best, abs=1e-5)


def test_a_video_without_events_gives_finite_numbers(segments, shaken):
    asker = shaken(Asker(JOINT))
    drawn = asker.choose(segments, bank(), ASKABLE, 8, seeded())
    asker.choose(segments, bank(), ASKABLE, 8, given=drawn).log_probs.sum().backward()
    assert drawn.log_probs.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in asker.parameters())


def test_videos_do_not_see_one_another(segments, shaken):
    asker = shaken(Asker(JOINT))
    drawn = asker.choose(segments, bank(), ASKABLE, 8, seeded())
    fields = ("spans", "windows", "mask", "cues", "shown", "names")
    for row in range(3):
        one = Segments(**{name: getattr(segments, name)[row : row + 1] for name in fields})
        given = type(drawn)(**{name: getattr(drawn, name)[row : row + 1] for name in drawn.__slots__})
        alone = asker.choose(one, bank(), ASKABLE, 8, given=given)
        torch.testing.assert_close(alone.log_probs, drawn.log_probs[row : row + 1])
