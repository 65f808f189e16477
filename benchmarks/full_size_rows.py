"""One row group of ``full_size.py``: a whole round of one encoder in this process, metered phase by phase."""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

import tevo
from tevo.data.datasets import PooledBatch, VideoBatch
from tevo.prompts.phrases import load_phrases
from tevo.tasks.clock import Stopwatch
from tevo.tasks.coevolution import CoEvolution
from tevo.verbs.configs import with_shipped_configs
from tevo.verbs.plan import peak_bytes
from tevo.verbs.trainer import TevoCLI, build, parser_settings

PARTS = {"align": "phase 0", "pool": "pool", "round": "measuring rounds 0 and 1"}  # of a fit's own stopwatch
STEPS = {"questioner": "Questioner step", "pseudo_label": "pseudo-label step", "solver": "GRPO step"}
QUESTION = "When does this happen: a person opens a door?"


class Meter:
    """Processor seconds and peak memory of one phase after the other; each is printed as a line of JSON."""

    def begin(self, phase: str) -> None:
        """A phase starts; its peak is its own where the system can forget earlier ones."""
        forget = Path("/proc/self/clear_refs")
        if forget.exists():
            forget.write_text("5")
        self.phase, self.began = phase, time.process_time()

    def end(self, **facts: Any) -> None:
        """The phase is over."""
        took, held = time.process_time() - self.began, held_bytes() / 1e9
        print(
            json.dumps({"phase": self.phase, "cpu_s": round(took, 2), "peak_gb": round(held, 2), **facts}), flush=True
        )


def held_bytes() -> int:
    """The most memory that was resident since the peak was last forgotten."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return peaks[0] if peaks else peak_bytes()


class Parts(Stopwatch):
    """The stopwatch of a fit's parts, which tells the meter too."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.meter = meter

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside as ``name``."""
        if name in PARTS:
            self.meter.begin(PARTS[name])
        with super().stage(name):
            yield
        if name in PARTS:
            self.meter.end()


class Steps(pl.Callback):
    """Tells the meter of the looking, of the phrase bank, and of each step."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """The videos are found; next each is decoded and encoded."""
        self.meter.begin("decoding and encoding")

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All are encoded; next the clauses are."""
        model: Any = pl_module
        store = model.data.store
        seen = [store.get(info) for info in model.data.videos.values()]
        self.meter.end(videos=len(seen), tokens=[item.num_tokens for item in seen])
        self.meter.begin("phrase bank")
        self.meter.end(clauses=len(model.questioner.bank))

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """A step begins."""
        phase = pl_module.phase
        self.meter.begin(STEPS[phase.objective if phase.objective in STEPS else phase.name])

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: PooledBatch | VideoBatch,
        _: int,
    ) -> None:
        """It has been taken."""
        size = len(batch.verdicts) if isinstance(batch, PooledBatch) else len(batch.names)
        self.meter.end(batch=size)


class Metered(TevoCLI):
    """A fit with a meter."""

    meter: Meter

    def before_fit(self) -> None:
        """Everything is built."""
        super().before_fit()
        model: Any = self.model
        assert isinstance(model, CoEvolution)
        towers = sum(weight.numel() for weight in model.backbone.parameters())
        self.meter.end(million_weights=round(towers / 1e6))
        model.parts = Parts(self.meter)
        self.trainer.callbacks.append(Steps(self.meter))

    def after_fit(self) -> None:
        """No report."""


def words_of(backbone: str, given: argparse.Namespace, folder: Path) -> list[str]:
    """The fit of one backbone, as it would be typed."""
    (folder / "phrases.txt").write_text("\n".join(load_phrases("general")[: given.clauses]))
    (folder / "videos.txt").write_text("".join(f"{path}\n" for path in chosen(given)[:-1]))
    random_weights = {
        "model.backbone.init_args.pretrained": "false",
        "model.questioner.min_naming": 0,
        "model.questioner.windows": "random",
    }
    one_of_each = {
        "model.rounds": 1,
        "model.pseudo_label_epochs": 1,
        "model.grpo_epochs": 1,
        "trainer.limit_train_batches": 1,
        "model.questioner.phrases": folder / "phrases.txt",
        "data.root": folder / "videos.txt",
        "data.max_frames": given.frames,
        "data.heldout_share": 0,
        "data.cache_dir": folder / "cache",
    }
    quiet = {
        "accelerator": "cpu",
        "enable_progress_bar": "false",
        "logger": "false",
        "default_root_dir": folder / "run",
    }
    options = random_weights | one_of_each | {f"trainer.{name}": value for name, value in quiet.items()}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return ["fit", *with_shipped_configs(["--config", f"conf/full/{backbone}.yaml", *words, *given.fit])]


def chosen(given: argparse.Namespace) -> list[Path]:
    """The smallest files: those to learn from, and last the one to be asked about."""
    files = sorted(given.videos.absolute().glob("*.mp4"), key=lambda path: (path.stat().st_size, path.name))
    if len(files) <= given.number:
        raise SystemExit(f"{given.videos} holds {len(files)} .mp4 files, {given.number + 1} are needed")
    return files[: given.number + 1]


def measure(backbone: str, given: argparse.Namespace) -> None:
    """One backbone, in this process."""
    meter = Metered.meter = Meter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        meter.begin("building, random weights")
        words = words_of(backbone, given, folder)
        cli = build(words, Metered, parser_settings({"fit": ("fit", "a fit with a meter")}))
        solver = folder / "run" / "hf" / "round-1" / "solver"
        unmet = chosen(given)[-1]
        meter.begin("answering")
        model: Any = cli.model
        answer = tevo.load(solver, backbone=model.backbone, cache_dir=folder / "cache").answer(unmet, QUESTION)
        meter.end(spans=len(answer.spans))
