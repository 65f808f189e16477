"""The files of a run folder, as far as they are there: a page is written for a run that was killed, too."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tevo.errors import TevoError
from tevo.metrics.results import METRICS_FILE, RunResults, read_results

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run folder holds.

    Attributes:
        folder: the run folder.
        results: rounds and controls; empty when ``metrics.json`` is missing.
        questions: rows of ``questions.jsonl``, kept and dropped.
        predictions: rows of ``predictions.jsonl``.
        bad_videos: rows of ``bad_videos.jsonl`` (``path``, ``reason``).
        config: text of ``config.yaml``, empty when missing.
        notes: file name -> a sentence on what is missing or could not be read.
    """

    folder: Path
    results: RunResults
    questions: list[Row]
    predictions: list[Row]
    bad_videos: list[Row]
    config: str
    notes: dict[str, str] = field(default_factory=dict)


def read_run(run_dir: str | Path) -> RunFiles:
    """Read a run folder; a missing or half-written file becomes a note.

    Raises:
        TevoError: when the folder is missing or holds none of a run's files.
    """
    folder = Path(run_dir)
    names = (METRICS_FILE, "questions.jsonl", "predictions.jsonl", "bad_videos.jsonl", "config.yaml")
    if not folder.is_dir():
        raise TevoError(f"no run folder at {folder}: give the folder that `tevo fit` wrote")
    if not any((folder / name).is_file() for name in names):
        raise TevoError(f"{folder} is not the folder of a run: it has none of {', '.join(names)}")
    notes: dict[str, str] = {}
    results = RunResults({})
    if (folder / METRICS_FILE).is_file():
        results = read_results(folder)
    else:
        notes[METRICS_FILE] = f"There is no {METRICS_FILE} in the run folder: no round has ended yet."
    questions, predictions, bad_videos = (_rows(folder / name, notes) for name in names[1:4])
    config = folder / "config.yaml"
    if not config.is_file():
        notes["config.yaml"] = "There is no config.yaml in the run folder."
    text = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
    return RunFiles(folder, results, questions, predictions, bad_videos, text, notes)


def _rows(path: Path, notes: dict[str, str]) -> list[Row]:
    """Rows of a JSON-lines file; lines that are no rows (a run killed while writing) are counted, not fatal."""
    if not path.is_file():
        notes[path.name] = f"There is no {path.name} in the run folder."
        return []
    rows, spoilt = [], 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            spoilt += 1
    if spoilt:
        notes[path.name] = f"{spoilt} lines of {path.name} could not be read and are left out."
    return rows
