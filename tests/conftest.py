"""What every test runs under: no network, one thread, caches and figures that leave nothing behind."""

import os

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
