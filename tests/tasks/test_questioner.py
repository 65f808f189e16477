"""The Questioner: what it finds, what it may ask, what it is paid for, and that it learns from the pay."""

import dataclasses

import pytest
import torch

from tevo.heads.asker import ASKABLE
from tevo.objectives.rewards import QuestionerWeights, questioner_reward
from tevo.prompts.grammar import parse
from tevo.structures import VideoTokens
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.judge import Judge
from tevo.tasks.questioner import Questioner
from tevo.tasks.solver import Solver, SolverConfig

EVENTS = [(0, 4, 7), (3, 14, 17), (5, 24, 27)]
ALL_TERMS = {"format", "learnability", "dependency", "order", "evidence", "in_band", "repetition"}


@pytest.fixture
def make(concepts, bank):
    def build(seed=0, **options):
        torch.manual_seed(0)
        settings = {"phrases": bank, "group": 4, "min_naming": 0.0, "max_events": 6} | options
        return Questioner(concepts.spec.dim, concepts, QuestionerConfig(**settings), seed)

    return build


@pytest.fixture
def examine(concepts):
    torch.manual_seed(0)
    judge = Judge(Solver(concepts.spec.dim, concepts.spec.dim, concepts, SolverConfig()).policy, concepts, 6, 2)

    def put(videos, questions, rows):
        return judge.put(videos, questions, rows, torch.Generator().manual_seed(3))

    return put


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def ask(questioner, videos, kinds=ASKABLE, group=24, seed=0):
    return questioner.ask(videos, questioner.segments(videos), kinds, group, seeded(seed), "1")


# --- what it finds and asks ---


def test_events_are_found_and_named(make, scene, clauses):
    questioner = make()
    segments = questioner.segments(scene(EVENTS, [(2, 10, 13)]))
    assert segments.mask.sum(-1).tolist() == [3, 1]
    for event, (clause, first, last) in enumerate(EVENTS):
        start, end = segments.spans[0, event].tolist()
        assert abs(start - first) <= 2 and abs(end - last) <= 2
        low, high = segments.windows[0, event].tolist()
        assert low <= start and end <= high
        assert int(segments.names[0, event].argmax()) == clause


def test_what_is_found_does_not_depend_on_the_company(make, scene):
    """Else a run that is taken up, and meets its videos in other batches, would go another way."""
    events = [[(n % 6, 5 + n, 9 + n), (3, 30, 33)] for n in range(8)]
    alone, longer = scene(*events, seconds=47, noise=0.3), scene(EVENTS, seconds=61)
    tokens = VideoTokens.collate([alone.tokens, longer.tokens])
    company = dataclasses.replace(
        alone,
        names=[*alone.names, "longer.mp4"],
        tokens=tokens,
        dense=tokens,
        start_s=torch.zeros(9),
        end_s=torch.tensor([47.0] * 8 + [61.0]),
    )
    one, other = make().segments(alone), make().segments(company)
    for row, number in enumerate(one.mask.sum(-1).tolist()):
        assert number == int(other.mask[row].sum()) > 0
        assert torch.equal(one.spans[row, :number], other.spans[row, :number])
        assert torch.equal(one.cues[row, :number, 0], other.cues[row, :number, 0])


def test_questions_are_about_the_video_and_of_the_kinds_allowed(make, scene, clauses):
    asked = ask(make(), scene(EVENTS), ("when", "what", "after"))
    questions, rows = asked.flat()
    assert questions and rows.tolist() == [0] * len(questions)
    assert {question.kind for question in questions} == {"when", "what", "after"}
    for question in questions:
        assert question.kind == parse(question.text).kind
        assert set(question.options) <= set(clauses)
        assert question.answer in question.options or question.kind == "when"
        assert all(0 <= span.start_s < span.end_s <= 32 for span in question.evidence)
        assert question.window.start_s <= question.evidence[0].start_s
        assert question.window.end_s >= question.evidence[-1].end_s
    assert len({question.id for question in questions}) == len(questions)


def test_the_full_view_has_no_window(make, scene):
    questions, _ = ask(make(view="full"), scene(EVENTS)).flat()
    assert questions and {question.window for question in questions} == {None}


def test_what_it_cannot_name_it_does_not_ask_about(make, scene):
    videos = scene(EVENTS)
    sure, unsure = (ask(make(min_naming=bar), videos, ("what",)) for bar in (0.0, 1.0))
    assert sure.gate.any() and not unsure.gate.any()


def test_a_still_video_is_asked_nothing(make, scene, examine):
    questioner, videos = make(), scene([], EVENTS, noise=0.0)
    still = dataclasses.replace(videos, names=["still.mp4", "1.mp4"])
    asked = ask(questioner, still)
    assert not asked.gate[0].any() and asked.gate[1].any()
    loss, _ = questioner.loss(still, ASKABLE, examine, seeded(), "1")
    assert torch.isfinite(loss)


def test_the_same_seed_asks_the_same(make, scene):
    one, same, other = (ask(make(), scene(EVENTS), seed=seed).flat()[0] for seed in (1, 1, 2))
    assert one == same != other


# --- what it is paid for ---


