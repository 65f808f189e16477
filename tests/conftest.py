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


@pytest.fixture
def two_layers(monkeypatch):
    """The full-size backbones, two layers deep: all the sizes a test can ask for, at a tenth of the memory."""
    import open_clip

    from tevo.backbones import internvid, videomae

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
    yield
    gc.collect()  # models hang in circles: they would wait for the collector, one beside the other
