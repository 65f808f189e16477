"""Evidence asked of a judge: what a claim is, what each probe sees, and that truth scores and shuffled spans do not."""

import dataclasses
import json

import pytest
import torch
from torchmetrics.functional import spearman_corrcoef

from tevo.answer import Answerer
from tevo.backbones import build_backbone
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.heads.evidence import HeadConfig
from tevo.heads.queries import pad_spans
from tevo.metrics.baselines import dealt_windows
from tevo.metrics.evaluation import windows_of
from tevo.metrics.evidence_quality import quality_terms
from tevo.ops import set_iou
from tevo.prompts.phrases import world_phrases
from tevo.structures import Span
from tevo.tasks.folders import Release
from tevo.tasks.probing import Prober, read_claim
from tevo.tasks.solver import Solver, SolverConfig

EVENTS = [(0, 4, 7), (3, 14, 17), (5, 24, 27)]
SMALL = SolverConfig(head=HeadConfig(hidden=16, attention_heads=2, relation_layers=1))


# --- claims ---


def row(query, windows=((14.0, 17.0),), **columns):
    return {"qid": "q", "vid": "0.mp4", "query": query, "pred_relevant_windows": [list(w) for w in windows], **columns}


def test_a_choice_claims_its_answer(clauses):
    claim = read_claim(row("What happens first?", options=list(clauses[:3]), pred_answer=clauses[2]), clauses)
    assert (claim.options, claim.answer, claim.about_spans) == (clauses[:3], 2, False)
    assert claim.spans == (Span(14.0, 17.0),)


def test_an_answer_that_is_no_option_claims_nothing(clauses):
    claim = read_claim(row("What happens first?", options=list(clauses[:3]), pred_answer="it is B"), clauses)
    assert (claim.options, claim.answer) == (clauses[:3], -1)


def test_an_open_answer_is_claimed_over_the_bank(clauses):
    claim = read_claim(row("What happens first?", pred_answer=clauses[4]), clauses)
    assert claim.options == clauses and claim.options[claim.answer] == clauses[4]
    other = read_claim(row("What happens first?", pred_answer="a dog barks"), clauses)
    assert other.options == (*clauses, "a dog barks") and other.answer == len(clauses)


@pytest.mark.parametrize("query", ["When does this happen: {}?", "{}"])
def test_spans_alone_claim_that_the_clause_happens_there(clauses, query):
    """In the grammar's words or in one's own, as in Moment-DETR's files."""
    claim = read_claim(row(query.format(clauses[1])), clauses)
    assert claim.about_spans and claim.answer == 0
    assert claim.options[0] == clauses[1] and set(claim.options) == set(clauses)


def test_spans_without_an_answer_or_a_clause_claim_nothing(clauses):
    assert read_claim(row("What happens first?"), clauses).answer == -1


def test_ranked_windows_are_cut(clauses):
    ranked = [(1.0, 2.0, 0.9), (5.0, 9.0, 0.4), (3.0, 4.0, 0.1)]
    assert read_claim(row("a dog barks", ranked), clauses, 1).spans == (Span(1.0, 2.0),)
    assert len(read_claim(row("a dog barks", ranked), clauses).spans) == 3


def test_a_row_without_a_column_is_refused(clauses):
    with pytest.raises(TevoError, match=r"the columns qid, vid has no query, pred_relevant_windows"):
        read_claim({"qid": "1", "vid": "a"}, clauses)


# --- probes ---


@pytest.fixture
def probe(concepts, scene):
    torch.manual_seed(0)
    policy = Solver(concepts.spec.dim, concepts.spec.dim, concepts, SMALL).policy.eval()

    def run(*claims, videos=None, seed=0):
        rows = torch.zeros(len(claims), dtype=torch.long)
        videos = videos or scene(EVENTS)
        return Prober(policy, concepts).probe(videos, claims, rows, torch.Generator().manual_seed(seed))

    return run


def terms_of(probes):
    return {name: values.tolist() for name, values in quality_terms(probes).items()}


def test_true_evidence_is_worth_more_than_any_other_of_the_same_length(probe, clauses):
    options = [clauses[0], clauses[3], clauses[5]]
    places = [(14.0, 17.0), (24.0, 27.0), (9.0, 12.0), (19.0, 22.0)]
    query = "What happens between 13 s and 18 s?"
    claims = [read_claim(row(query, [place], options=options, pred_answer=clauses[3]), clauses) for place in places]
    terms = terms_of(probe(*claims))
    for name in ("quality", "necessity", "sufficiency", "stability"):
        assert terms[name][0] > 0.2, name
        assert max(terms[name][1:]) < terms[name][0], name
    assert max(terms["quality"][1:]) < terms["quality"][0] / 2


