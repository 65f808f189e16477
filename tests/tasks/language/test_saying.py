"""Answers of many questions put together are those of each question put by itself, every part of it read anew."""

from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.backbones.language import Prompt, Sampling
from tevo.prompts.solver import STOP, letter_of, solver_prompt
from tevo.prompts.templates import load_templates
from tevo.structures import Question, Role, Span
from tevo.tasks.language.reading import read_completions
from tevo.tasks.language.saying import say_all
from tevo.tasks.language.viewed import Viewed
from tevo.tasks.words import Words
from tevo.video import probe, read_frames

CLIPS = Path(__file__).parents[2] / "data" / "videos" / "made"
OPTIONS = ("the red circle grows", "the blue square spins", "the green star blinks")
WORDS = Words("tiny", max_new_tokens=40)
ASKED = {
    "events7_vfr.mp4": [
        Question("a", "", "What happens first?", "first", OPTIONS),
        Question("b", "", "What happens last?", "last", OPTIONS[:2]),
        Question("c", "", "When does this happen: the red circle grows?", "when"),
        Question("d", "", "What happens first?", "first", OPTIONS),
    ],
    "cut_60pct.mkv": [
        Question("e", "", "When does this happen: the red circle grows?", "when"),
        Question("f", "", "What is seen?", "open"),
    ],
    "two_frames_1fps.mp4": [Question("g", "", "What happens first?", "first", OPTIONS)],
}


@pytest.fixture(scope="module")
def model():
    """The shipped weights: they write what can be read."""
    return build_backbone("qwen2_5_vl_tiny")


@pytest.fixture(scope="module")
def asked(model):
    """Questions, the videos that they are about and their prompts; the videos' questions in turn."""
    rows = []
    for name, questions in ASKED.items():
        info = probe(str(CLIPS / name))
        times_s = torch.linspace(info.start_s, info.end_s - 0.1, 12)
        frames = read_frames(info, times_s)
        watched = model.watch(frames.frames, frames.times_s, 96, info.start_s)
        viewed = Viewed(name, watched, Span(info.start_s, info.end_s))
        for number, question in enumerate(questions):
            text = solver_prompt(question, viewed.limits.length_s, load_templates("tiny"))
            rows.append((number, question, viewed, Prompt(text, watched)))
    rows.sort(key=lambda row: row[0])
    return tuple(zip(*(row[1:] for row in rows), strict=True))


def alone(model, question, video, prompt):
    """One question in three readings: the reply, its tokens' probabilities, and the options'."""
    drawn = model.sample([prompt], 1, Sampling(WORDS.max_new_tokens, 1e-7, STOP), torch.Generator().manual_seed(0))
    told = model.log_probs([prompt], drawn).log_probs[0, 0].detach()
    read = read_completions(drawn, [question], [video])
    roles = read.rollouts.roles[0, 0]
    sure, placed = (
        float(told[roles == role].mean().exp()) if bool((roles == role).any()) else 0.0
        for role in (Role.ANSWER, Role.EVIDENCE)
    )
    offered = {}
    if question.options:
        letters = [f"{letter_of(question, option)}</answer>" for option in question.options]
        probs = model.choose([Prompt(prompt.text, prompt.video, "<answer>")], [letters])[0].softmax(-1)
        offered = dict(zip(question.options, probs.tolist(), strict=True))
    return drawn.texts[0][0], sure, placed, offered


def test_answers_are_those_of_each_question_by_itself(model, asked):
    said = say_all(model, *asked, WORDS)
    assert len({one.completion for one in said}) > 2 and any(one.spans for one in said)
    assert {one.answer for one in said} & {*OPTIONS}
    for one, question, video, prompt in zip(said, *asked, strict=True):
        text, sure, placed, offered = alone(model, question, video, prompt)
        assert one.completion == text
        assert one.option_probs == pytest.approx(offered, abs=1e-5)
        assert [place for _, place in one.spans] == pytest.approx([placed] * len(one.spans), abs=1e-5)
        if question.kind != "when" and one.answer:
            assert one.confidence == pytest.approx(offered.get(one.answer, sure), abs=1e-5)


def test_what_prompts_have_in_common_is_read_once(model, asked, monkeypatch):
    """The text model sees each video's tokens once, whatever the number of questions and options."""
    reads, read = [], model._read
    monkeypatch.setattr(model, "_read", lambda packed: reads.append(len(packed.video_at)) or read(packed))
    say_all(model, *asked, WORDS)
    videos = {id(prompt.video): prompt.video.num_tokens for prompt in asked[2]}
    assert reads == [sum(videos.values())]
