"""The best reply and the chances of the choices, out of one reading, are those of separate readings."""

from dataclasses import replace

import pytest
import torch

from tevo.backbones.language import LanguageModel, Prompt

TEXTS = ("When does this happen: the red shape grows?", "What happens first?", "Say hello.")


def test_the_best_reply_and_its_choices_are_those_of_separate_readings(model, video, random_frames):
    other = model.watch(random_frames(3, 40, 70, seed=1), torch.tensor([0.0, 0.1, 2.0]), 20)
    prompts = [Prompt(text, seen) for text in (*TEXTS, TEXTS[0]) for seen in (video, None, other)]
    choices = [["<answer>A</answer>", "<answer>no</answer>", "x"][: number % 4] for number in range(len(prompts))]
    asked = prompts, choices, 12, ("q",)
    told, expected = model.best(*asked), LanguageModel.best(model, *asked)
    assert torch.equal(told.completions.tokens, expected.completions.tokens)
    assert told.completions.texts == expected.completions.texts
    assert torch.equal(told.completions.closed, expected.completions.closed)
    torch.testing.assert_close(told.completions.log_probs, expected.completions.log_probs, atol=1e-5, rtol=0)
    torch.testing.assert_close(told.choices, expected.choices, atol=1e-5, rtol=0)


@pytest.mark.parametrize("at_once", [1, 200])
def test_a_best_reply_does_not_hang_on_what_is_read_with_it(model, video, at_once, monkeypatch):
    prompts = [Prompt(text, seen) for text in TEXTS for seen in (video, None)]
    choices = [["<answer>A</answer>"]] * len(prompts)
    together = model.best(prompts, choices, 6, ())
    monkeypatch.setattr(model, "max_tokens_at_once", at_once)
    apart = model.best(prompts, choices, 6, ())
    assert torch.equal(together.completions.tokens, apart.completions.tokens)
    torch.testing.assert_close(together.choices, apart.choices, atol=1e-5, rtol=0)


def test_a_best_reply_without_any_choices(model, video):
    told = model.best([Prompt(TEXTS[0], video), Prompt(TEXTS[2])], [[], []], 5, ())
    assert told.choices.shape == (2, 0) and told.completions.mask.shape == (2, 1, 5)


def test_a_trained_tower_encodes_a_shared_video_once(seeing, prompts, monkeypatch):
    asked = [replace(prompt, text=text) for prompt in prompts for text in TEXTS]
    choices = [["<answer>A</answer>", "x"]] * len(asked)
    expected = LanguageModel.best(seeing, asked, choices, 4, ())
    encoded, encode = [], seeing._encode
    monkeypatch.setattr(
        seeing, "_encode", lambda model, patches, grid: encoded.append(len(patches)) or encode(model, patches, grid)
    )
    told = seeing.best(asked, choices, 4, ())
    assert sum(encoded) == sum(prompt.video.num_steps for prompt in prompts if prompt.video is not None)
    torch.testing.assert_close(told.choices, expected.choices, atol=1e-5, rtol=0)
