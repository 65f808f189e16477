"""What ``tevo eval`` does once its words are read: models and benchmarks found, evaluated, printed."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tevo.errors import TevoError
from tevo.evaluation import BenchmarkChoice, EvalResult, agreed_spec, evaluate, find_contestants, read_suite
from tevo.evaluation.run import RESULTS
from tevo.report.evaluation import eval_table


def run_eval(
    models: Sequence[str],
    choices: Sequence[BenchmarkChoice],
    out: Path,
    fps: float | None = None,
    max_frames: int | None = None,
    max_tokens: int | None = None,
    answering: str = "single",
    subtitles: bool = False,
    limit: int | None = None,
    seed: int = 0,
    evidence: int = 0,
    confidence: float = 0.95,
    cache_dir: Path | None = None,
    device: str | None = None,
) -> EvalResult:
    """Evaluate, and print the tables; see :func:`tevo.verbs.eval.eval_` for the arguments.

    Raises:
        TevoError: for a model, a benchmark or a spec that cannot be used; before any video is looked at.
    """
    contestants = find_contestants(models, cache_dir)
    looks = {contestant.label: contestant.looks for contestant in contestants}
    how = {"answering": answering, "subtitles": subtitles, "limit": limit, "seed": seed}
    spec = agreed_spec(looks, fps, max_frames, max_tokens, **how)
    results = evaluate(contestants, choices, spec, out, evidence, confidence, cache_dir, device)
    for one in results["benchmarks"]:
        for note in one["notes"]:
            print(f"tevo: {note}", file=sys.stderr)
    print(eval_table(results))
    print(f"\nall of it, with every id that is missing: {out / RESULTS}")
    return results


def choose(
    benchmark: str | None,
    annotations: Path | None,
    videos: Path | None,
    protocols: Sequence[str],
    suite: Path | None,
) -> list[BenchmarkChoice]:
    """The benchmarks that the command line names: one, or those of a file.

    Raises:
        TevoError: when neither is there, or both are.
    """
    one = (benchmark, annotations, videos)
    if suite is not None:
        if any(part is not None for part in one) or protocols:
            raise TevoError("--suite names its own benchmarks, files and protocols: give it alone")
        return read_suite(suite)
    if benchmark is None or annotations is None or videos is None:
        names = ("--benchmark", "--annotations", "--videos")
        absent = [name for name, part in zip(names, one, strict=True) if part is None]
        raise TevoError(
            f"no {', '.join(absent)}: give a benchmark's name (`tevo list`), its annotations as published and the "
            "folder of its videos; or --suite FILE for several"
        )
    return [BenchmarkChoice(benchmark, annotations, videos, tuple(protocols))]
