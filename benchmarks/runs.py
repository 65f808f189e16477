"""What the cells of the main table run: fits, supervised references, zero-shot decodings, audits of the pool."""

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from variants import VARIANTS

from tevo.backbones.base import Backbone
from tevo.backbones.registry import build_backbone
from tevo.data.datamodule import VideoQuestions
from tevo.data.datasets import QuestionBatch
from tevo.data.loader import Share
from tevo.data.pool import read_verdicts
from tevo.data.serving import serve_questions
from tevo.heads.evidence import HeadConfig
from tevo.metrics.evaluation import evaluate_rows
from tevo.metrics.results import read_results
from tevo.ops import set_iou
from tevo.prompts.grammar import parse
from tevo.prompts.phrases import COUNTS, DURATIONS, DURATIONS_S
from tevo.structures import Question, Span, Verdict
from tevo.tasks.alignment import fit_alignment
from tevo.tasks.asking import prediction_row
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.folders import load_solver
from tevo.tasks.rollout_terms import Targets
from tevo.tasks.schedule import decayed
from tevo.tasks.solver import Solver, SolverConfig

DECODINGS = ("state", "change", "peak")
THRESHOLDS = (0.0, 0.4, 0.8)  # of the zero-shot span signal; the best is taken, in its favour


def oracle_rows(world: Path, part: str) -> dict[str, dict[str, Any]]:
    """What really happens in each video of a part."""
    lines = (world / "oracle" / f"{part}.jsonl").read_text().splitlines()
    return {row["vid"]: row for row in map(json.loads, lines)}


