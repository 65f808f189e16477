from dataclasses import replace

import pytest
import torch

from tevo.backbones.tuning import TowerConfig
from tevo.data.datasets import VideoBatch
from tevo.errors import TevoError
from tevo.objectives.rewards import SolverWeights
from tevo.structures import Span, VideoTokens
from tevo.tasks.language.solver import LanguageSolver
from tevo.tasks.solving import SolverConfig
from tevo.tasks.words import Words

RIGHT, WRONG = "<answer>B</answer><glue>[(4.0, 8.0)]</glue>", "<answer>A</answer><glue>[(15.0, 19.0)]</glue>"
WORDS = Words(max_new_tokens=40, refills=0)
CONFIG = SolverConfig(group=4, kl=1e-2, words=WORDS, rewards=SolverWeights(zeta=0.0))


@pytest.fixture
def make(model):
    """A Solver on the model, which takes one."""
    return lambda **changes: LanguageSolver(model, replace(CONFIG, **changes))


@pytest.fixture
def solver(make):
    return make()


def policy_loss(solver, questions, videos, generator):
    return solver.update(solver.gather(questions, videos, generator))


def likelihood(solver, model, question, video, text):
    with torch.no_grad(), model.acting("solver"):
        given = model.encode_reply([[text]])
        return float(model.log_probs(solver.prompts([question], [video]), given).log_probs.sum())


def step(solver, loss):
    """One step of the Solver's weights."""
    optimizer = torch.optim.SGD(solver.weights.parameters(), lr=0.02)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_pseudo_labels_become_likelier(solver, model, video, choice, when):
    texts = [RIGHT, RIGHT[RIGHT.index("<glue>") :]]
    before = [likelihood(solver, model, q, video, text) for q, text in zip((choice, when), texts, strict=True)]
    loss, figures = solver.pseudo_label_loss([choice, when], [video, video])
    assert figures["loss/reply"] == pytest.approx(
        -sum(before) / sum(len(model.chat.encode(t)) for t in texts), rel=1e-3
    )
    step(solver, loss)
    after = [likelihood(solver, model, q, video, text) for q, text in zip((choice, when), texts, strict=True)]
    assert after[0] > before[0] + 0.5 and after[1] > before[1] + 0.5


@pytest.mark.parametrize("credit", ["token", "sequence", "decoupled", "token_zz"])
def test_grpo_makes_right_replies_likelier_than_wrong_ones(model, make, video, choice, written, credit):
    solver = make(credit=credit)
    written(lambda prompt, member: RIGHT if member % 2 else WRONG)
    before = likelihood(solver, model, choice, video, RIGHT) - likelihood(solver, model, choice, video, WRONG)
    loss, figures = policy_loss(solver, [choice], [video], torch.Generator())
    assert figures["reward/answer"] == 0.5 and figures["dead_groups"] == 0.0 and figures["mismatch"] < 1e-4
    assert figures["reward/iou"] == pytest.approx(0.5) and figures["reward/format"] == 1.0
    step(solver, loss)
    assert (
        likelihood(solver, model, choice, video, RIGHT) - likelihood(solver, model, choice, video, WRONG) > before + 0.1
    )


@pytest.mark.parametrize("text", [RIGHT, WRONG], ids=["all right alike", "all wrong"])
def test_a_closed_gate_gives_no_update(solver, video, choice, written, text):
    written(lambda prompt, member: text)
    loss, figures = policy_loss(solver, [choice], [video], torch.Generator())
    assert loss.item() == 0.0 and figures["dead_groups"] == 1.0 and figures["zero_variance"] == 1.0
    before = [weight.clone() for weight in solver.weights.parameters()]
    step(solver, loss)
    assert all(torch.equal(*pair) for pair in zip(before, solver.weights.parameters(), strict=True))


def test_only_open_groups_reach_the_update(solver, model, video, choice, when, written, monkeypatch):
    written(lambda prompt, member: RIGHT if "A)" in prompt.text and member % 2 else WRONG)
    scored = []
    log_probs = model.log_probs
    monkeypatch.setattr(
        model, "log_probs", lambda prompts, *rest: scored.append(len(prompts)) or log_probs(prompts, *rest)
    )
    loss, figures = policy_loss(solver, [choice, when], [video, video], torch.Generator())
    assert loss.item() != 0.0 and figures["dead_groups"] == 0.5
    assert scored[-2:] == [1, 1]  # the reference and the policy, without the dead group


