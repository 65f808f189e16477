"""What every test runs under: no network, one thread, caches and figures that leave nothing behind."""

import gc
import os
from dataclasses import replace

# Before torch, transformers or matplotlib is imported by any test module. Worker processes inherit them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import pytest


@pytest.fixture(scope="session", autouse=True)
def caches_in_tmp(tmp_path_factory):
    """Point every cache at a throwaway folder: a test neither reads nor feeds the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("caches")
        for name in ("XDG_CACHE_HOME", "HF_HOME", "TORCH_HOME", "MPLCONFIGDIR"):
            patch.setenv(name, str(root / name.lower()))
        yield root


ASKED = "<evidence>[(0.0, {}.5)]</evidence><type>when</type><question>When does it {}?</question><answer></answer>"


@pytest.fixture
def dealt_words(monkeypatch):
    """Language models with random weights write what parses, dealt by the draws' generator; all else is real."""
    import torch

    from tevo.backbones.language import LanguageModel
    from tevo.backbones.qwen_vl import QwenVL

    def words(text, generator):
        number = torch.randint(60, (2,), generator=generator).tolist()
        if "Write one question" in text:
            return ASKED.format(1 + number[0] % 2, ("grow", "spin", "blink")[number[1] % 3])
        spans = f"<glue>[({number[0] % 2}.0, {number[0] % 2 + 2}.0)]</glue>"
        return spans if "Say when it happens" in text else f"<answer>{'AB'[number[1] % 2]}</answer>{spans}"

    def sample(self, prompts, num_samples, sampling, generator):
        given = self.encode_reply([[words(p.text, generator) for _ in range(num_samples)] for p in prompts])
        with torch.no_grad():
            return replace(given, log_probs=self.log_probs(prompts, given, sampling.temperature).log_probs)

    monkeypatch.setattr(QwenVL, "sample", sample)
    monkeypatch.setattr(QwenVL, "best", LanguageModel.best)  # by way of what it samples


@pytest.fixture
def two_layers(monkeypatch):
    """The full-size backbones, two layers deep: all the sizes a test can ask for, at a tenth of the memory."""
    import open_clip

    from tevo.backbones import internvid, videomae
    from tevo.backbones.qwen_vl import variants

    published = open_clip.get_model_config

    def config(name):
        found = published(name)
        for tower in ("vision_cfg", "text_cfg"):
            found[tower]["layers"] = 2
        return found

    for module in (open_clip, open_clip.factory):
        monkeypatch.setattr(module, "get_model_config", config)
    for name in ("VICLIP_B16", "VICLIP_L14"):
        monkeypatch.setattr(internvid, name, replace(getattr(internvid, name), layers=2, text_layers=2))
    monkeypatch.setattr(videomae, "VIDEOMAE_BASE", {**videomae.VIDEOMAE_BASE, "num_hidden_layers": 2})
    text = {"hidden_size": 256, "intermediate_size": 256, "num_attention_heads": 2, "num_key_value_heads": 1}
    text |= {"num_hidden_layers": 2, "vocab_size": 576}
    tower = {"depth": 2, "hidden_size": 64, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 256}
    for name, deeper in (("QWEN2_5_VL_7B", "fullatt_block_indexes"), ("QWEN3_VL_8B", "deepstack_visual_indexes")):
        full = getattr(variants, name)  # narrow too: a layer of theirs has 0.2 billion numbers
        parts = {"text_config": text, "vision_config": tower | {deeper: [1]}}
        monkeypatch.setattr(variants, name, full | {part: full[part] | small for part, small in parts.items()})
    yield
    gc.collect()  # models hang in circles: they would wait for the collector, one beside the other
