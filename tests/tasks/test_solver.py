"""The Solver: it learns from pseudo-labels and from rewards, against a reference that stands still."""

import dataclasses

import pytest
import torch

from tevo.errors import TevoError
from tevo.heads.evidence import HeadConfig
from tevo.objectives.policy import PolicyRule, grpo_loss
from tevo.objectives.rewards import SolverWeights
from tevo.structures import Question, Span
from tevo.tasks.rollout_terms import Targets
from tevo.tasks.solver import Solver, SolverConfig

EVENTS = [(0, 4, 7), (3, 14, 17), (5, 24, 27)]
SMALL = HeadConfig(hidden=16, attention_heads=2, relation_layers=1)


@pytest.fixture
def make(concepts):
    def build(**options):
        torch.manual_seed(0)
        rewards = options.pop("extra_rewards", None)
        config = SolverConfig(**{"group": 6, "head": SMALL, "view_jitter": 0.0} | options)
        return Solver(concepts.spec.dim, concepts.spec.dim, concepts, config, rewards)

    return build


@pytest.fixture
def pool(clauses):
    """Pooled questions about the first and the second video, with their pseudo-labels in place."""
    four = (clauses[0], clauses[3], clauses[5], clauses[1])
    return [
        Question("0", "0.mp4", "What happens first?", "first", four, clauses[0], (Span(4.0, 7.0),)),
        Question("1", "0.mp4", f"When does this happen: {clauses[5]}?", "when", (), "", (Span(24.0, 27.0),)),
        Question("2", "1.mp4", f"What happens right after this: {clauses[2]}?", "after", four[:3], clauses[3],
                 (Span(20.0, 23.0),)),
        Question("3", "1.mp4", f"How often does this happen: {clauses[4]}?", "count", ("once", "twice"), "twice",
                 (Span(2.0, 5.0), Span(28.0, 30.0))),
    ]  # fmt: skip


@pytest.fixture
def batch(scene, pool):
    """(videos, questions, the row of each one's video)."""
    videos = scene(EVENTS, [(4, 2, 5), (2, 12, 15), (3, 20, 23), (4, 28, 30)])
    return videos, pool, torch.tensor([0, 0, 1, 1])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def queries_of(solver, batch):
    return solver.queries(batch[1], batch[2])


def policy_loss(solver, batch, seed=0):
    return solver.policy_loss(
        batch[0], queries_of(solver, batch), Targets.of(batch[1], "cpu"), solver.reference, seeded(seed)
    )


def label_loss(solver, batch, seed=0):
    return solver.pseudo_label_loss(batch[0], queries_of(solver, batch), Targets.of(batch[1], "cpu"), seeded(seed))


def weights_of(module):
    return [weight.detach().clone() for weight in module.parameters()]


def same(before, module):
    return all(torch.equal(*pair) for pair in zip(before, module.parameters(), strict=True))


# --- pseudo-labels ---


def test_targets_are_the_labels(pool, clauses):
    targets = Targets.of(pool, "cpu")
    assert targets.answer.tolist() == [0, -1, 1, 1]
    assert targets.span_mask.sum(-1).tolist() == [1, 1, 1, 2]
    assert targets.spans[3].tolist() == [[2.0, 5.0], [28.0, 30.0]]


def test_it_learns_what_it_is_told(make, batch):
    solver = make()
    optimizer = torch.optim.AdamW(solver.policy.parameters(), lr=5e-3)
    first = None
    for step in range(60):
        loss, figures = label_loss(solver, batch, step)
        first = first or figures
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name in ("loss/span", "loss/saliency", "loss/answer"):
        assert figures[name] < 0.5 * first[name], name
    assert figures["pool_accuracy"] == 1.0
    solver.eval()
    best = solver.predict_questions(batch[0], queries_of(solver, batch))
    assert best.option_probs.argmax(-1)[[0, 2, 3]].tolist() == [0, 1, 1]
    for index, question in enumerate(batch[1][:3]):
        assert Span(*best.spans[index, 0].tolist()).overlaps(question.evidence[0])


def test_a_when_question_teaches_no_answer(make, batch):
    solver = make()
    only = (batch[0], batch[1][1:2], batch[2][1:2])
    loss, figures = label_loss(solver, only)
    loss.backward()
    assert figures["loss/answer"] == 0.0 and figures["pool_accuracy"] == 0.0
    assert solver.policy.answer.out.weight.grad is None or not solver.policy.answer.out.weight.grad.any()
    assert solver.policy.evidence.frame_out.weight.grad.any()


