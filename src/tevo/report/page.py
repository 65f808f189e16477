"""Writes ``report.html``: one file with everything in it, no network, no script, light and dark."""

from html import escape
from pathlib import Path

from tevo.metrics.results import write_atomic
from tevo.report.cards import choose_cards
from tevo.report.layout import document, legend, note, section
from tevo.report.pool import pool_section, time_section
from tevo.report.run import RunFiles, read_run
from tevo.report.sections import curves_section, heading, rounds_section
from tevo.report.tables import splits
from tevo.report.timeline import TRACKS, timeline

REPORT_FILE = "report.html"
FEW_BAD = 12  # bad videos listed openly; more are folded away

GLOSSARY = {
    "mIoU": "mean overlap of the predicted and the true spans, as intersection over union of the merged spans",
    "R@1 t": "share of questions whose overlap is t or more",
    "Accuracy": "share of multiple-choice questions answered rightly; an answer that is no option is wrong",
    "Acc@GQA": "answer right and at least half of the predicted span inside the true one (when questions left out)",
    "Right, IoU ≥ .5": "answer right and overlap 0.5 or more: short spans cannot win it",
    "Shrunk spans": "round 0 with its spans scaled about their centre by the kindest factor: shorter is not better",
    "Frozen judge": "the round-0 Solver, which no training has touched",
}


def write_report(run_dir: str | Path) -> Path:
    """Write the report of a run from the files in its folder; what is missing is said on the page.

    Args:
        run_dir: the folder that `tevo fit` wrote.

    Returns:
        The path of ``report.html`` in it.

    Raises:
        TevoError: when the folder is not a run's.
    """
    run = read_run(run_dir)
    return write_atomic(run.folder / REPORT_FILE, render_report(run))


def render_report(run: RunFiles) -> str:
    """The whole page as text."""
    body = [
        heading(run),
        rounds_section(run),
        curves_section(run),
        pool_section(run),
        _videos(run),
        time_section(run),
        _bad_videos(run),
        _config(run),
        _footer(),
    ]
    return document(f"tevo: {run.results.spec.get('backbone', 'run')}, {run.folder.name}", "".join(body))


def _videos(run: RunFiles) -> str:
    cards = choose_cards(run.questions, run.predictions, labelled=bool(splits(run.results)))
    notes = [run.notes[name] for name in ("questions.jsonl", "predictions.jsonl") if name in run.notes]
    said = "".join(note(text) for text in notes)
    if not cards:
        return section("Videos", said or note("No question was asked or answered yet."))
    drawn = "".join(timeline(card, run.results.spec) for card in cards)
    body = f'{said}{legend(TRACKS.items())}<div class="cards">{drawn}</div>'
    return section("Videos", body, "Picked by their place in the files, not by how well they came out.")


def _bad_videos(run: RunFiles) -> str:
    said = note(run.notes["bad_videos.jsonl"]) if "bad_videos.jsonl" in run.notes else ""
    if not run.bad_videos:
        return section("Bad videos", said or note("Every video could be read."))
    rows = "".join(
        f"<tr><td>{escape(str(row.get('path', '?')))}</td><td>{escape(str(row.get('reason', '?')))}</td></tr>"
        for row in run.bad_videos
    )
    table = f'<table class="plain"><thead><tr><th>File</th><th>Reason</th></tr></thead><tbody>{rows}</tbody></table>'
    if len(run.bad_videos) > FEW_BAD:
        table = f"<details><summary>All {len(run.bad_videos)}</summary>{table}</details>"
    intro = f"{len(run.bad_videos)} left out by name; no other video stands in for them."
    return section("Bad videos", said + table, intro)


def _config(run: RunFiles) -> str:
    if not run.config:
        return section("Configuration", note(run.notes["config.yaml"]))
    body = f"<details><summary>config.yaml</summary><pre>{escape(run.config)}</pre></details>"
    return section("Configuration", body)


def _footer() -> str:
    words = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in GLOSSARY.items())
    return f"<footer><h2>Words</h2><dl>{words}</dl></footer>"
