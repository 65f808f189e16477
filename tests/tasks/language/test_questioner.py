from dataclasses import replace

import pytest
import torch

from tevo.data.datasets import VideoBatch
from tevo.objectives.consensus import pseudo_labels
from tevo.structures import Span, VideoTokens
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.examination import Examination
from tevo.tasks.language.questioner import LanguageQuestioner
from tevo.tasks.language.stretches import stretch, windows_of
from tevo.tasks.language.viewed import touching
from tevo.tasks.words import Words

CONFIG = QuestionerConfig(group=3, window_pad_s=3.0, kl=1e-2, words=Words(max_new_tokens=60))
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
    return LanguageQuestioner(model, CONFIG)


@pytest.fixture
def eventful(video):
    """Nothing changes but in the middle."""
    values = torch.ones_like(video.watched.values) + 0.01 * video.watched.values
    values[:, 4:6] = -values[:, 4:6]
    return replace(video, watched=replace(video.watched, values=values))


def batch(video):
    """One video as the loop has it."""
    tokens = VideoTokens(torch.zeros(1, 1, 1), torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.bool))
    limits = torch.tensor([video.limits.start_s]), torch.tensor([video.limits.end_s])
    return VideoBatch([video.name], tokens, tokens, tokens, *limits, watched=(video.watched,))


def test_windows_lie_around_what_changes(eventful):
    windows = windows_of(eventful, CONFIG)
    assert windows and all(window.start_s >= 100.0 and window.end_s <= 120.0 for window in windows)
    assert any(bool(touching(eventful.watched, [window])[4:6].any()) for window in windows)
    assert all(window.length_s < 20.0 for window in windows)


def test_a_window_is_all_that_is_seen_and_seconds_come_back_whole(questioner, eventful, written):
    shown = []
    written(lambda prompt, member: shown.append(prompt.video.num_steps) or ASK.format("a dog"))
    made = questioner.write([eventful], ["what"], 2, torch.Generator().manual_seed(0), "1")
    question = made.questions[0][0]
    assert shown[0] < eventful.watched.num_steps and "Kinds: what." in made.prompts[0].text
    assert question.window.start_s > 100.0 and question.evidence[0].start_s == pytest.approx(question.window.start_s)
    assert len({q.id for q in made.questions[0]}) == 2 and question.video == "a.mp4"


def test_the_full_view_has_no_window(model, eventful, written):
    asker = LanguageQuestioner(model, replace(CONFIG, view="full"))
    written(lambda prompt, member: ASK.format("a dog"))
    question = asker.write([eventful], ["when"], 1, torch.Generator(), "1").questions[0][0]
    assert question.window is None and question.evidence == (Span(100.0, 104.0),)


def test_faults_are_counted_and_earn_nothing(questioner, eventful, written):
    written(
        lambda prompt, member: (ASK.format("a dog"), "well", ASK.format("a pan").replace("(0.0, 4.0)", "(4.0, 0.0)"))[
            member
        ]
    )
    asked = questioner.write([eventful], ["what"], 3, torch.Generator().manual_seed(0), "1")
    assert asked.gate.tolist() == [[True, False, False]]
    assert asked.faults["a span is reversed"] == 1 and asked.faults["no <evidence>"] == 1
    total, terms = questioner.reward(asked, batch(eventful), lambda *_: examination([0.5], [0.6]))
    assert terms["format"].tolist() == [[1.0, 0.0, 0.0]] and total[0, 1:].tolist() == [0.0, 0.0]
    assert total[0, 0] > 0.5  # learnable, and it needs the video


def test_repeating_oneself_costs(questioner, eventful, written):
    nouns = ("a dog", "a dog", "the small blue pan over there")
    written(lambda prompt, member: ASK.format(nouns[member]))
    asked = questioner.write([eventful], ["what"], 3, torch.Generator().manual_seed(0), "1")
    total, terms = questioner.reward(asked, batch(eventful), lambda *_: examination([0.5] * 3, [0.0] * 3))
    assert terms["repetition"][0].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3]) and total[0, 2] > total[0, 0]


def test_better_questions_become_likelier(model, questioner, eventful, written):
    texts = [ASK.format(noun) for noun in ("a dog", "the pan", "it")]
    written(lambda prompt, member: texts[member])
    weights = list(questioner.weights.parameters())
    prompts = questioner.write([eventful], ["what"], 3, torch.Generator().manual_seed(0), "1").prompts

    def likelihoods():
        with torch.no_grad(), model.acting("questioner"):
            return model.log_probs(prompts, model.encode_reply([texts])).log_probs.sum(-1)[0]

    before = likelihoods()
    optimizer = torch.optim.SGD(weights, lr=0.02)
    seed = torch.Generator().manual_seed(0)
    made = questioner.gather(batch(eventful), ("what",), lambda *_: examination([0.5, 1.0, 1.0], [0.5] * 3), seed, "1")
    loss, figures = questioner.update(made)
    assert figures["reward/format"] == 1.0 and figures["mismatch"] < 1e-4
    loss.backward()
    optimizer.step()
    gain = likelihoods() - before
    assert gain[0] > gain[1] and gain[0] > gain[2]


