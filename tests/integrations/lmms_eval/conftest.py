"""A trained Solver's folder, benchmarks as a user has them, and stand-ins for what lmms-eval hands over."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tevo import read_benchmark
from tevo.backbones import build_backbone
from tevo.data.views import ViewPlan
from tevo.integrations.lmms_eval import TASKS
from tevo.integrations.lmms_eval.benchmarks import FIGURES, make_rows
from tevo.prompts.phrases import load_phrases
from tevo.tasks.folders import Release, save_solver
from tevo.tasks.solver import Solver
from tevo.tasks.solving import SolverConfig

DATA = Path(__file__).parents[2] / "data"
CLIP = DATA / "videos" / "made" / "events7_vfr.mp4"  # 23 s


@pytest.fixture(scope="session")
def solver_folder(tmp_path_factory):
    """A Solver on the shipped tiny CLIP, whose weights are not those of its zero-shot beginnings."""
    torch.manual_seed(0)
    backbone = build_backbone("clip_tiny")
    solver = Solver(backbone.spec.dim, 128, backbone, SolverConfig())
    with torch.no_grad():
        for weight in solver.policy.parameters():
            weight += 0.1 * torch.randn(weight.shape)
    folder = tmp_path_factory.mktemp("run") / "hf" / "round-1" / "solver"
    plan = ViewPlan(1.5, 30, 3, 4, torch.float32)
    save_solver(folder, solver, Release(backbone, {}, plan, load_phrases("world"), {"round": 1}))
    return folder


@pytest.fixture(scope="session")
def benchmarks(tmp_path_factory):
    """What TEVO_BENCHMARKS names: NExT-GQA's first rows and the other sets' made-up ones; every video is one clip."""
    root = tmp_path_factory.mktemp("benchmarks")
    for name in FIGURES:
        shutil.copytree(DATA / "annotations" / name, root / name)
        for question in read_benchmark(name, root / name).questions:
            video = root / name / "videos" / question.video
            video = video if video.suffix == ".mp4" else video.with_name(f"{video.name}.mp4")
            video.parent.mkdir(parents=True, exist_ok=True)
            if not video.is_symlink():
                video.symlink_to(CLIP)
    return root


class Rows(list):
    """Stands for a `datasets.Dataset`."""

    from_list = classmethod(lambda cls, rows: cls(rows))


@pytest.fixture
def rows_of(benchmarks, monkeypatch):
    """Rows of a shipped task, as lmms-eval would make them."""
    monkeypatch.setenv("TEVO_BENCHMARKS", str(benchmarks))
    return lambda name: make_rows(Rows([{"benchmark": name}]))


@pytest.fixture
def prompts_of():
    """The prompt's surroundings that a shipped task names."""
    return lambda name: load_task(name)["lmms_eval_specific_kwargs"]["default"]


def load_task(name):
    """A task file as lmms-eval reads it, functions by name."""
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("!function", lambda loader, node: node.value)
    task = yaml.load((TASKS / f"{name}.yaml").read_text(), loader)
    return yaml.load((TASKS / task.pop("include")).read_text(), loader) | task
