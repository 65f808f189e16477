"""A Solver's folder on the shipped tiny CLIP, a few real clips, and annotations of them."""

import json
from pathlib import Path

import pytest
import torch

from tevo.backbones import build_backbone
from tevo.data.views import ViewPlan
from tevo.evaluation import BenchmarkChoice, EvalSpec
from tevo.tasks.folders import Release, save_solver
from tevo.tasks.solver import Solver, SolverConfig

CLIPS = Path(__file__).parents[1] / "data" / "videos"
LONG = "made/events7_vfr.mp4"  # 23 s
SHORT = "decord/video_0.mov"
PHRASES = ("a door opens", "a pan falls", "a dog barks", "a light goes out", "a cup breaks")
OPTIONS = ["a door opens", "a pan falls", "a dog barks"]
PLAN = ViewPlan(1.0, 24, 1, 0, torch.float32)


def save(folder, shaken, seed=0, plan=PLAN):
    torch.manual_seed(seed)
    backbone = build_backbone("clip_tiny")
    solver = Solver(128, 128, backbone, SolverConfig())
    with torch.no_grad():
        for weight in solver.policy.parameters():
            weight += shaken * torch.randn(weight.shape)
    save_solver(folder, solver, Release(backbone, {}, plan, PHRASES))
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """``run/hf/round-0/solver``, zero-shot, and ``round-1``, whose weights are others; and what they keep."""
    root = tmp_path_factory.mktemp("runs")
    save(root / "run" / "hf" / "round-0" / "solver", 0.0)
    save(root / "run" / "hf" / "round-1" / "solver", 0.1)
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def spec():
    def make(**parts):
        return EvalSpec(**{"fps": 1.0, "max_frames": 24, "dense_factor": 1, "dtype": torch.float32} | parts)

    return make


@pytest.fixture
def row():
    def make(qid, video=LONG, **parts):
        asked = {"qid": qid, "vid": video, "query": "What happens first?", "duration": 23.4}
        return asked | {"options": OPTIONS, "answer": OPTIONS[1], "relevant_windows": [[2.0, 6.0]]} | parts

    return make


@pytest.fixture
def rows(row):
    """Two videos; three choices and a bare sentence."""
    return [
        row("a"),
        row("b", query="a dog barks.", options=[], answer="", relevant_windows=[[10.0, 14.0]]),
        row("c", SHORT, duration=3.0, relevant_windows=[[0.0, 1.0]]),
        row("d", query="What happens last?", relevant_windows=[[20.0, 22.0]]),
    ]


@pytest.fixture
def written(tmp_path):
    def write(rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
        return path

    return write


@pytest.fixture
def choice(written, rows):
    def make(some=None, **parts):
        annotations = written(rows if some is None else some)
        return BenchmarkChoice(**{"name": "generic", "annotations": annotations, "videos": CLIPS} | parts)

    return make
