"""What the cells of the main table run: fits, supervised references, zero-shot decodings."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from audits import oracle_rows
from variants import VARIANTS, Variant, base_of

from tevo.backbones.base import Backbone
from tevo.backbones.language import LanguageModel
from tevo.backbones.registry import build_backbone
from tevo.data.datamodule import VideoQuestions
from tevo.data.datasets import QuestionBatch
from tevo.data.loader import Share
from tevo.data.serving import serve_questions
from tevo.heads.evidence import HeadConfig
from tevo.metrics.evaluation import evaluate_rows
from tevo.metrics.results import read_results
from tevo.structures import Question, Span
from tevo.tasks.alignment import fit_alignment
from tevo.tasks.asking import prediction_row
from tevo.tasks.casting import cast_solver
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.folders import load_solver
from tevo.tasks.matching import describe_backbone
from tevo.tasks.role import Answers
from tevo.tasks.schedule import decayed
from tevo.tasks.solving import SolverConfig

DECODINGS = ("state", "change", "peak")
THRESHOLDS = (0.0, 0.4, 0.8)  # of the zero-shot span signal; the best is taken, in its favour


@dataclass
class Bench:
    """A backbone, a world, and the features of its videos."""

    backbone_name: str
    world: Path
    cache: Path
    folder: Path
    num_videos: int | None = None  # to learn from, the first by name; all when not given
    _data: dict[str, VideoQuestions] = field(default_factory=dict)

    @cached_property
    def backbone(self) -> Backbone:
        """Built once; aligned where it needs it, on the unlabelled training videos."""
        backbone = build_backbone(self.backbone_name)
        if getattr(backbone, "teacher", None) is not None:
            data = self.module("train")
            data.attach(backbone)
            print("phase 0:", fit_alignment(backbone, data.teacher_pairs(backbone.teacher)))  # type: ignore
        return backbone

    @cached_property
    def root(self) -> Path:
        """The videos to learn from."""
        whole = self.world / "train"
        if self.num_videos is None:
            return whole
        part = self.folder / f"train-{self.num_videos}"
        part.mkdir(exist_ok=True)
        for video in sorted(whole.glob("*.mp4"))[: self.num_videos]:
            (part / video.name).unlink(missing_ok=True)
            (part / video.name).symlink_to(video.resolve())
        return part

    def module(self, split: str) -> VideoQuestions:
        """A DataModule over one split's questions (none for train)."""
        annotations = None if split == "train" else str(self.world / split / "annotations.jsonl")
        data = VideoQuestions(
            str(self.root), annotations, cache_dir=str(self.cache), progress=False, **self.settings.data
        )
        data.setup("fit" if split == "train" else "validate")
        return data

    def data(self, split: str) -> VideoQuestions:
        """The split's DataModule with its features, made once."""
        if split not in self._data:
            backbone = self.backbone
            self._data[split] = self.module(split)
            self._data[split].attach(backbone)
        return self._data[split]

    def questions(self, split: str) -> list[Question]:
        """The annotated questions of a split."""
        return self.data(split).val_questions

    @cached_property
    def true_questions(self) -> list[Question]:
        """The oracle's questions about train/: for the supervised reference alone."""
        watched = self.data("train").videos
        oracle = oracle_rows(self.world, "train").values()
        rows = [question for row in oracle if row["vid"] in watched for question in row["questions"]]
        return [
            Question(
                id=row["qid"], video=row["vid"], text=row["query"], kind=row["kind"], options=tuple(row["options"]),
                answer=row["answer"], evidence=tuple(Span(*window) for window in row["relevant_windows"]),
                family=row["family"],
            )
            for row in rows
        ]  # fmt: skip

    @property
    def settings(self) -> Variant:
        """What a run on this backbone begins with."""
        return base_of(self.backbone_name)

    def fresh_backbone(self) -> Backbone:
        """For one run: roles of a language model are weights on it, and stay there."""
        return build_backbone(self.backbone_name) if isinstance(self.backbone, LanguageModel) else self.backbone

    def solver(self, config: SolverConfig, seed: int) -> Answers:
        """A fresh Solver; before training it is the zero-shot backbone."""
        torch.manual_seed(seed)
        return cast_solver(self.fresh_backbone(), describe_backbone(self.backbone), config)

    def rows(self, solver: Answers, split: str) -> list[dict[str, Any]]:
        """A Solver's answers to a split's questions."""
        solver.eval()
        data, rows = self.data(split), []
        limits = {name: Span(info.start_s, info.end_s) for name, info in data.found.asked.videos.items()}
        for batch in data.val_batches():
            own = [limits[question.video] for question in batch.questions]
            said = solver.say(batch.videos, batch.questions, batch.rows, own)
            rows += [prediction_row(*pair) for pair in zip(batch.questions, said, strict=True)]
        return rows

    def answers_of(self, run: Path, splits: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Answers of the best round of a run (chosen without labels)."""
        best = read_results(run).best_round
        solver, _ = load_solver(run / "hf" / f"round-{best}" / "solver", self.fresh_backbone())
        return {split: self.rows(solver, split) for split in splits}


def zero_shot_rows(bench: Bench, splits: Sequence[str]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """The best of the zero-shot span decodings, by mIoU on each split: chosen in its favour.

    A model that writes has one.
    """
    rows, chosen = {}, {}
    if isinstance(bench.backbone, LanguageModel):
        solver = bench.solver(replace(SolverConfig(), **bench.settings.solver), 0)
        return {split: bench.rows(solver, split) for split in splits}, {}
    for split in splits:
        best = None
        for prior in DECODINGS:
            for threshold in THRESHOLDS:
                head = HeadConfig(prior=prior, prior_threshold=threshold)
                found = bench.rows(bench.solver(SolverConfig(head=head), 0), split)
                score = evaluate_rows(found, bench.questions(split))["overall"]["mIoU"]
                if best is None or score > best[0]:
                    best = (score, found, f"{prior} at {threshold}")
        assert best is not None
        rows[split], chosen[split] = best[1], best[2]
    return rows, {"decoding": chosen}


def supervised_rows(
    bench: Bench, splits: Sequence[str], objective: str, lr: float, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """The same Solver on the true labels of the same videos; GRPO comes after likelihood, at a lower rate."""
    solver = bench.solver(replace(SolverConfig(), **bench.settings.solver), seed)
    if objective == "grpo":
        train(bench, solver, "cross_entropy", 1e-3, 4, seed)
        train(bench, solver, "grpo", lr / 5, 2, seed)
    else:
        train(bench, solver, "cross_entropy", lr, 6, seed)
    return {split: bench.rows(solver, split) for split in splits}


def train(bench: Bench, solver: Answers, objective: str, lr: float, epochs: int, seed: int) -> None:
    """Plain training of a Solver on true labels, with the schedule that a co-evolution uses."""
    data = bench.data("train")
    weights = [weight for group in solver.groups() for weight in group["params"]]
    optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=0.01)
    generator, rng = torch.Generator().manual_seed(seed), random.Random(seed)
    solver.train()
    most = bench.settings.data.get("questions_per_epoch", len(bench.true_questions))
    steps = math.ceil(most / data.questions_per_batch)
    for epoch in range(epochs):
        for index, batch in enumerate(islice(_shuffled(data, bench.true_questions, rng), steps)):
            for group in optimizer.param_groups:
                group["lr"] = decayed(lr, min(1.0, (epoch + index / steps) / epochs))
            given = batch.videos, batch.questions, batch.rows, generator
            loss, _ = solver.update(solver.roll(*given)) if objective == "grpo" else solver.fit_labels(*given)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()


def _shuffled(data: VideoQuestions, questions: list[Question], rng: random.Random) -> Iterator[QuestionBatch]:
    by_video: dict[str, list[Question]] = {}
    for question in questions:
        by_video.setdefault(question.video, []).append(question)
    names = sorted(by_video)
    rng.shuffle(names)
    ordered = [question for name in names for question in by_video[name]]
    yield from serve_questions(data.store, data.videos, ordered, data.questions_per_batch, Share())


def fit_run(bench: Bench, variant: str, seed: int) -> Path:
    """A co-evolution through the Trainer."""
    run, chosen = bench.folder / f"{variant}-{seed}", VARIANTS[variant].on(bench.settings)
    model = CoEvolution(bench.fresh_backbone(), seed=seed, checkpoint_every_steps=0, **chosen.settings())
    data = VideoQuestions(
        str(bench.root), str(bench.world / "test" / "annotations.jsonl"), cache_dir=str(bench.cache),
        seed=seed, heldout_share=0.05, progress=False, **chosen.data,
    )  # fmt: skip
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, default_root_dir=run, max_epochs=-1, reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0, logger=False, enable_progress_bar=False, enable_model_summary=False,
        gradient_clip_val=1.0 if isinstance(bench.backbone, LanguageModel) else None,  # as in conf/
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    return run
