"""Stand-ins: backbones that cost nothing, weights for the tiny ones; a world of a few videos, and fits on it."""

import os
import signal
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from tevo.backbones import Backbone, BackboneSpec, TextEncoder, build_backbone
from tevo.backbones.tiny import save_tiny
from tevo.data.datamodule import VideoQuestions
from tevo.data.datasets import VideoBatch
from tevo.data.world import generate
from tevo.heads.evidence import HeadConfig
from tevo.objectives.consensus import PoolRule
from tevo.structures import VideoTokens
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.solver import SolverConfig

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_backbone.py"
LIMIT_S = 600  # far beyond what a fit takes; what hangs is killed, and the test fails
WORDS = ["a door opens", "a pan falls", "a dog barks", "a light goes out"]


class Colours(Backbone, TextEncoder):
    """No name in the registry, no weights but a palette."""

    def __init__(self, width=3, fingerprint="colours"):
        super().__init__()
        self.register_buffer("palette", torch.eye(width))
        self.spec = BackboneSpec("colours", width, 8, 1, 2.0, fingerprint)

    def encode_video(self, frames, times_s):
        values = frames.float().mean(dim=(-1, -2)) @ self.palette
        return VideoTokens(values, torch.stack([times_s, times_s + 0.5], -1), torch.ones_like(times_s).bool())

    def encode_text(self, texts):
        return self.palette[[len(text) % len(self.palette) for text in texts]]


@pytest.fixture
def colours():
    return Colours


@pytest.fixture(scope="module")
def stand_in_weights(tmp_path_factory):
    """In the place of the package's weights, so that `build_backbone(name)` gives the same backbone every time."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    ids = build_backbone("clip_tiny", pretrained=None).tokenizer(WORDS).unique().tolist()
    for name in ("clip_tiny", "videomae_tiny", "internvid_tiny"):
        save_tiny(build_backbone(name, pretrained=None).model, folder / f"{name}.safetensors", ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tevo.backbones.tiny.WEIGHTS", folder)
        yield folder


@pytest.fixture(scope="session")
def example():
    """The backbone of examples/: it knows colours, so that it finds and names events of the world without weights."""
    spec = spec_from_file_location("my_backbone", EXAMPLE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MyBackbone


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("worlds") / "tiny"
    generate(root, "tiny", workers=1)
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Where all fits keep what a backbone has seen."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="session")
def damage():
    def break_file(path):
        """Damage what is in a file; its size and its time of change stay, so that the index still trusts it."""
        status = path.stat()
        with path.open("r+b") as file:
            file.seek(48)
            file.write(bytes(status.st_size - 48))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return break_file


@pytest.fixture(scope="session")
def launch():
    def run(place, folder, *words, kill=None):
        """``tevo fit --config run.yaml`` in a folder, by a process that may start others; returns its exit status."""
        tevo = [str(Path(__file__).parent / "killer.py"), *map(str, kill)] if kill else ["-m", "tevo"]
        words = ["fit", "--config", "run.yaml", "--trainer.default_root_dir", folder, *words]
        own = {name: value for name, value in os.environ.items() if "RANK" not in name and "WORLD" not in name}
        process = subprocess.Popen(
            [sys.executable, *tevo, *words],
            cwd=place,
            env=own | {"OMP_NUM_THREADS": "1", "TEVO_DEBUG": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=LIMIT_S)
        finally:
            if process.poll() is None or kill:  # the other process is of the same session
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode in (0, -signal.SIGKILL), printed
        return process.returncode

    return run


@pytest.fixture
def data(world, cache):
    def make(annotated=True, **options):
        """The world's videos; every pooled question is trained on in every epoch."""
        settings = {"max_frames": 24, "videos_per_batch": 3, "questions_per_batch": 8, "workers": 1} | options
        settings.setdefault("progress", False)
        annotations = str(world / "test" / "annotations.jsonl") if annotated else None
        return VideoQuestions(str(world / "train"), annotations, cache_dir=str(cache), **settings)

    return make


@pytest.fixture
def model(example):
    def make(backbone=None, **options):
        """A small co-evolution of one short round; it asks of what it cannot name too, and its pool keeps all."""
        settings = {
            "rounds": 1,
            "pseudo_label_epochs": 1,
            "grpo_epochs": 1,
            "questioner": QuestionerConfig(min_naming=0.0, group=3, per_video=4),
            "solver": SolverConfig(group=4, head=HeadConfig(hidden=16, attention_heads=2, relation_layers=1)),
            "pool": PoolRule(agreement_low=0.0, agreement_high=1.0),
            "votes": 4,
            "checkpoint_every_steps": 1,
        }
        return CoEvolution(backbone or example(), **settings | options)

    return make


@pytest.fixture
def trainer(tmp_path):
    def make(folder="run", **options):
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
        return pl.Trainer(
            accelerator="cpu",
            max_epochs=-1,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            default_root_dir=tmp_path / folder,
            **quiet | options,
        )

    return make


CLAUSES = tuple(f"the {colour} shape {action}" for colour in ("red", "blue", "green") for action in ("grows", "spins"))


AXES = ("background", *CLAUSES, "once", "twice", "anything else")


class Concepts(Backbone, TextEncoder):
    """A space in which every clause of the bank has an axis of its own, and the background one before them."""

    def __init__(self):
        super().__init__()
        self.spec = BackboneSpec("concepts", len(AXES), 8, 1, 1.0, "concepts")

    def encode_video(self, frames, times_s):
        raise AssertionError("these tests begin with tokens")

    def encode_text(self, texts):
        return torch.eye(len(AXES))[[AXES.index(text) if text in AXES else -1 for text in texts]]


@pytest.fixture
def concepts():
    return Concepts()


@pytest.fixture
def clauses():
    return CLAUSES


@pytest.fixture
def bank(tmp_path):
    path = tmp_path / "clauses.txt"
    path.write_text("\n".join(CLAUSES))
    return str(path)


@pytest.fixture
def scene():
    """Videos of one-second tokens in which clauses happen: [(number of the clause, first second, last second), ...]."""

    def make(*videos, seconds=32, start_s=0.0, noise=0.02):
        rows = []
        for number, events in enumerate(videos):
            generator = torch.Generator().manual_seed(number)
            values = noise * torch.randn(seconds, len(AXES), generator=generator)
            values[:, 0] += 1.0
            for clause, first, last in events:
                values[first:last, 1 + clause] += 2.0
            rows.append(torch.nn.functional.normalize(values, dim=-1))
        begin = torch.arange(float(seconds)) + start_s
        spans = torch.stack([begin, begin + 1], -1).expand(len(rows), -1, -1)
        mask = torch.ones(len(rows), seconds, dtype=torch.bool)
        values = torch.stack(rows)
        order = torch.randperm(seconds, generator=torch.Generator().manual_seed(5))
        whole, shuffled = VideoTokens(values, spans, mask), VideoTokens(values[:, order], spans, mask)
        ends = torch.full((len(rows),), start_s), torch.full((len(rows),), start_s + seconds)
        return VideoBatch([f"{number}.mp4" for number in range(len(rows))], whole, shuffled, whole, *ends)

    return make


@pytest.fixture
def shaken():
    """Moves every weight away from where it began: no last layer is zero any more."""

    def shake(module, scale=0.2, seed=1):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in module.parameters():
                weight += scale * torch.randn(weight.shape, generator=generator)
        return module

    return shake
