"""Scores of several models on one benchmark: each by itself, against the first, and what is missing."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from tevo.answer import Answerer, Judged
from tevo.evaluation.asked import Asked
from tevo.evaluation.judging import judge_rows
from tevo.evaluation.predicting import PREDICTIONS, Predicted
from tevo.evaluation.spec import EvalSpec
from tevo.metrics.comparison import Difference, compare_predictions
from tevo.metrics.predictions import Predictions, read_predictions
from tevo.metrics.results import write_atomic
from tevo.metrics.scoring import score_predictions, write_scores
from tevo.structures import Question

EVIDENCE = "evidence.jsonl"


class ModelScore(TypedDict):
    """One model under one protocol; ``file`` has all of it, as ``tevo score`` writes it."""

    figures: dict[str, float]  # the scorer's own names and scale, over the whole denominator
    printed: dict[str, str]  # the same as the scorer prints them
    intervals: dict[str, dict[str, float]]  # metric -> mean, low, high in points; videos are drawn
    counts: dict[str, int]
    answered_only: dict[str, str]  # printed figures over the questions that all models answered; empty: all of them
    file: str


class ProtocolResult(TypedDict):
    """All models under one protocol."""

    models: dict[str, ModelScore]
    differences: dict[str, dict[str, Difference]]  # of every later model to the first, by metric


class BenchmarkResult(TypedDict):
    """All models on one benchmark."""

    benchmark: str
    annotations: str
    videos: str
    scored: int  # questions in the denominator
    outside: int  # left out of it by --limit
    answered_by_all: int
    not_put: dict[str, str]  # id -> why no model was asked; they are in the denominator
    not_answered: dict[str, dict[str, str]]  # model -> id -> why it gave no answer; likewise
    notes: list[str]
    reading: dict[str, Any]  # what became of every row of the annotations
    protocols: dict[str, ProtocolResult]
    evidence: dict[str, Any]  # judge, and by model its terms; empty: not asked for


def score_benchmark(
    asked: Asked, predicted: Mapping[str, Predicted], spec: EvalSpec, out: Path, confidence: float
) -> BenchmarkResult:
    """Score what every model predicted, under every protocol of the choice, and write each report beside it.

    Args:
        asked: of the benchmark.
        predicted: by the models' labels, in the order of the table; the first is what the others are compared with.
        spec: kept in every report.
        out: folder of the evaluation.
        confidence: of the intervals, 0..1.
    """
    name = asked.choice.name
    read = {label: read_predictions(model_folder(out, name, label) / PREDICTIONS) for label in predicted}
    by_all = [q for q in asked.scored if all(q.id in predictions.rows for predictions in read.values())]
    kept = spec.to_row() | {"annotations": str(asked.choice.annotations), "reading": dict(asked.reading)}
    protocols: dict[str, ProtocolResult] = {}
    for protocol in asked.choice.protocols:
        protocols[protocol] = ProtocolResult(
            models={
                label: _scored(asked, protocol, by_all, predictions, confidence, kept)
                for label, predictions in read.items()
            },
            differences=_differences(name, protocol, asked.scored, read, confidence, spec.seed),
        )
    return BenchmarkResult(
        benchmark=name,
        annotations=str(asked.choice.annotations),
        videos=str(asked.choice.videos),
        scored=len(asked.scored),
        outside=asked.outside,
        answered_by_all=len(by_all),
        not_put=dict(asked.not_put),
        not_answered={label: dict(one.failed) for label, one in predicted.items() if one.failed},
        notes=list(asked.notes),
        reading=dict(asked.reading),
        protocols=protocols,
        evidence={},
    )


def model_folder(out: Path, benchmark: str, label: str) -> Path:
    """Where a model's files of a benchmark lie; a label never leads out of the folder."""
    return out / benchmark / re.sub(r"[^\w+-]", "_", label, flags=re.ASCII)


def judge_benchmark(
    label: str,
    judge: Answerer,
    asked: Asked,
    predicted: Mapping[str, Predicted],
    number: int,
    seed: int,
    out: Path,
    progress: bool,
) -> dict[str, Any]:
    """Evidence quality of every model on the same questions, by one judge, and each prediction's in a file.

    Args:
        label: of the judge.
        judge: the model that is asked.
        asked: of the benchmark.
        predicted: by the models' labels.
        number: how many questions, about.
        seed: of their draw, and of the places that evidence is compared with.
        out: folder of the evaluation.
        progress: show bars on a terminal.
    """
    common = [q for q in asked.put if all(q.id in one.rows for one in predicted.values())]
    models = {}
    for name, one in predicted.items():
        found = judge_rows(judge, common, one.rows, number, seed, progress)
        lines = "".join(json.dumps(_line(judged), ensure_ascii=False) + "\n" for judged in found.judged)
        write_atomic(model_folder(out, asked.choice.name, name) / EVIDENCE, lines)
        models[name] = found.to_row()
    return {"judge": label, "models": models}


def _scored(
    asked: Asked,
    protocol: str,
    by_all: Sequence[Question],
    predictions: Predictions,
    confidence: float,
    spec: Mapping[str, Any],
) -> ModelScore:
    name = asked.choice.name
    report = score_predictions(name, protocol, asked.scored, predictions, False, confidence, spec)
    some = 0 < len(by_all) < len(asked.scored)
    alone = score_predictions(name, protocol, by_all, predictions, False, confidence)["printed"] if some else {}
    file = write_scores(predictions.path.with_name(f"score-{name}-{protocol}.json"), report)
    return ModelScore(
        figures=report["figures"],
        printed=report["printed"],
        intervals=report["intervals"],
        counts=report["counts"],
        answered_only=alone,
        file=str(file),
    )


def _differences(
    benchmark: str,
    protocol: str,
    questions: Sequence[Question],
    read: Mapping[str, Predictions],
    confidence: float,
    seed: int,
) -> dict[str, dict[str, Difference]]:
    first, *others = read
    return {
        label: compare_predictions(benchmark, protocol, questions, read[label].rows, read[first].rows, confidence, seed)
        for label in others
    }


def _line(judged: Judged) -> dict[str, Any]:
    return {"qid": judged.qid, **judged.terms} | ({"reason": judged.reason} if judged.reason else {})
