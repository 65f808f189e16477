import pytest
import torch

from tevo.errors import TevoError
from tevo.objectives.rewards import SolverWeights
from tevo.tasks.language.solver import LanguageSolver, LanguageSolverConfig

RIGHT, WRONG = "<answer>B</answer><glue>[(4.0, 8.0)]</glue>", "<answer>A</answer><glue>[(15.0, 19.0)]</glue>"
CONFIG = LanguageSolverConfig(group=4, max_new_tokens=40, rewards=SolverWeights(zeta=0.0))


@pytest.fixture
def trained(model):
    """The role's weights."""
    return model.add_role("solver")


@pytest.fixture
def solver(model, trained):
    return LanguageSolver(model, "solver", CONFIG)


def likelihood(solver, question, video, text):
    with torch.no_grad(), solver.model.acting("solver"):
        given = solver.model.encode_reply([[text]])
        return float(solver.model.log_probs(solver.prompts([question], [video]), given).log_probs.sum())


def step(trained, solver, loss):
    """One step of the Solver's weights; the backward pass belongs to the role."""
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.02)
    optimizer.zero_grad()
    with solver.model.acting("solver"):
        loss.backward()
    optimizer.step()


def test_pseudo_labels_become_likelier(solver, trained, video, choice, when):
    texts = [RIGHT, RIGHT[RIGHT.index("<glue>") :]]
    before = [likelihood(solver, q, video, text) for q, text in zip((choice, when), texts, strict=True)]
    loss, figures = solver.pseudo_label_loss([choice, when], [video, video])
    assert figures["loss/reply"] == pytest.approx(
        -sum(before) / sum(len(solver.model.chat.encode(t)) for t in texts), rel=1e-3
    )
    step(trained, solver, loss)
    after = [likelihood(solver, q, video, text) for q, text in zip((choice, when), texts, strict=True)]
    assert after[0] > before[0] + 0.5 and after[1] > before[1] + 0.5


@pytest.mark.parametrize("credit", ["token", "sequence", "decoupled", "token_zz"])
def test_grpo_makes_right_replies_likelier_than_wrong_ones(model, trained, video, choice, written, credit):
    from dataclasses import replace

    solver = LanguageSolver(model, "solver", replace(CONFIG, credit=credit))
    written(lambda prompt, member: RIGHT if member % 2 else WRONG)
    before = likelihood(solver, choice, video, RIGHT) - likelihood(solver, choice, video, WRONG)
    loss, figures = solver.policy_loss([choice], [video], torch.Generator())
    assert figures["reward/answer"] == 0.5 and figures["dead_groups"] == 0.0 and figures["mismatch"] < 1e-4
    assert figures["reward/iou"] == pytest.approx(0.5) and figures["reward/format"] == 1.0
    step(trained, solver, loss)
    assert likelihood(solver, choice, video, RIGHT) - likelihood(solver, choice, video, WRONG) > before + 0.1


@pytest.mark.parametrize("text", [RIGHT, WRONG], ids=["all right alike", "all wrong"])
def test_a_closed_gate_gives_no_update(solver, trained, video, choice, written, text):
    written(lambda prompt, member: text)
    loss, figures = solver.policy_loss([choice], [video], torch.Generator())
    assert loss is None and figures["dead_groups"] == 1.0 and figures["zero_variance"] == 1.0


def test_only_open_groups_reach_the_update(solver, trained, video, choice, when, written, monkeypatch):
    written(lambda prompt, member: RIGHT if "A)" in prompt.text and member % 2 else WRONG)
    scored = []
    log_probs = solver.model.log_probs
    monkeypatch.setattr(
        solver.model, "log_probs", lambda prompts, *rest: scored.append(len(prompts)) or log_probs(prompts, *rest)
    )
    loss, figures = solver.policy_loss([choice, when], [video, video], torch.Generator())
    assert loss is not None and figures["dead_groups"] == 0.5
    assert scored[-2:] == [1, 1]  # the reference and the policy, without the dead group


def test_every_kind_of_fault_is_logged(solver, trained, video, choice, written):
    written(lambda prompt, member: (RIGHT, WRONG, "no", RIGHT[:-7])[member])
    _, figures = solver.policy_loss([choice], [video], torch.Generator())
    assert figures["fault/no <answer>"] == 0.25 and figures["fault/<glue> is not closed"] == 0.25
    assert figures["reward/format"] == 0.5


def test_zoom_asks_the_reference_about_the_spans_alone(model, trained, video, choice, written, monkeypatch):
    from dataclasses import replace

    solver = LanguageSolver(model, "solver", replace(CONFIG, rewards=SolverWeights()))
    seen = []

    def choose(prompts, choices):
        assert model.roles.acting is None
        seen.extend((p.video.times_s[:, 0].tolist(), p.reply, c) for p, c in zip(prompts, choices, strict=True))
        return torch.tensor([[0.0, 1.0, 0.0, 0.0]]).expand(len(prompts), -1)

    monkeypatch.setattr(model, "choose", choose)
    written(lambda prompt, member: RIGHT if member % 2 else WRONG)
    _, figures = solver.policy_loss([choice], [video], torch.Generator())
    assert figures["reward/zoom"] == 0.5  # paid to the two right ones; wrong ones are not even asked
    assert len(seen) == 2 and set(seen[0][0]) <= {102.0, 104.0, 106.0, 108.0}
    assert seen[0][1:] == ("<answer>", ["A</answer>", "B</answer>", "C</answer>", "D</answer>"])


def test_a_rollout_of_another_policy_stops_the_run(solver, trained, video, choice, written, monkeypatch):
    from dataclasses import replace

    written(lambda prompt, member: RIGHT if member % 2 else WRONG)
    honest = solver.model.sample
    lie = lambda *rest: (lambda d: replace(d, log_probs=d.log_probs - 0.5))(honest(*rest))  # noqa: E731
    monkeypatch.setattr(solver.model, "sample", lie)
    with pytest.raises(TevoError, match="not one policy"):
        solver.policy_loss([choice], [video], torch.Generator())


def test_a_real_rollout_goes_through(solver, trained, video, choice, when):
    loss, figures = solver.policy_loss([choice, when], [video, video], torch.Generator().manual_seed(0))
    assert loss is None and figures["reward/format"] == 0.0 and figures["tokens"] > 8  # random weights do not parse
