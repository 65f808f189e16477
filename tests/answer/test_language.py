"""A Solver that speaks, asked about real videos: what it is shown, what is read of its reply, what it costs."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch

from tevo.answer import Answerer
from tevo.backbones import build_backbone
from tevo.backbones.language import LanguageModel
from tevo.data.views import ViewPlan
from tevo.structures import Question
from tevo.tasks.casting import cast_solver
from tevo.tasks.folders import Release
from tevo.tasks.matching import describe_backbone
from tevo.tasks.solving import SolverConfig

CLIPS = Path(__file__).parents[1] / "data" / "videos"
LONG = CLIPS / "made" / "events7_vfr.mp4"  # 23.4 s, from second 0
OPTIONS = ["a door opens", "a pan falls", "a dog barks"]
PLAN = ViewPlan(1.0, 12, 1, 0, torch.float32, 96)


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    backbone = build_backbone("qwen2_5_vl_tiny", pretrained=False)
    solver = cast_solver(backbone, describe_backbone(backbone), SolverConfig())
    return Answerer(solver, Release(backbone, {}, PLAN, ()), tmp_path)


@pytest.fixture
def write(model, monkeypatch):
    """Make the model write what a function of the prompt says; returns the prompts it was given."""
    backbone, prompts = model.store.backbone, []

    def use(words):
        def sample(given, num_samples, sampling, generator):
            prompts.extend(given)
            drawn = backbone.encode_reply([[words(prompt)] * num_samples for prompt in given])
            return drawn

        monkeypatch.setattr(backbone, "sample", sample)
        monkeypatch.setattr(backbone, "best", partial(LanguageModel.best, backbone))
        return prompts

    return use


def test_a_choice_is_read_from_its_letter_with_its_spans_and_cost(model, write):
    prompts = write(lambda prompt: "<answer>B</answer><glue>[(4.0, 8.0), (10.0, 11.5)]</glue>")
    answer = model.answer(LONG, "What happens first?", OPTIONS)
    assert (answer.answer, answer.parsed, answer.path) == ("a pan falls", True, "single pass")
    assert [(span.start_s, span.end_s) for span in answer.spans] == [(4.0, 8.0), (10.0, 11.5)]
    assert answer.confidence == answer.option_probs["a pan falls"]
    assert sum(answer.option_probs.values()) == pytest.approx(1, abs=1e-5)
    assert answer.completion.startswith("<answer>B") and "A) a door opens" in prompts[0].text
    assert answer.token_forwards > prompts[0].video.num_tokens > 0


def test_what_cannot_be_read_is_no_answer_and_no_default_letter(model, write):
    write(lambda prompt: "I think so.")
    for way in ("single", "coarse_to_fine", "divide_and_conquer"):
        answer = model.answer(LONG, "What happens first?", OPTIONS, answering=way)
        assert (answer.answer, answer.parsed, answer.confidence) == (None, False, 0.0)
        assert str(answer) == "unreadable: I think so."


def test_an_open_answer_is_in_its_own_words(model, write):
    write(lambda prompt: "<answer>a cup of tea</answer><glue>[(1.0, 2.0)]</glue>")
    answer = model.answer(LONG, "What is on the table?")
    assert answer.answer == "a cup of tea" and 0 < answer.confidence < 1 and answer.option_probs == {}


def test_a_closer_look_shows_the_spans_at_more_detail_and_in_the_same_seconds(model, write):
    prompts = write(lambda prompt: "<glue>[(12.0, 13.0)]</glue>")
    answer = model.answer(LONG, "When does this happen: a pan falls?", answering="coarse_to_fine")
    coarse, fine = (prompt.video for prompt in prompts)
    assert coarse.origin_s == fine.origin_s and float(fine.times_s.min()) >= 2.0 and float(fine.times_s.max()) <= 23.0
    assert [look.name for look in answer.looks] == ["whole video", "closer"]
    assert answer.spans[0].start_s == 12.0


def test_chunks_are_shown_one_by_one(model, write):
    prompts = write(lambda prompt: "<answer>C</answer><glue>[(12.0, 13.0)]</glue>")
    answer = model.answer(LONG, "What happens last?", OPTIONS, answering="divide_and_conquer")
    assert answer.path == "divide and conquer: 2 of 2 chunks agree" and len(prompts) == 2
    assert float(prompts[0].video.times_s.max()) <= 12.0 <= float(prompts[1].video.times_s.max())


def test_subtitles_stand_in_the_prompt_when_asked_for_alone(model, write, tmp_path):
    video = tmp_path / "clip.mp4"
    shutil.copy(LONG, video)
    (tmp_path / "clip.srt").write_text("1\n00:00:01,000 --> 00:00:04,000\na pan <b>falls</b> <|video_pad|>\n")
    prompts = write(lambda prompt: "<answer>B</answer><glue>[(1.0, 4.0)]</glue>")
    plain = model.answer(video, "What happens first?", OPTIONS)
    spoken = model.answer(video, "What happens first?", OPTIONS, subtitles=True)
    assert "Subtitles" not in prompts[0].text
    assert prompts[1].text.startswith("Subtitles:\n[1.0 - 4.0] a pan falls")
    assert prompts[1].text.endswith(prompts[0].text)
    assert spoken.token_forwards > plain.token_forwards and spoken.subtitles[0].text.startswith("a pan falls")


def test_it_says_something_by_itself(model):
    answer = model.answer(LONG, "What happens first?", OPTIONS)
    assert answer.completion is not None and len(answer.looks) == 1


def test_questions_about_several_videos_are_put_together_and_answered_in_their_order(model, write, monkeypatch):
    monkeypatch.setattr("tevo.answer.language.QUESTIONS_AT_ONCE", 2)
    words = "<answer>{}</answer><glue>[(0.0, {}.0)]</glue>"
    prompts = write(lambda prompt: words.format("BA"["first" in prompt.text], prompt.video.num_steps))
    short = CLIPS / "made" / "two_frames_1fps.mp4"
    asked = [
        (LONG, "last"),
        (short, "first"),
        (CLIPS / "made" / "text_named.mp4", "first"),
        (LONG, "first"),
        (short, "last"),
    ]
    questions = [Question("q", str(path), f"What happens {when}?", when, tuple(OPTIONS)) for path, when in asked]
    replies = model.answer_all(questions, progress=False)
    assert len(prompts) == 4
    assert [reply.reason for reply in replies] == ["", "", "not a video", "", ""]
    for (path, when), reply in zip(asked, replies, strict=True):
        if reply.answer is not None:
            alone = model.answer(path, f"What happens {when}?", OPTIONS)
            assert (reply.answer.answer, reply.answer.spans) == (alone.answer, alone.spans)
            assert reply.answer.option_probs == pytest.approx(alone.option_probs, abs=1e-5)
