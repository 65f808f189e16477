"""Rollout and update are one policy: with the weights that are shipped, on videos of the world."""

import json

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.structures import Question, Span
from tevo.tasks.language.solver import LanguageSolver
from tevo.tasks.language.viewed import Viewed
from tevo.tasks.solving import SolverConfig
from tevo.tasks.words import Words
from tevo.video import probe, read_frames, uniform

BOUND = 1e-4  # nats; words.max_mismatch allows 500 times as much
CONFIG = SolverConfig(group=4, outcome_gate=False, words=Words(max_new_tokens=48, refills=0))


@pytest.fixture
def asked(world):
    """Questions that the first two videos are asked."""
    rows = [json.loads(line) for line in (world / "test" / "annotations.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["vid"] in sorted({row["vid"] for row in rows})[:2]]
    return [
        Question(row["qid"], row["vid"], row["query"], row["kind"], tuple(row["options"]), row["answer"],
                 tuple(Span(*pair) for pair in row["relevant_windows"]))
        for row in rows[:8]
    ]  # fmt: skip


def watched(model, path, max_tokens):
    info = probe(str(path))
    frames = read_frames(str(path), uniform(info, fps=2.0, max_frames=64))
    with torch.no_grad():
        seen = model.watch(frames.frames, frames.times_s, max_tokens, info.start_s)
    return Viewed(path.name, seen, Span(info.start_s, info.end_s))


@pytest.mark.parametrize("trainable", ["all", pytest.param("lora_all", id="adapters")])
def test_the_first_update_scores_what_was_drawn_as_it_was_drawn(trainable, world, asked):
    if trainable != "all":
        pytest.importorskip("peft")
    model = build_backbone("qwen2_5_vl_tiny", trainable=trainable)
    solver = LanguageSolver(model, CONFIG)
    videos = {name: watched(model, world / "test" / name, 64 + 32 * n) for n, name in
              enumerate(sorted({question.video for question in asked}))}  # fmt: skip
    gathered = solver.gather(asked, [videos[q.video] for q in asked], torch.Generator().manual_seed(0))
    drawn = gathered.drawn
    assert drawn.texts and len({len(text) for row in drawn.texts for text in row}) > 1  # rows of different length
    scores = model.log_probs(gathered.prompts, drawn, CONFIG.words.temperature).log_probs
    difference = (scores - drawn.log_probs)[drawn.mask].abs()
    _, figures = solver.update(gathered)
    assert difference.mean() < BOUND / 10 and figures["mismatch"] == pytest.approx(float(difference.max()), abs=1e-6)
    assert figures["mismatch"] < BOUND and figures["ratio"] == pytest.approx(1.0, abs=BOUND)