def test_parts_of_the_objective_can_be_switched_off(make, batch):
    solver = make(span_loss=0.0, saliency_loss=0.0)
    total, figures = label_loss(solver, batch)
    assert float(total.detach()) == pytest.approx(figures["loss/answer"], rel=1e-5)


# --- rewards ---


def test_before_training_it_is_the_zero_shot_backbone(make, batch, clauses):
    solver = make().eval()
    best = solver.predict_questions(batch[0], queries_of(solver, batch))
    assert best.option_probs[0].argmax() == 0
    assert Span(*best.spans[1, 0].tolist()).overlaps(Span(24.0, 27.0))
    assert same(weights_of(solver.reference), solver.policy)


def test_each_reward_by_itself(make, batch):
    solver = make()
    queries, targets = queries_of(solver, batch), Targets.of(batch[1], "cpu")
    with torch.no_grad():
        sampled = solver.policy.rollout(solver.watch(batch[0].tokens), queries, 6, seeded())
    terms = solver.rewards(batch[0], queries, targets, sampled.rollouts, solver.reference)
    assert terms.keys() == {"answer", "iou", "zoom", "format"}
    assert {term.shape for term in terms.values()} == {(4, 6)}
    right = sampled.rollouts.answers == targets.answer[:, None]
    assert torch.equal(terms["answer"][[0, 2, 3]], right[[0, 2, 3]].float())
    near = terms["iou"][1] >= 0.5
    assert torch.equal(terms["answer"][1], near.float())  # of a when question the span is the answer
    assert not terms["zoom"][1].any()
    assert terms["format"].all()


def test_the_zoom_reads_the_predicted_span_and_nothing_else(make, batch):
    solver = make()
    queries, targets = queries_of(solver, batch), Targets.of(batch[1], "cpu")
    with torch.no_grad():
        sampled = solver.policy.rollout(solver.watch(batch[0].tokens), queries, 2, seeded())
    spans = torch.zeros_like(sampled.rollouts.spans)
    mask = torch.zeros_like(sampled.rollouts.span_mask)
    spans[0, 0, 0], spans[0, 1, 0] = torch.tensor([4.0, 7.0]), torch.tensor([14.0, 17.0])
    mask[0, :, 0] = True
    rollouts = dataclasses.replace(sampled.rollouts, spans=spans, span_mask=mask)
    zoom = solver.rewards(batch[0], queries, targets, rollouts, solver.reference)["zoom"]
    assert zoom[0].tolist() == [1.0, 0.0]  # the event asked about, and another
    assert not zoom[2:].any()  # no valid span is wrong
    without = make(rewards=SolverWeights(zeta=0.0))
    assert not without.rewards(batch[0], queries, targets, rollouts, solver.reference)["zoom"].any()


# --- GRPO ---


def test_rollouts_and_update_agree(make, batch, shaken):
    """One network, dropout and all: the update scores what was sampled as it was sampled."""
    solver = make(head=dataclasses.replace(SMALL, dropout=0.3))
    shaken(solver.policy).train()
    _, figures = policy_loss(solver, batch)
    assert figures["mismatch"] < 1e-5
    assert solver.policy.training


def test_one_step_makes_the_rewarded_answer_more_likely(make, batch, clauses):
    solver = make(group=16, kl=0.0, head=dataclasses.replace(SMALL, answer_scale=0.0))  # it guesses among the options
    solver.eval()
    before = solver.predict_questions(batch[0], queries_of(solver, batch)).option_probs
    solver.train()
    optimizer = torch.optim.AdamW(solver.policy.parameters(), lr=3e-3)
    for step in range(16):
        optimizer.zero_grad()
        policy_loss(solver, batch, step)[0].backward()
        optimizer.step()
    solver.eval()
    after = solver.predict_questions(batch[0], queries_of(solver, batch)).option_probs
    for index, answer in ((0, 0), (2, 1), (3, 1)):
        assert float(after[index, answer]) > float(before[index, answer]) + 0.02