def test_a_group_without_variance_gives_no_update(questioner, eventful, written):
    written(lambda prompt, member: "well")
    made = questioner.gather(batch(eventful), ("what",), lambda *_: None, torch.Generator(), "1")
    loss, figures = questioner.update(made)
    assert loss.item() == 0.0 and figures["zero_variance"] == 1.0 and figures["reward/format"] == 0.0


def test_a_draft_goes_through_the_kinds_and_says_what_failed(questioner, eventful, written):
    written(lambda prompt, member: ASK.format("a dog") if "what." in prompt.text else "well")
    made = questioner.draft(batch(eventful), ("when", "what"), torch.Generator().manual_seed(0), "1")
    assert len(made.questions) == 8 and made.rows.tolist() == [0] * 8  # of 16 a video, half
    assert made.faults == {"no <evidence>": 8}
    assert made.questions[0].completion == ASK.format("a dog")


def test_a_kind_that_was_not_asked_for_is_a_fault(questioner, eventful, written):
    other = ASK.format("a dog").replace("What does a dog do?", "What happens first?")
    written(lambda prompt, member: other)
    made = questioner.write([eventful], ["last"], 1, torch.Generator(), "1")
    assert not made.gate.any() and made.faults == {"a kind that was not asked for": 1}
    assert questioner.write([eventful], ["first"], 1, torch.Generator(), "1").gate.all()


def test_what_never_closes_its_tags_is_cut_off_and_counted_once(questioner, model, eventful, written, monkeypatch):
    written(lambda prompt, member: (ASK.format("a dog"), "<evidence>[(0.0, 4.0)]</evidence><type>when when")[member])
    whole = model.sample

    def cut(*given):
        drawn = whole(*given)
        return replace(drawn, closed=torch.tensor([[True, False]]))

    monkeypatch.setattr(model, "sample", cut)
    made = questioner.write([eventful], ["what"], 2, torch.Generator().manual_seed(0), "1")
    assert made.gate.tolist() == [[True, False]] and made.faults == {"cut off at the length bound": 1}


GARBLED = ASK.format("it").replace("What does it do?", "What happens4.4 s and 3.6 s?")


def test_words_of_ones_own_are_questions_only_where_they_are_wanted(questioner, eventful, written):
    """The garbled question is one that the shipped weights wrote."""
    texts = (GARBLED, ASK.format("it").replace("What does it do?", "What happens first?"))
    written(lambda prompt, member: texts[member])
    free = questioner.write([eventful], ["first"], 2, torch.Generator().manual_seed(0), "1")
    questioner.config = replace(CONFIG, free_text=False)
    strict = questioner.write([eventful], ["first"], 2, torch.Generator().manual_seed(0), "1")
    assert strict.gate.tolist() == [[False, True]] and free.gate.tolist() == [[True, True]]
    assert strict.faults == {"the question has none of the grammar's forms": 1} and not free.faults


def test_seconds_in_a_question_are_the_videos(questioner, eventful, written):
    written(
        lambda prompt, member: ASK.format("it").replace("What does it do?", "What happens between 1.0 s and 3.0 s?")
    )
    (question,) = questioner.write([eventful], ["what"], 1, torch.Generator().manual_seed(0), "1").questions[0]
    begin = question.window.start_s
    assert begin > 100.0 and question.text == f"What happens between {begin + 1:.1f} s and {begin + 3:.1f} s?"


WINDOWS = [Span(101.0, 104.0), Span(106.0, 109.0), Span(115.0, 118.0)]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("count", {(100.0, 120.0)}),
        ("first", {(100.0, 109.0)}),
        ("last", {(106.0, 120.0)}),
        ("before", {(101.0, 109.0), (106.0, 118.0)}),
        ("when", {(101.0, 104.0), (106.0, 109.0), (115.0, 118.0)}),
    ],
)
def test_a_stretch_holds_what_its_kind_is_about(eventful, kind, shown):
    drawn = [stretch(eventful, WINDOWS, kind, torch.Generator().manual_seed(seed)) for seed in range(20)]
    assert {(span.start_s, span.end_s) for span in drawn} == shown