def test_every_kind_of_fault_is_logged(solver, video, choice, written):
    written(lambda prompt, member: (RIGHT, WRONG, "no", RIGHT[:-7])[member])
    _, figures = policy_loss(solver, [choice], [video], torch.Generator())
    assert figures["fault/no <answer>"] == 0.25 and figures["fault/<glue> is not closed"] == 0.25
    assert figures["reward/format"] == 0.5


def test_zoom_asks_the_reference_about_the_spans_alone(model, make, video, choice, written, monkeypatch):
    solver = make(rewards=SolverWeights())
    seen = []

    def choose(prompts, choices):
        assert model.roles.acting is None
        seen.extend((p.video.times_s[:, 0].tolist(), p.reply, c) for p, c in zip(prompts, choices, strict=True))
        return torch.tensor([[0.0, 1.0, 0.0, 0.0]]).expand(len(prompts), -1)

    monkeypatch.setattr(model, "choose", choose)
    written(lambda prompt, member: RIGHT if member % 2 else WRONG)
    _, figures = policy_loss(solver, [choice], [video], torch.Generator())
    assert figures["reward/zoom"] == 0.5  # paid to the two right ones; wrong ones are not even asked
    assert len(seen) == 2 and set(seen[0][0]) <= {102.0, 104.0, 106.0, 108.0}
    assert seen[0][1:] == ("<answer>", ["A</answer>", "B</answer>", "C</answer>", "D</answer>"])


def test_a_rollout_of_another_policy_stops_the_run(solver, model, video, choice, written, monkeypatch):
    written(lambda prompt, member: RIGHT if member % 2 else WRONG)
    honest = model.sample
    lie = lambda *rest: (lambda d: replace(d, log_probs=d.log_probs - 0.5))(honest(*rest))  # noqa: E731
    monkeypatch.setattr(model, "sample", lie)
    with pytest.raises(TevoError, match="not one policy"):
        policy_loss(solver, [choice], [video], torch.Generator())


def test_a_real_rollout_goes_through(solver, video, choice, when):
    loss, figures = policy_loss(solver, [choice, when], [video, video], torch.Generator().manual_seed(0))
    assert loss.item() == 0.0 and figures["reward/format"] == 0.0 and figures["tokens"] > 8  # random: does not parse


def test_a_dead_group_is_answered_anew(make, video, choice, written):
    solver, turns = make(words=replace(WORDS, refills=1)), []

    def write(prompt, member):
        turns.append(member)
        return RIGHT if len(turns) > 4 and member % 2 else WRONG

    written(write)
    loss, figures = policy_loss(solver, [choice], [video], torch.Generator())
    assert len(turns) == 8 and loss.item() != 0.0
    assert figures["dead_groups"] == 1.0 and figures["refilled"] == 1.0


def test_a_closer_look_is_taken_of_the_spans(make, model, video, choice, written):
    looked = []
    near = replace(video, closer=lambda spans: looked.append(spans) or video.watched)
    written(lambda prompt, member: RIGHT if member % 2 else WRONG)
    make(rewards=SolverWeights()).gather([choice], [near], torch.Generator())
    assert {span for spans in looked for span in spans} == {Span(104.0, 108.0)}


def test_what_is_said_is_what_was_written_with_its_probabilities(solver, video, choice, when, written):
    written(lambda prompt, member: RIGHT if "A)" in prompt.text else RIGHT[RIGHT.index("<glue>") :])
    said, placed = solver_says(solver, [choice, when], video)
    assert said.answer == "a cat" and said.completion == RIGHT and said.parsed
    assert sum(said.option_probs.values()) == pytest.approx(1.0) and said.confidence == said.option_probs["a cat"]
    assert placed.answer == "" and placed.confidence is None and placed.spans[0][0] == Span(104.0, 108.0)
    assert 0.0 < placed.spans[0][1] < 1.0


def test_what_cannot_be_read_is_no_answer(solver, video, choice, written):
    written(lambda prompt, member: "<answer>neither</answer>")
    (said,) = solver_says(solver, [choice], video)
    assert said.answer == "" and said.confidence is None and not said.parsed and said.spans == []
    assert said.completion == "<answer>neither</answer>"


def solver_says(solver, questions, video):
    tokens = VideoTokens(torch.zeros(1, 1, 1), torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.bool))
    limits = torch.tensor([video.limits.start_s]), torch.tensor([video.limits.end_s])
    batch = VideoBatch([video.name], tokens, tokens, tokens, *limits, watched=(video.watched,))
    rows = torch.zeros(len(questions), dtype=torch.long)
    return solver.say(batch, questions, rows, [video.limits] * len(questions))


def test_a_tower_of_its_own_is_refused(make):
    with pytest.raises(TevoError, match="train_vision"):
        make(tower=TowerConfig(trainable="all"))