def test_the_same_holds_where_the_spans_are_the_answer(probe, clauses):
    places = [(14.0, 17.0), (24.0, 27.0), (9.0, 12.0)]
    claims = [read_claim(row(f"When does this happen: {clauses[3]}?", [place]), clauses) for place in places]
    quality = terms_of(probe(*claims))["quality"]
    assert quality[0] > 0.3 and max(quality[1:]) < 0.1


def test_a_wrong_answer_has_no_sufficient_evidence(probe, clauses):
    options = [clauses[0], clauses[3], clauses[5]]
    claims = [
        read_claim(row("What happens between 13 s and 18 s?", options=options, pred_answer=answer), clauses)
        for answer in (clauses[3], clauses[0], "mumble")
    ]
    terms = terms_of(probe(*claims))
    assert terms["sufficiency"][0] > 0.3 > 0.05 > terms["sufficiency"][1]
    assert terms["necessity"][2] == terms["sufficiency"][2] == 0.0


def test_the_whole_video_and_no_span_are_worth_nothing(probe, clauses):
    options = list(clauses[:3])
    claims = [
        read_claim(row("What happens first?", windows, options=options, pred_answer=clauses[0]), clauses)
        for windows in ([(0.0, 32.0)], [], [(20.0, 60.0)])
    ]
    terms = terms_of(probe(*claims))
    assert terms["localisation"] == terms["quality"] == [0.0] * 3
    assert all(torch.tensor(values).isfinite().all() for values in terms.values())


def test_a_claim_is_judged_alike_in_any_company(probe, clauses):
    """Up to the draws: what is hidden or shown of one claim is its own."""
    one = read_claim(row(f"When does this happen: {clauses[3]}?"), clauses)
    long = dataclasses.replace(one, spans=(Span(1.0, 2.0), Span(4.0, 9.0), Span(20.0, 21.0)))
    alone, company = (quality_terms(probe(*claims))["quality"][0].item() for claims in ([one], [one, long]))
    assert alone == pytest.approx(company, abs=0.15)


# --- on a rendered world, by a real tiny model that was never trained on a question ---


@pytest.fixture(scope="module")
def judge(cache):
    torch.manual_seed(0)
    backbone = build_backbone("clip_tiny")
    solver = Solver(backbone.spec.dim, 128, backbone, SolverConfig())
    plan = ViewPlan(2.0, 512, 2, 0, torch.float16)
    return Answerer(solver, Release(backbone, {}, plan, world_phrases()), cache)


def moved(rows, share):
    """Every window pushed on by a share of its own length, back where it would leave the video."""
    out = []
    for number, one in enumerate(rows):
        windows = []
        for start, end in one["relevant_windows"]:
            by = share * (end - start) * (1 if number % 2 else -1)
            by = -by if start + by < 0 or end + by > one["duration"] else by
            windows.append([start + by, end + by])
        out.append({**one, "pred_answer": one["answer"], "pred_relevant_windows": windows})
    return out


@pytest.mark.slow
def test_it_ranks_with_the_true_overlap_and_finds_nothing_in_shuffled_spans(judge, world):
    lines = (world / "test" / "annotations.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    sets = [moved(rows, share) for share in (0.0, 0.3, 0.6, 1.0, 1.5)]
    given = [one for rows in sets for one in rows]
    judged = judge.evidence_quality(given, world / "test", progress=False)
    quality = torch.tensor([one.terms["quality"] for one in judged])
    pred, true = ([windows_of({**one, "pred_relevant_windows": one[key]}) for one in given] for key in
                  ("pred_relevant_windows", "relevant_windows"))  # fmt: skip
    overlap = set_iou(*pad_spans(pred), *pad_spans(true))
    assert overlap.min() == 0 and overlap.max() == pytest.approx(1)
    assert spearman_corrcoef(quality, overlap) > 0.3
    assert quality[: len(rows)].mean() > 0.2
    dealt = [one for seed in range(4) for one in dealt_windows(sets[0], seed)]
    shuffled = judge.evidence_quality(dealt, world / "test", progress=False)
    assert len(shuffled) >= 80
    assert abs(sum(one.terms["quality"] for one in shuffled) / len(shuffled)) < 0.1