@pytest.mark.parametrize("credit", ["token", "sequence", "decoupled", "token_zz"])
def test_groups_paid_alike_change_nothing(make, batch, credit, monkeypatch):
    solver = make(credit=credit, kl=0.0, outcome_gate=False)
    alike = {"answer": 1.0, "iou": 0.5, "zoom": 1.0, "format": 1.0}

    def rewards(videos, queries, targets, rollouts, judge):
        return {name: torch.full(rollouts.answers.shape, value) for name, value in alike.items()}

    monkeypatch.setattr(solver, "rewards", rewards)
    loss, figures = policy_loss(solver, batch)
    loss.backward()
    if credit != "token_zz":  # whose published form pays the roles apart
        assert all(weight.grad is None or weight.grad.abs().max() < 1e-7 for weight in solver.policy.parameters())
    assert figures["dead_groups"] == 1.0


def test_the_gate_drops_groups_without_a_right_answer(make, batch, monkeypatch):
    solver = make(kl=0.0)

    def rewards(videos, queries, targets, rollouts, judge):
        shaped = torch.linspace(0, 1, rollouts.answers.shape[1]).expand(rollouts.answers.shape)
        return {"answer": torch.zeros_like(shaped), "iou": shaped, "zoom": shaped, "format": torch.ones_like(shaped)}

    monkeypatch.setattr(solver, "rewards", rewards)
    loss, figures = policy_loss(solver, batch)
    loss.backward()
    assert figures["dead_groups"] == 1.0
    assert all(weight.grad is None or not weight.grad.any() for weight in solver.policy.parameters())


def test_the_reference_never_changes(make, batch):
    solver = make(head=dataclasses.replace(SMALL, dropout=0.3))
    before = weights_of(solver.reference)
    optimizer = torch.optim.AdamW(solver.parameters(), lr=0.05)  # all of them, as a careless caller would
    for step in range(3):
        for objective in (policy_loss, label_loss):
            optimizer.zero_grad()
            objective(solver, batch, step)[0].backward()
            optimizer.step()
    assert same(before, solver.reference)
    assert not same(before, solver.policy)
    assert not solver.reference.training  # no dropout in what the KL and the zoom are measured against
    assert not any(weight.requires_grad for weight in solver.reference.parameters())


def test_the_kl_pulls_back_to_the_reference(make, batch, shaken):
    kls = []
    for weight in (1e-6, 10.0):
        solver = make(kl=weight)
        shaken(solver.policy, 0.1)
        optimizer = torch.optim.AdamW(solver.policy.parameters(), lr=3e-3)
        for step in range(10):
            loss, figures = policy_loss(solver, batch, step)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        kls.append(figures["kl"])
    assert kls[1] < kls[0]


