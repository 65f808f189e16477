"""Models times benchmarks, side by side, under one frozen spec."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from tevo.answer import Answerer
from tevo.errors import TevoError
from tevo.evaluation.asked import Asked, ask_benchmark
from tevo.evaluation.contestants import Contestant
from tevo.evaluation.predicting import Predicted, predict
from tevo.evaluation.results import BenchmarkResult, judge_benchmark, model_folder, score_benchmark
from tevo.evaluation.spec import BenchmarkChoice, EvalSpec, freeze
from tevo.metrics.results import dump_json, write_atomic
from tevo.tasks.solver import Solver

RESULTS = "results.json"


class EvalResult(TypedDict):
    """What ``results.json`` holds."""

    spec: dict[str, Any]
    confidence: float  # of the intervals, 0..1
    models: list[dict[str, str]]  # label, source, weights; differences are to the first
    benchmarks: list[BenchmarkResult]


def evaluate(
    contestants: Sequence[Contestant],
    choices: Sequence[BenchmarkChoice],
    spec: EvalSpec,
    out: Path,
    evidence: int = 0,
    confidence: float = 0.95,
    cache_dir: Path | None = None,
    device: str | None = None,
    progress: bool = True,
) -> EvalResult:
    """Ask every model about every benchmark, score, compare, and write it all under ``out``.

    What lies there already, under the same spec, is not asked again. The files of each model and benchmark,
    ``out/BENCHMARK/MODEL/predictions.jsonl`` among them, are those that ``tevo score`` reads and writes.

    Args:
        contestants: the models; later ones are compared with the first.
        choices: the benchmarks.
        spec: how every model looks and is asked.
        out: folder of the results.
        evidence: about how many questions of each benchmark have their evidence judged, by the first model that is no
            language model; 0 for none.
        confidence: of the intervals, 0..1.
        cache_dir: of the index and the features, as ``--data.cache_dir``.
        device: where the models are put.
        progress: show bars on a terminal.

    Raises:
        TevoError: what cannot be read or asked, before any video is looked at; predictions of another spec.
    """
    _check(contestants, choices, confidence)
    asked = [ask_benchmark(choice, spec.limit, spec.seed) for choice in choices]
    for contestant in contestants:
        for some in asked:
            folder = model_folder(out, some.choice.name, contestant.label)
            freeze(folder, spec.to_row() | {"questions": some.digest, "model": contestant.weights})
    found, judge = _ask(contestants, asked, spec, out, cache_dir, device, progress)
    benchmarks = []
    for some in asked:
        predicted = {c.label: found[some.choice.name, c.label] for c in contestants}
        result = score_benchmark(some, predicted, spec, out, confidence)
        if evidence and judge is not None:
            result["evidence"] = judge_benchmark(*judge, some, predicted, evidence, spec.seed, out, progress)
        elif evidence:
            result["notes"].append(
                f"{some.choice.name}: evidence is judged by a model with heads, of which there is none"
            )
        benchmarks.append(result)
    models = [{"label": c.label, "source": c.source, "weights": c.weights} for c in contestants]
    results = EvalResult(spec=spec.to_row(), confidence=confidence, models=models, benchmarks=benchmarks)
    write_atomic(out / RESULTS, dump_json(dict(results)))
    return results


def _ask(
    contestants: Sequence[Contestant],
    asked: Sequence[Asked],
    spec: EvalSpec,
    out: Path,
    cache_dir: Path | None,
    device: str | None,
    progress: bool,
) -> tuple[dict[tuple[str, str], Predicted], tuple[str, Answerer] | None]:
    """Predictions by benchmark and model; and the first model with heads, which judges evidence."""
    found: dict[tuple[str, str], Predicted] = {}
    judge: tuple[str, Answerer] | None = None
    for contestant in contestants:
        model = contestant.open(spec, cache_dir, device)
        judge = (contestant.label, model) if judge is None and isinstance(model.solver, Solver) else judge
        for some in asked:
            folder = model_folder(out, some.choice.name, contestant.label)
            title = f"{some.choice.name}, {contestant.label}"
            found[some.choice.name, contestant.label] = predict(model, some, spec, folder, title, progress)
    return found, judge


def _check(contestants: Sequence[Contestant], choices: Sequence[BenchmarkChoice], confidence: float) -> None:
    if not contestants or not choices:
        raise TevoError("give at least one model and at least one benchmark")
    names = [choice.name for choice in choices]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TevoError(f"{twice} is there twice: give each benchmark once, and other files of it another --out")
    if not 0 < confidence < 1:
        raise TevoError(f"--confidence is {confidence:g}, wanted a share between 0 and 1, such as 0.95")
