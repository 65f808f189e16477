"""What ran and how it came out: the head of the page, the rounds table, the curves."""

from html import escape
from pathlib import Path

from tevo.metrics.results import RunResults
from tevo.report.charts import Line, change, duration_text, line_chart
from tevo.report.layout import framed, grid, legend, note, section
from tevo.report.run import RunFiles
from tevo.report.tables import (
    METRIC_NAMES,
    SIGNAL_NAMES,
    control_label,
    metric_columns,
    of_split,
    signal,
    splits,
)

HEADLINES = ("mIoU", "acc", "acc_gqa", "acc_iou50")
SIGNAL_HINTS = {
    "video_dependent_share": "questions answered better with the video",
    "dependency_gap": "score with video − without",
    "order_gap": "score in order − frames shuffled",
    "necessity": "score − evidence frames removed",
    "specificity": "evidence alone − a random span of its length",
}


def heading(run: RunFiles) -> str:
    """What ran, and how it came out, in a line and a handful of figures."""
    spec, results = run.results.spec, run.results
    data = Path(str(spec.get("data_root") or "")).name
    title = f"{spec.get('backbone', 'A run')}" + (f" on {data}" if data else "")
    return (
        f'<header class="top"><p class="brand">tevo <span>run report</span></p><h1>{escape(title)}</h1>'
        f'<p class="lead">{_lead(results)}</p>{_tiles(results)}<dl class="facts">{_facts(run)}</dl></header>'
    )


def rounds_section(run: RunFiles) -> str:
    """The rounds table of every labelled set, beside zero-shot and the controls."""
    results = run.results
    if not results.rounds:
        return section("Rounds", note(run.notes.get("metrics.json", "No round has been measured.")))
    tables = [_rounds_table(results, split) for split in splits(results)]
    if not tables:
        return section("Rounds", note("No labelled questions were given, so there is no truth to compare with."))
    intro = "Points; the small figure is the change to round 0, the zero-shot backbone."
    return section("Rounds", "".join(tables), intro)


def curves_section(run: RunFiles) -> str:
    """Metrics and unlabelled signals over the rounds, as small multiples."""
    results, parts = run.results, []
    rounds = [entry.round for entry in results.rounds]
    for split in splits(results):
        rows = [of_split(entry.metrics, split) for entry in results.rounds]
        charts = []
        for name in sorted(metric_columns(rows), key=lambda name: name not in HEADLINES):
            levels = {
                control_label(key, {}): value
                for key, row in results.controls.items()
                if (value := of_split(row, split).get(name)) is not None
            }
            line = Line(METRIC_NAMES.get(name, name), "s1", [row.get(name) for row in rows])
            charts.append(line_chart(line.label, rounds, [line], levels, best=results.best_round))
        if any(charts):
            parts.append(f"<h3>Metrics on {escape(split or 'the labelled set')}</h3>{grid(charts, 4)}")
    charts = [_signal_chart(results, name) for name in SIGNAL_HINTS]
    if any(charts):
        judges = legend([("s1", "judged by the Solver being trained"), ("s2", "judged by the frozen round-0 Solver")])
        parts.append(f"<h3>Signals without labels</h3>{judges}{grid(charts, 3)}{_signal_figures(results)}")
    if not parts:
        return ""
    text = "Points over rounds. A gain that only the trained judge sees is a Solver that has learned to please itself."
    return section("Curves", "".join(parts), text)


def _lead(results: RunResults) -> str:
    if not results.rounds:
        return "No round has ended yet."
    number = max(entry.round for entry in results.rounds)
    words = f"{number} round{'' if number == 1 else 's'} of self-training from unlabelled video"
    if results.best_round is None:
        return words + "."
    if results.best_round == 0:
        return f"{words}. The best round is 0: <strong>no round beat the zero-shot backbone</strong>."
    return f"{words}. The best is <strong>round {results.best_round}</strong>, and that is the one to use."


def _tiles(results: RunResults) -> str:
    """Headline figures of the best round against round 0: metrics where there are labels, else signals."""
    if not results.rounds:
        return ""
    first = results.rounds[0]
    best = next((entry for entry in results.rounds if entry.round == results.best_round), results.rounds[-1])
    split = next(iter(splits(results)), "")
    now, before = of_split(best.metrics, split), of_split(first.metrics, split)
    figures = [(METRIC_NAMES[name], now[name], before.get(name)) for name in HEADLINES if name in now]
    if not figures:
        pairs = [(name, signal(best.signals, name), signal(first.signals, name)) for name in SIGNAL_HINTS]
        figures = [(SIGNAL_NAMES[name], value, start) for name, value, start in pairs if value is not None][:4]
    tiles = [
        f"<li><b>{value:.1f}</b> {change(value, start) if best is not first else ''}<span>{escape(name)}</span></li>"
        for name, value, start in figures
    ]
    return f'<ul class="tiles">{"".join(tiles)}</ul>' if tiles else ""


