"""What a run has measured and what it leaves on disk; all of it is in the checkpoint."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from tevo.metrics.evaluation import evaluate_rows, shrunk_control
from tevo.metrics.results import RoundResult, RunResults, RunSpec, Signals, write_atomic, write_results
from tevo.structures import Question


@dataclass
class RunRecords:
    """The figures of a run so far."""

    spec: RunSpec = field(default_factory=lambda: RunSpec())
    rounds: list[RoundResult] = field(default_factory=list)
    controls: dict[str, dict[str, float]] = field(default_factory=dict)
    alignment: dict[str, float] = field(default_factory=dict)  # figures of phase 0
    pool: Signals = field(default_factory=lambda: Signals())  # what the last pool said of itself

    def add(self, result: RoundResult) -> None:
        """Note a round; one measured again replaces itself."""
        self.rounds = [*(old for old in self.rounds if old.round < result.round), result]

    def note_controls(self, rows: Sequence[dict[str, Any]], questions: Sequence[Question]) -> None:
        """Round 0's spans, shrunk about their centre by the factor kindest to them: what training must beat."""
        factor, control = shrunk_control(rows, questions)
        self.controls["shrunk_spans"] = prefixed(control["overall"]) | {"factor": factor}

    @property
    def scores(self) -> dict[int, float]:
        """The unlabelled score of each round (assumed): how well the Solver does on held-out videos by the Questioner.

        The mean of its share of the Questioner's answers and its IoU with the Questioner's spans, which the Solver did
        not make itself. The dependency gap is no such score: it is widest for an untrained Solver, which has no idea
        at all without the video.
        """
        return {
            result.round: (result.signals["heldout_answer"] + result.signals["heldout_iou"]) / 2
            for result in self.rounds
            if "heldout_iou" in result.signals
        }

    @property
    def best_round(self) -> int | None:
        """The round with the highest unlabelled score; labels are not asked."""
        scores = self.scores
        return max(scores, key=lambda number: (scores[number], -number)) if scores else None

    def is_falling(self) -> bool:
        """Whether the last round's unlabelled score is below the one before it."""
        values = list(self.scores.values())
        return len(values) > 1 and values[-1] < values[-2]

    def results(self) -> RunResults:
        """For ``metrics.json``."""
        return RunResults(self.spec, tuple(self.rounds), self.controls, self.best_round)

    def write(self, folder: Path) -> None:
        """Write ``metrics.json`` and ``timings.json``."""
        write_results(folder, self.results())

    def alignment_line(self) -> str:
        """What phase 0 came to, in a line."""
        return "phase 0: " + ", ".join(f"{name} {value:.3f}" for name, value in self.alignment.items())

    def line(self) -> str:
        """The last round in a line."""
        last = self.rounds[-1]
        named = [f"{name.split('/')[-1]} {value:.1f}" for name, value in last.metrics.items()]
        signals: dict[str, Any] = dict(last.signals)
        shown = ("dependency_gap", "necessity", "specificity")
        named += [f"{name} {signals[name]:.3f}" for name in shown if name in signals]
        return f"round {last.round}: " + (", ".join(named) or "nothing to measure it with")

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "spec": dict(self.spec),
            "rounds": [asdict(result) for result in self.rounds],
            "controls": self.controls,
            "alignment": self.alignment,
            "pool": dict(self.pool),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take :meth:`state_dict` back."""
        self.spec = cast(RunSpec, state["spec"])
        self.rounds = [RoundResult(**row) for row in state["rounds"]]
        self.controls, self.alignment = state["controls"], state["alignment"]
        self.pool = cast(Signals, state["pool"])


def prefixed(metrics: dict[str, float], split: str = "test") -> dict[str, float]:
    """Metrics under the name of their split."""
    return {f"{split}/{name}": value for name, value in metrics.items()}


def measured(rows: Sequence[dict[str, Any]], questions: Sequence[Question]) -> dict[str, float]:
    """Metrics of predictions against annotated questions; nothing where there are none."""
    return prefixed(evaluate_rows(rows, questions)["overall"]) if questions else {}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write JSON lines, whole or not at all."""
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