def test_the_same_seed_takes_the_same_step(make, batch):
    losses = [policy_loss(make(view_jitter=0.2), batch, seed)[0].item() for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


# --- the choices of the loss ---


def loss_and_slope(solver, batch, steps=0):
    """The loss after ``steps`` steps on one set of rollouts, and its gradient as one vector."""
    videos, questions, rows = batch
    experience = solver.gather(
        videos, solver.queries(questions, rows), Targets.of(questions, "cpu"), solver.reference, seeded(4)
    )
    optimizer = torch.optim.SGD(solver.policy.parameters(), lr=0.05)
    for step in range(steps + 1):
        loss, figures = solver.update(experience, fresh=step == 0)
        optimizer.zero_grad()
        loss.backward()
        if step < steps:
            optimizer.step()
    weights = [w for w in solver.policy.parameters() if w.grad is not None]
    return float(loss.detach()), torch.cat([w.grad.flatten() for w in weights]), figures


@pytest.mark.parametrize("normalisation", ["grpo", "dr_grpo"])
def test_each_normalisation_is_that_of_the_function(make, batch, normalisation):
    """The dead columns of a batch of one-span questions are no part of the budget of dr_grpo."""
    solver, own = make(kl=0.0), PolicyRule(normalisation=normalisation)
    other = make(kl=0.0, policy=own)
    experience = solver.gather(
        batch[0], queries_of(solver, batch), Targets.of(batch[1], "cpu"), solver.reference, seeded(4)
    )
    log_probs = experience.sampled.rollouts.log_probs
    wanted = grpo_loss(
        log_probs, None, None, experience.credit, experience.mask, normalisation=normalisation, max_tokens=13
    )
    assert other.update(experience)[0].item() == pytest.approx(wanted.loss.item(), rel=1e-4, abs=1e-7)
    assert solver.update(experience)[0].item() != pytest.approx(wanted.loss.item(), rel=1e-2)


def test_the_ratios_part_with_the_second_step_on_the_same_rollouts(make, batch):
    """Until then the policy that learns is the one that sampled: no ratio, one gradient, no clip."""
    slopes = {}
    for ratio in ("token", "sequence"):
        for steps in (0, 2):
            solver = make(kl=0.0, policy=PolicyRule(ratio=ratio, eps_low=0.9, eps_high=9.0))
            slopes[ratio, steps] = loss_and_slope(solver, batch, steps)[1]
    torch.testing.assert_close(slopes["token", 0], slopes["sequence", 0])
    assert not torch.allclose(slopes["token", 2], slopes["sequence", 2], rtol=1e-3)


def test_a_later_step_is_clipped(make, batch):
    tight = make(kl=0.0, policy=PolicyRule(eps_low=1e-4, eps_high=1e-4))
    figures = [loss_and_slope(tight, batch, steps)[2] for steps in (0, 3)]
    assert figures[0]["clip_fraction"] == 0.0 and "mismatch" in figures[0]
    assert figures[1]["clip_fraction"] > 0.1 and "mismatch" not in figures[1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"credit": "tokens"}, "unknown credit 'tokens': choose one of token, sequence, decoupled, token_zz"),
        ({"policy": {"normalisation": "mean"}}, "unknown normalisation 'mean': choose one of dapo, grpo, dr_grpo"),
        ({"policy": {"ratio": "word"}}, "unknown ratio 'word': choose one of token, sequence"),
        ({"policy": {"eps_low": 1.5}}, r"clipped to 1 - eps_low .. 1 \+ eps_high, got 1.5"),
        ({"policy": {"updates": 0}}, "at least one update"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_before_anything_runs(wrong, said):
    with pytest.raises(TevoError, match=said):
        SolverConfig(**{name: PolicyRule(**value) if name == "policy" else value for name, value in wrong.items()})


# --- rewards of one's own ---


def early(facts):
    """1 for evidence at the very beginning of the video, 0 at its end."""
    first = torch.where(facts.span_mask, facts.spans[..., 0], torch.inf).amin(-1)
    return 1 - (first - facts.start_s[:, None]) / (facts.end_s - facts.start_s)[:, None]


@pytest.mark.parametrize("credit", ["token", "sequence", "decoupled", "token_zz"])
def test_a_reward_of_ones_own_is_learnt_from(make, batch, credit, monkeypatch):
    """Evidence moves to where it pays to be, under each rule of credit, when every answer is as good."""
    weights = SolverWeights(alpha=0.0, zeta=0.0, fmt=0.0, extra={"early": 3.0})
    guessing = dataclasses.replace(SMALL, prior_scale=0.0, answer_scale=0.0)
    solver = make(credit=credit, kl=0.0, rewards=weights, head=guessing, extra_rewards={"early": early}, group=48)
    only = (batch[0], batch[1][:1], batch[2][:1])
    paid = solver.rewards
    monkeypatch.setattr(
        solver, "rewards", lambda *given: (terms := paid(*given)) | {"answer": torch.ones_like(terms["answer"])}
    )

    def start():
        queries = queries_of(solver, only)
        drawn = solver.policy.rollout(solver.watch(batch[0].tokens), queries, 400, seeded(9))
        return float(drawn.rollouts.spans[:, :, 0, 0].mean())

    before, optimizer = start(), torch.optim.AdamW(solver.policy.parameters(), lr=5e-3)
    for step in range(10):
        loss, figures = policy_loss(solver, only, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert start() < before - 1.0
    assert 0 < figures["reward/early"] < 1


def test_its_function_sees_the_rollouts_and_their_pseudo_labels(make, batch):
    seen = []

    def look(facts):
        seen.append(facts)
        return torch.zeros_like(facts.answers, dtype=torch.float32)

    solver = make(rewards=SolverWeights(extra={"look": 1.0}), extra_rewards={"look": look})
    policy_loss(solver, batch)
    (facts,) = seen
    assert facts.answers.shape == (4, 6) and facts.spans.shape[:2] == (4, 6)
    assert facts.is_when.tolist() == [False, True, False, False]
    assert facts.pseudo_answer.tolist() == [0, -1, 1, 1]
    assert facts.pseudo_spans[3].tolist() == [[2.0, 5.0], [28.0, 30.0]]
    assert facts.start_s.tolist() == [0.0] * 4 and facts.end_s.tolist() == [32.0] * 4


def test_a_reward_that_was_not_given_is_named(make, batch):
    with pytest.raises(TevoError, match="the reward early, but its function was not given"):
        policy_loss(make(rewards=SolverWeights(extra={"early": 1.0})), batch)