def _facts(run: RunFiles) -> str:
    spec, rounds = run.results.spec, run.results.rounds
    named = {str(row["video"]) for row in run.questions if row.get("video")}
    videos = spec.get("videos_indexed", len(named) or None)
    bad = spec.get("videos_bad", len(run.bad_videos))
    seconds = sum(sum(entry.seconds.values()) for entry in rounds)
    pools = [entry.signals for entry in rounds if "kept" in entry.signals]  # round 0 asks, and keeps nothing
    asked = sum(signals.get("asked", 0) for signals in pools)
    kept = sum(signals["kept"] for signals in pools)
    done = max((entry.round for entry in rounds), default=0)
    facts: dict[str, object] = {
        "Videos used": None if videos is None else f"{videos}" + (f", {bad} bad" if bad else ""),
        "Questions kept": f"{kept} of {asked}" if asked else None,
        "Rounds": f"{done} of {spec['rounds']}" if "rounds" in spec else done,
        "Time": duration_text(seconds) if seconds else None,
        "Seed": spec.get("seed"),
        "Protocol": spec.get("protocol"),
        "Started": str(spec.get("started") or "").replace("T", " ")[:16],
        "tevo": spec.get("tevo_version"),
        "Videos in": spec.get("data_root"),
        "Annotations": spec.get("annotations"),
    }
    shown = {name: value for name, value in facts.items() if value not in (None, "")}
    return "".join(f"<div><dt>{name}</dt><dd>{escape(str(value))}</dd></div>" for name, value in shown.items())


def _rounds_table(results: RunResults, split: str) -> str:
    rows = [(entry.round, of_split(entry.metrics, split)) for entry in results.rounds]
    controls = [(control_label(name, row), of_split(row, split)) for name, row in results.controls.items()]
    columns = metric_columns([row for _, row in rows] + [row for _, row in controls])
    head = "".join(f"<th scope='col'>{escape(METRIC_NAMES.get(name, name))}</th>" for name in columns)
    start = next((row for number, row in rows if number == 0), {})
    body = []
    for number, row in rows:
        mark = " <em>zero-shot</em>" if number == 0 else ""
        mark += " <em class='best'>best</em>" if number == results.best_round else ""
        style = " class='best'" if number == results.best_round else ""
        cells = "".join(_cell(row.get(name), start.get(name) if number else None) for name in columns)
        body.append(f"<tr{style}><th scope='row'>{number}{mark}</th>{cells}</tr>")
    for label, row in controls:
        if row:
            cells = "".join(_cell(row.get(name), None) for name in columns)
            body.append(f"<tr class='control'><th scope='row'>{escape(label)}</th>{cells}</tr>")
    caption = f"<h3>{escape(split)}</h3>" if split else ""
    return caption + framed(f"<th scope='col'>Round</th>{head}", body)


def _cell(value: float | None, before: float | None) -> str:
    return "<td>–</td>" if value is None else f"<td>{value:.1f}{change(value, before)}</td>"


def _signal_chart(results: RunResults, name: str) -> str:
    lines = [
        Line("trained judge", "s1", [signal(entry.signals, name) for entry in results.rounds]),
        Line("frozen judge", "s2", [signal(entry.signals_frozen, name) for entry in results.rounds]),
    ]
    rounds = [entry.round for entry in results.rounds]
    return line_chart(SIGNAL_NAMES[name], rounds, lines, hint=SIGNAL_HINTS[name], best=results.best_round)


def _signal_figures(results: RunResults) -> str:
    rows = []
    for entry in results.rounds:
        for judge, signals in (("trained", entry.signals), ("frozen", entry.signals_frozen)):
            if signals:
                cells = "".join(_cell(signal(signals, name), None) for name in SIGNAL_NAMES)
                rows.append(f"<tr><th scope='row'>{entry.round} <em>{judge}</em></th>{cells}</tr>")
    head = "".join(f"<th scope='col'>{name}</th>" for name in SIGNAL_NAMES.values())
    table = framed(f"<th scope='col'>Round, judge</th>{head}", rows)
    return f"<details><summary>The figures</summary>{table}</details>"
