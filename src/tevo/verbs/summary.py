"""What a person sees when a run ends: the table of rounds, and where everything lies."""

from pathlib import Path

from tevo.metrics.results import read_results
from tevo.report import rounds_table, write_report

_PARTS = {
    "report.html": "open this first: rounds, curves, and a dozen videos with their evidence",
    "metrics.json": "every figure of every round",
    "questions.jsonl": "what was asked, kept or dropped, and why",
    "predictions.jsonl": "answers and spans in seconds",
    "bad_videos.jsonl": "files that were not used, each with its reason",
    "hf": "the models of every round, for tevo.load",
}


def summarise(folder: Path) -> str:
    """Write the report of a run and say in words what the run came to.

    Raises:
        TevoError: when the folder holds no run.
    """
    write_report(folder)
    there = [f"  {folder / name}  {what}" for name, what in _PARTS.items() if (folder / name).exists()]
    return "\n".join(["", rounds_table(read_results(folder)), "", "Where to look:", *there])
