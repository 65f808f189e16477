import pytest
import torch

from tevo.objectives.consensus import pseudo_labels
from tevo.structures import Span
from tevo.tasks.judge import Examination
from tevo.tasks.language.questioner import LanguageQuestioner, LanguageQuestionerConfig
from tevo.tasks.language.viewed import touching

CONFIG = LanguageQuestionerConfig(group=3, max_new_tokens=60)
ASK = (
    "<evidence>[(0.0, 4.0)]</evidence><type>multiple choice</type><question>What does {} do?</question>"
    "<options>A) it jumps B) it sits</options><answer>A</answer>"
)


def examination(agreement, with_video):
    """What a Solver made of the questions, one number each."""
    number = len(agreement)
    vote = pseudo_labels(
        torch.zeros(number, 10, dtype=torch.long), torch.full((number,), 2), torch.zeros(number, 10, 1, 2),
        torch.zeros(number, 10, 1, dtype=torch.bool), torch.zeros(number, dtype=torch.bool),
    )._replace(agreement=torch.tensor(agreement))  # fmt: skip
    nothing = torch.zeros(number)
    return Examination(
        vote, nothing[:, None].long(), torch.zeros(number, 1, 1, 2), torch.zeros(number, 1, 1, dtype=torch.bool),
        torch.tensor(with_video), nothing, nothing, nothing, nothing, nothing,
    )  # fmt: skip


@pytest.fixture
def questioner(model):
    model.add_role("questioner")
    return LanguageQuestioner(model, "questioner", CONFIG)


@pytest.fixture
def eventful(video):
    """Nothing changes but in the middle."""
    values = torch.ones_like(video.watched.values) + 0.01 * video.watched.values
    values[:, 4:6] = -values[:, 4:6]
    from dataclasses import replace

    return replace(video, watched=replace(video.watched, values=values))


def test_windows_lie_around_what_changes(questioner, eventful):
    windows = questioner.windows(eventful)
    assert windows and all(window.start_s >= 100.0 and window.end_s <= 120.0 for window in windows)
    assert any(bool(touching(eventful.watched, [window])[4:6].any()) for window in windows)
    assert all(window.length_s < 20.0 for window in windows)


def test_a_window_is_all_that_is_seen_and_seconds_come_back_whole(questioner, eventful, written):
    shown = []
    written(lambda prompt, member: shown.append(prompt.video.num_steps) or ASK.format("a dog"))
    made = questioner.write([eventful], ["when", "what"], 2, torch.Generator().manual_seed(0), "1")
    question = made.questions[0][0]
    assert shown[0] < eventful.watched.num_steps and "Kinds: when, what." in made.prompts[0].text
    assert question.window.start_s > 100.0 and question.evidence[0].start_s == pytest.approx(question.window.start_s)
    assert len({q.id for q in made.questions[0]}) == 2 and question.video == "a.mp4"


def test_the_full_view_has_no_window(model, eventful, written):
    model.add_role("questioner")
    asker = LanguageQuestioner(model, "questioner", LanguageQuestionerConfig(view="full"))
    written(lambda prompt, member: ASK.format("a dog"))
    question = asker.write([eventful], [], 1, torch.Generator(), "1").questions[0][0]
    assert question.window is None and question.evidence == (Span(100.0, 104.0),)


def test_faults_are_counted_and_earn_nothing(questioner, eventful, written):
    written(
        lambda prompt, member: (ASK.format("a dog"), "well", ASK.format("a pan").replace("(0.0, 4.0)", "(4.0, 0.0)"))[
            member
        ]
    )
    asked = questioner.write([eventful], [], 3, torch.Generator().manual_seed(0), "1")
    assert asked.gate.tolist() == [[True, False, False]]
    assert asked.faults["a span is reversed"] == 1 and asked.faults["no <evidence>"] == 1
    total, terms = questioner.reward(asked, [eventful], lambda questions, videos: examination([0.5], [0.6]))
    assert terms["format"].tolist() == [[1.0, 0.0, 0.0]] and total[0, 1:].tolist() == [0.0, 0.0]
    assert total[0, 0] > 0.5  # learnable, and it needs the video


def test_repeating_oneself_costs(questioner, eventful, written):
    nouns = ("a dog", "a dog", "the small blue pan over there")
    written(lambda prompt, member: ASK.format(nouns[member]))
    asked = questioner.write([eventful], [], 3, torch.Generator().manual_seed(0), "1")
    total, terms = questioner.reward(asked, [eventful], lambda questions, videos: examination([0.5] * 3, [0.0] * 3))
    assert terms["repetition"][0].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3]) and total[0, 2] > total[0, 0]


def test_better_questions_become_likelier(model, questioner, eventful, written):
    texts = [ASK.format(noun) for noun in ("a dog", "the pan", "it")]
    written(lambda prompt, member: texts[member])
    weights = list(model.roles.copies["questioner"].model.language_model.parameters())
    prompts = questioner.write([eventful], [], 3, torch.Generator().manual_seed(0), "1").prompts

    def likelihoods():
        with torch.no_grad(), model.acting("questioner"):
            return model.log_probs(prompts, model.encode_reply([texts])).log_probs.sum(-1)[0]

    before = likelihoods()
    optimizer = torch.optim.SGD(weights, lr=0.02)
    seed = torch.Generator().manual_seed(0)
    loss, figures = questioner.loss([eventful], [], lambda *_: examination([0.5, 1.0, 1.0], [0.5] * 3), seed, "1")
    assert figures["reward/format"] == 1.0 and figures["mismatch"] < 1e-4
    with model.acting("questioner"):
        loss.backward()
    optimizer.step()
    gain = likelihoods() - before
    assert gain[0] > gain[1] and gain[0] > gain[2]


def test_a_group_without_variance_gives_no_update(questioner, eventful, written):
    written(lambda prompt, member: "well")
    loss, figures = questioner.loss([eventful], [], lambda *_: None, torch.Generator(), "1")
    assert loss is None and figures["zero_variance"] == 1.0 and figures["reward/format"] == 0.0
