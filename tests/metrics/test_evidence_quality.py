"""The terms of evidence quality as formulas, and as a metric that adds up."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.metrics import EvidenceQuality, Probes, quality_terms

LAW = settings(deadline=None, derandomize=True, max_examples=30)
shares = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4)


def probes(hidden, alone, again, well_formed=1.0):
    """One claim, the first of each list, against the other three as places."""
    parts = [torch.tensor(values) for values in (hidden, alone, again)]
    split = [part for values in parts for part in (values[:1], values[None, 1:])]
    return Probes(*split, torch.tensor([well_formed]))


def test_each_term_is_its_sentence():
    terms = quality_terms(probes([0.1, 0.9, 0.7, 0.8], [0.9, 0.2, 0.2, 0.5], [0.6, 0.0, 0.0, 0.3]))
    found = {name: values.item() for name, values in terms.items()}
    assert found == pytest.approx(
        {"necessity": 0.7, "sufficiency": 0.6, "stability": 0.5, "localisation": 1.0, "quality": 0.6}
    )


@LAW
@given(shares, shares, shares)
def test_where_the_evidence_is_one_place_among_others_the_mean_is_zero(hidden, alone, again):
    """Each place in turn as the evidence, the others as places: the terms add up to nothing."""
    total = dict.fromkeys(("quality", "necessity", "sufficiency", "stability"), 0.0)
    for turn in range(4):
        turned = [values[turn:] + values[:turn] for values in (hidden, alone, again)]
        for name, values in quality_terms(probes(*turned)).items():
            if name in total:
                total[name] += values.item()
    assert total == pytest.approx(dict.fromkeys(total, 0.0), abs=1e-5)


@LAW
@given(shares, shares, shares)
def test_it_stays_in_its_bounds_and_badly_formed_evidence_is_worth_nothing(hidden, alone, again):
    good, bad = (quality_terms(probes(hidden, alone, again, formed)) for formed in (1.0, 0.0))
    assert all(-1 <= values.item() <= 1 for values in good.values())
    assert bad["quality"].item() == 0.0
    assert bad["necessity"].item() == good["necessity"].item()


def test_an_answer_from_anywhere_needs_no_evidence():
    terms = quality_terms(probes([0.9] * 4, [0.9] * 4, [0.2] * 4))
    assert terms["quality"].item() == pytest.approx(0.0, abs=1e-6)


def test_batches_add_up_to_their_mean():
    first = probes([0.1, 0.9, 0.9, 0.9], [0.9, 0.1, 0.1, 0.1], [0.5, 0.1, 0.1, 0.1])
    second = probes([0.5] * 4, [0.5] * 4, [0.5] * 4, 0.0)
    metric = EvidenceQuality()
    for batch in (first, second, second):
        metric.update(batch)
    wanted = {name: values.item() / 3 for name, values in quality_terms(first).items()}
    assert {name: value.item() for name, value in metric.compute().items()} == pytest.approx(wanted)