def test_terms_have_a_number_for_every_question(make, scene, examine):
    questioner, videos = make(group=5), scene(EVENTS, [(2, 10, 13), (4, 20, 23)])
    segments = questioner.segments(videos)
    asked = questioner.ask(videos, segments, ASKABLE, 5, seeded(), "1")
    total, terms = questioner.reward(asked, segments, videos, examine)
    assert terms.keys() == ALL_TERMS
    assert {value.shape for value in terms.values()} == {total.shape} == {(2, 5)}
    assert torch.isfinite(total).all()
    for name, value in terms.items():
        assert ((value >= 0) & (value <= 1)).all(), name
    wanted = questioner_reward(
        asked.gate, terms["learnability"], terms["repetition"], terms["dependency"], terms["order"], terms["evidence"],
        terms["in_band"] > 0.5, QuestionerWeights(),
    )  # fmt: skip
    torch.testing.assert_close(total, wanted)


def test_each_question_gets_its_own_examination(make, scene):
    """Not its neighbour's: the ones that could not be asked leave no gap."""
    questioner, videos = make(group=6), scene(EVENTS, [(2, 10, 13)])
    segments = questioner.segments(videos)
    asked = questioner.ask(videos, segments, ("before",), 6, seeded(), "1")
    assert asked.gate[0].any() and not asked.gate.all()
    order = {}

    def examine(videos, questions, rows):
        order.update({question.id: number for number, question in enumerate(questions)})
        share = torch.arange(len(questions)).float() / 100
        return _flat(len(questions), with_video=0.5 + share, without_video=torch.full_like(share, 0.5))

    _, terms = questioner.reward(asked, segments, videos, examine)
    for row, questions in enumerate(asked.questions):
        for g, question in enumerate(questions):
            own = 0.0 if question is None else order[question.id] / 100
            assert float(terms["dependency"][row, g]) == pytest.approx(own, abs=1e-6)


def _flat(number, **scores):
    from tevo.objectives.consensus import pseudo_labels
    from tevo.tasks.examination import Examination

    votes = torch.tensor([[0, 0, 1, 1, 1, 0, 1, 0, 1, 1]]).expand(number, -1)
    spans, mask = torch.tensor([[1.0, 3.0]]).expand(number, 10, 1, 2), torch.ones(number, 10, 1, dtype=torch.bool)
    options, when = torch.full((number,), 4), torch.zeros(number, dtype=torch.bool)
    even = torch.full((number,), 0.5)
    parts = dict.fromkeys(("with_video", "without_video", "shuffled", "masked", "key", "random"), even) | scores
    return Examination(pseudo_labels(votes, options, spans, mask, when), votes, spans, mask, **parts)


def test_what_could_not_be_asked_is_paid_nothing(make, scene, examine):
    questioner, videos = make(), scene([(2, 10, 13)])  # one event: nothing comes before it
    segments = questioner.segments(videos)
    asked = questioner.ask(videos, segments, ("before",), 4, seeded(), "1")
    assert not asked.gate.any()
    total, terms = questioner.reward(asked, segments, videos, examine)
    assert total.tolist() == [[0.0] * 4] and terms["format"].tolist() == [[0.0] * 4]
    loss, figures = questioner.loss(videos, ("before",), examine, seeded(), "1")
    assert torch.isfinite(loss) and figures["reward/format"] == 0.0 and figures["zero_variance"] == 1.0


# --- that it learns ---


def test_one_step_makes_what_was_paid_more_likely(make, scene):
    """Paid for the first event and for nothing else: by way of the real loss, an optimizer's step, and the choices."""
    questioner, videos = make(group=12), scene(EVENTS, [(2, 10, 13), (4, 20, 23)])
    kinds = ("when", "what", "duration")

    def examine(videos, questions, rows):
        paid = torch.tensor([0.9 if question.evidence[0].start_s < 15 else 0.5 for question in questions])
        return _flat(len(questions), with_video=paid)

    def share():
        segments = questioner.segments(videos)
        with torch.no_grad():
            drawn = questioner.asker.choose(segments, questioner.bank, kinds, 400, seeded(9))
        return float((drawn.target == 0).float().mean())

    before = share()
    optimizer = torch.optim.SGD(questioner.asker.parameters(), lr=10.0)
    loss, figures = questioner.loss(videos, kinds, examine, seeded(), "1")
    loss.backward()
    optimizer.step()
    assert share() > before + 0.05
    assert figures["mismatch"] < 1e-5


def test_the_reference_never_changes(make, scene, examine):
    questioner, videos = make(), scene(EVENTS)
    reference = [weight.clone() for weight in questioner.reference.parameters()]
    optimizer = torch.optim.AdamW([p for p in questioner.parameters() if p.requires_grad], lr=0.1)
    for step in range(3):
        optimizer.zero_grad()
        questioner.loss(videos, ASKABLE, examine, seeded(step), str(step))[0].backward()
        optimizer.step()
    assert all(torch.equal(*pair) for pair in zip(reference, questioner.reference.parameters(), strict=True))
    assert any(not torch.equal(*pair) for pair in zip(reference, questioner.asker.parameters(), strict=True))


def test_a_group_paid_alike_changes_nothing(make, scene):
    questioner, videos = make(), scene(EVENTS)

    def examine(videos, questions, rows):
        return _flat(len(questions))

    settings = QuestionerWeights(repetition=0.0)
    questioner.config = dataclasses.replace(questioner.config, rewards=settings)
    loss, figures = questioner.loss(videos, ("what",), examine, seeded(), "1")
    loss.backward()
    assert figures["zero_variance"] == 1.0
    assert all(p.grad is None or p.grad.abs().max() < 1e-6 for p in questioner.asker.parameters())
