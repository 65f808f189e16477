from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.backbones.language import LanguageModel
from tevo.structures import Question, Span
from tevo.tasks.language.viewed import Viewed

OPTIONS = ("a dog", "a cat", "a cow", "a hen")


@pytest.fixture(scope="session")
def talking():
    """The module beside this one, which a fit in a process of its own reads too."""
    spec = spec_from_file_location("talker", Path(__file__).parent / "talker.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model():
    """Random weights; each test has its own."""
    torch.manual_seed(0)
    return build_backbone("qwen2_5_vl_tiny", pretrained=False)


@pytest.fixture
def video(model):
    """Twenty seconds that begin at second 100, as ten steps."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (20, 3, 32, 32), generator=generator).to(torch.uint8)
    watched = model.watch(frames, 100 + torch.arange(20.0), 40)
    return Viewed("a.mp4", watched, Span(100.0, 120.0))


@pytest.fixture
def choice():
    return Question("q", "a.mp4", "What happens first?", "first", OPTIONS, "a cat", (Span(104.0, 108.0),))


@pytest.fixture
def when():
    return Question("w", "a.mp4", "When does this happen: a dog?", "when", (), "", (Span(104.0, 108.0),))


@pytest.fixture
def written(model, monkeypatch):
    """Make the model write given texts: ``written(lambda prompt, member: text)``."""

    def use(write, role=None):
        def sample(prompts, num_samples, sampling, generator):
            texts = [[write(prompt, member) for member in range(num_samples)] for prompt in prompts]
            given = model.encode_reply(texts)
            told = model.log_probs(prompts, given, sampling.temperature).log_probs.detach()
            return type(given)(given.tokens, given.mask, told, given.ends, given.texts, given.closed)

        monkeypatch.setattr(model, "sample", sample)
        monkeypatch.setattr(model, "best", partial(LanguageModel.best, model))

    return use
