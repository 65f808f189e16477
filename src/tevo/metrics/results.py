"""The results file of a run: what every round measured, written by the tasks, read by the report.

Two files lie in a run folder. ``metrics.json`` holds what the run *found* and is bit-equal between a
run and the same run killed and resumed; ``timings.json`` beside it holds what depends on the clock.
Units: metrics are points (0..100), signals are shares or score differences (0..1), times are seconds.
"""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, cast

from tevo.errors import TevoError

METRICS_FILE = "metrics.json"
TIMINGS_FILE = "timings.json"
NUM_BINS = 10  # of every histogram below; bins split 0..1 evenly
CLOCK_KEYS = ("started", "finished")  # keys of a spec that depend on the clock


class RunSpec(TypedDict, total=False):
    """What was run: everything a reader needs to run it again, and the protocol of its numbers."""

    backbone: str
    data_root: str
    annotations: str | None  # the file given as --data.val_annotations
    seed: int
    rounds: int  # planned
    tevo_version: str
    protocol: str  # tevo.metrics.PROTOCOL
    started: str  # ISO 8601; kept in timings.json
    finished: str  # ISO 8601; kept in timings.json
    videos_indexed: int
    videos_bad: int
    agreement_band: list[float]  # votes that the majority of a kept question has, 0..1; absent where others vouch


class Signals(TypedDict, total=False):
    """What a round reports without labels (ALGORITHM section 7). A key that was not measured is absent."""

    video_dependent_share: float  # share of questions with score_with > score_without
    dependency_gap: float  # mean score_with - score_without
    order_gap: float  # mean score_with - score_shuffled
    necessity: float  # mean score_full - score_masked
    specificity: float  # mean score_key - score_random
    heldout_answer: float  # share of votes that give the Questioner's own answer, on videos not trained on
    heldout_iou: float  # mean set IoU of the consensus with the Questioner's own evidence, on the same
    parse_failure_rate: float
    zero_variance_share: float
    diversity: float
    agreement_hist: list[int]  # questions asked, by agreement
    coverage_hist: list[int]  # evidence length / video length
    start_hist: list[int]  # evidence start / video length
    drops: dict[str, int]  # reason -> count
    faults: dict[str, int]  # tries of the Questioner that made no question: what was wrong -> count
    kept: int
    asked: int
    kinds: dict[str, int]  # kept questions by kind
    levels: dict[str, int]  # kept questions by level


@dataclass(frozen=True, slots=True)
class RoundResult:
    """One round; round 0 is the zero-shot backbone.

    Attributes:
        round: index of the round.
        metrics: ``"split/metric"`` -> points, e.g. ``"test/mIoU"``; empty when no labelled set was given.
        signals: judged by the Solver that was trained on them.
        signals_frozen: the same, judged by the frozen round-0 Solver.
        seconds: stage (decode, encode, sample, score, update, wait) -> seconds spent in it.
    """

    round: int
    metrics: dict[str, float] = field(default_factory=dict)
    signals: Signals = field(default_factory=lambda: Signals())
    signals_frozen: Signals = field(default_factory=lambda: Signals())
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunResults:
    """Everything in ``metrics.json`` and ``timings.json``.

    Attributes:
        spec: what was run.
        rounds: in order; may be fewer than planned while the run is under way.
        controls: name (``shrunk_spans``, ``centre_prior``, ...) -> metrics as in :class:`RoundResult`.
        best_round: the round whose weights are kept as the result; None before the first is measured.
    """

    spec: RunSpec
    rounds: tuple[RoundResult, ...] = ()
    controls: dict[str, dict[str, float]] = field(default_factory=dict)
    best_round: int | None = None


def write_results(run_dir: str | Path, results: RunResults) -> Path:
    """Write ``metrics.json`` and ``timings.json``, each in one step: a killed run leaves the old file whole.

    A figure that is not finite is written as ``null`` (JSON has no NaN), and read back as NaN.

    Returns:
        The path of ``metrics.json``.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    spec = {key: value for key, value in results.spec.items() if key not in CLOCK_KEYS}
    clock = {key: value for key, value in results.spec.items() if key in CLOCK_KEYS}
    found = {
        "spec": spec,
        "rounds": [
            {"round": r.round, "metrics": r.metrics, "signals": r.signals, "signals_frozen": r.signals_frozen}
            for r in results.rounds
        ],
        "controls": results.controls,
        "best_round": results.best_round,
    }
    timings = clock | {"rounds": [{"round": r.round, "seconds": r.seconds} for r in results.rounds]}
    write_atomic(folder / TIMINGS_FILE, dump_json(timings))
    return write_atomic(folder / METRICS_FILE, dump_json(found))


def read_results(run_dir: str | Path) -> RunResults:
    """Read what :func:`write_results` wrote; timings are optional.

    Raises:
        TevoError: when ``metrics.json`` is missing or is not a results file.
    """
    path = Path(run_dir) / METRICS_FILE
    if not path.is_file():
        raise TevoError(f"no {METRICS_FILE} in {run_dir}: give the folder of a run that `tevo fit` has written")
    found = _load(path)
    timings = _load(path.with_name(TIMINGS_FILE)) if path.with_name(TIMINGS_FILE).is_file() else {}
    clock = {key: timings[key] for key in CLOCK_KEYS if key in timings}
    seconds = {row["round"]: row.get("seconds", {}) for row in timings.get("rounds", [])}
    try:
        rounds = tuple(_round(row, seconds) for row in found["rounds"])
        return RunResults(
            spec=cast(RunSpec, found["spec"] | clock),
            rounds=rounds,
            controls={name: _numbers(row) for name, row in found.get("controls", {}).items()},
            best_round=found.get("best_round"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise TevoError(
            f"{path} is not a results file of tevo (trouble at {error}): it needs `spec` and `rounds`, each round "
            "with its `round` and `metrics`; run `tevo fit` again or give another folder"
        ) from error


def write_atomic(path: Path, text: str) -> Path:
    """Write a file so that a reader, or a run killed here, sees the old text or the new one, never half."""
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    try:
        with half.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    return path


def _round(row: dict[str, Any], seconds: dict[int, dict[str, float]]) -> RoundResult:
    return RoundResult(
        round=int(row["round"]),
        metrics=_numbers(row["metrics"]),
        signals=cast(Signals, dict(row.get("signals", {}))),
        signals_frozen=cast(Signals, dict(row.get("signals_frozen", {}))),
        seconds=_numbers(row.get("seconds") or seconds.get(row["round"], {})),
    )


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in row.items()}


def dump_json(value: object) -> str:
    """A value as the text of a JSON file; a number that is not finite becomes ``null``, since JSON has none."""
    return json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _load(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TevoError(f"{path} cannot be read as JSON ({error}): give the folder of a run of `tevo fit`") from error
    if not isinstance(value, dict):
        raise TevoError(f"{path} holds {type(value).__name__}, wanted an object with `spec` and `rounds`")
    return value