@dataclass
class Bench:
    """A backbone, a world, and the features of its videos."""

    backbone_name: str
    world: Path
    cache: Path
    folder: Path
    _data: dict[str, VideoQuestions] = field(default_factory=dict)

    @cached_property
    def backbone(self) -> Backbone:
        """Built once; aligned where it needs it, on the unlabelled training videos."""
        backbone = build_backbone(self.backbone_name)
        if backbone.teacher is not None:  # type: ignore[attr-defined]
            data = self.module("train")
            data.attach(backbone)
            print("phase 0:", fit_alignment(backbone, data.teacher_pairs(backbone.teacher)))  # type: ignore
        return backbone

    def module(self, split: str, **kwargs: Any) -> VideoQuestions:
        """A DataModule over one split's questions (none for train)."""
        annotations = None if split == "train" else str(self.world / split / "annotations.jsonl")
        data = VideoQuestions(
            str(self.world / "train"), annotations, cache_dir=str(self.cache), progress=False, **kwargs
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
        rows = [question for row in oracle_rows(self.world, "train").values() for question in row["questions"]]
        return [
            Question(
                id=row["qid"], video=row["vid"], text=row["query"], kind=row["kind"], options=tuple(row["options"]),
                answer=row["answer"], evidence=tuple(Span(*window) for window in row["relevant_windows"]),
                family=row["family"],
            )
            for row in rows
        ]  # fmt: skip

    def solver(self, config: SolverConfig, seed: int) -> Solver:
        """A fresh Solver; before training it is the zero-shot backbone."""
        torch.manual_seed(seed)
        joint = self.backbone.encode_text(["a video"]).shape[-1]  # type: ignore[attr-defined]
        return Solver(self.backbone.spec.dim, joint, self.backbone, config)  # type: ignore[arg-type]

    def rows(self, solver: Solver, split: str) -> list[dict[str, Any]]:
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
        solver, _ = load_solver(run / "hf" / f"round-{best}" / "solver", self.backbone)
        return {split: self.rows(solver, split) for split in splits}


def zero_shot_rows(bench: Bench, splits: Sequence[str]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """The best of the zero-shot span decodings, by mIoU on each split: chosen in its favour."""
    rows, chosen = {}, {}
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
    """The same Solver on the true labels of the same videos."""
    solver = bench.solver(SolverConfig(), seed)
    if objective == "grpo":  # as in a co-evolution: likelihood first, then GRPO at a lower rate
        train(bench, solver, bench.true_questions, "cross_entropy", 1e-3, 4, seed)
        train(bench, solver, bench.true_questions, "grpo", lr / 5, 2, seed)
    else:
        train(bench, solver, bench.true_questions, "cross_entropy", lr, 6, seed)
    return {split: bench.rows(solver, split) for split in splits}


def train(
    bench: Bench, solver: Solver, questions: list[Question], objective: str, lr: float, epochs: int, seed: int
) -> None:
    """Plain training of a Solver on labelled questions, with the schedule that a co-evolution uses."""
    data = bench.data("train")
    optimizer = torch.optim.AdamW(solver.policy.parameters(), lr=lr, weight_decay=0.01)
    generator, rng = torch.Generator().manual_seed(seed), random.Random(seed)
    solver.train()
    steps = math.ceil(len(questions) / data.questions_per_batch)
    for epoch in range(epochs):
        for index, batch in enumerate(_shuffled(data, questions, rng)):
            for group in optimizer.param_groups:
                group["lr"] = decayed(lr, min(1.0, (epoch + index / steps) / epochs))
            queries = solver.queries(batch.questions, batch.rows)
            targets = Targets.of(batch.questions, "cpu")
            if objective == "grpo":
                loss, _ = solver.policy_loss(batch.videos, queries, targets, solver.reference, generator)
            else:
                loss, _ = solver.pseudo_label_loss(batch.videos, queries, targets, generator)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(solver.policy.parameters(), 1.0)
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
    run, chosen = bench.folder / f"{variant}-{seed}", VARIANTS[variant]
    model = CoEvolution(bench.backbone, seed=seed, checkpoint_every_steps=0, **chosen.settings())
    data = VideoQuestions(
        str(bench.world / "train"), str(bench.world / "test" / "annotations.jsonl"), cache_dir=str(bench.cache),
        seed=seed, heldout_share=0.05, progress=False, videos_per_epoch=160, **chosen.data,
    )  # fmt: skip
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, default_root_dir=run, max_epochs=-1, reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0, logger=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    return run


def audit_rounds(bench: Bench, run: Path) -> list[dict[str, Any]]:
    """Every round's test metrics and signals, and its pseudo-labels against the oracle."""
    truth = oracle_rows(bench.world, "train")
    verdicts = read_verdicts(run / "questions.jsonl")
    rows = []
    for result in read_results(run).rounds:
        row: dict[str, Any] = {
            "round": result.round,
            "metrics": result.metrics,
            "signals": result.signals,
            "seconds": result.seconds,
        }
        rows.append(row | audit([v for v in verdicts if v.round == result.round and v.kept], truth))
    return rows


def audit(verdicts: Sequence[Verdict], truth: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Share of pseudo-answers that are true, mean IoU of pseudo-evidence with the truth; about nothing is wrong."""
    right, overlap = [], []
    for verdict in verdicts:
        answer, spans = true_label(verdict.question, truth[verdict.question.video]["events"])
        own = torch.tensor([[s.start_s, s.end_s] for s in verdict.pseudo_evidence]).view(1, -1, 2)
        real = torch.tensor(spans).view(1, -1, 2)
        every = (torch.ones(part.shape[:2], dtype=torch.bool) for part in (own, real))
        mask, real_mask = every
        overlap.append(float(set_iou(own, mask, real, real_mask)) if spans and len(verdict.pseudo_evidence) else 0.0)
        if verdict.question.options:
            right.append(verdict.pseudo_answer in answer)
    return {
        "pool": len(verdicts),
        "pseudo_answer_accuracy": 100 * sum(right) / max(1, len(right)),
        "pseudo_evidence_iou": 100 * sum(overlap) / max(1, len(overlap)),
    }


def true_label(question: Question, events: list[dict[str, Any]]) -> tuple[set[str], list[list[float]]]:
    """The right answers and the true evidence of a made-up question; nothing where it is about nothing."""
    ask = parse(question.text)
    named = [index for index, event in enumerate(events) if ask.phrase in (event["phrase"], event["effect"])]
    if ask.kind in ("first", "last"):
        targets = [0 if ask.kind == "first" else len(events) - 1]
    elif ask.kind == "what" and ask.within is not None:
        middle = (ask.within.start_s + ask.within.end_s) / 2
        targets = [min(range(len(events)), key=lambda i: abs(sum(events[i]["span"]) / 2 - middle))]
    elif ask.kind in ("before", "after"):
        step = 1 if ask.kind == "after" else -1
        targets = [named[0] + step] if len(named) == 1 and 0 <= named[0] + step < len(events) else []
    else:
        targets = named
    spans = [events[index]["span"] for index in targets]
    if ask.kind == "count":
        return ({COUNTS[len(targets) - 1]} if 0 < len(targets) <= len(COUNTS) else set()), spans
    if ask.kind == "duration":
        nearest = [min(DURATIONS_S, key=lambda seconds: abs(seconds - (end - start))) for start, end in spans]
        return {DURATIONS[DURATIONS_S.index(seconds)] for seconds in nearest}, spans
    return {text for index in targets for text in (events[index]["phrase"], events[index]["effect"]) if text}, spans
