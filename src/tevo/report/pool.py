"""The pool of questions and the time of a run: counts by round, histograms, stages."""

from collections.abc import Mapping, Sequence
from html import escape

from tevo.metrics.results import RoundResult
from tevo.report.charts import duration_text, histogram, stacked_bar
from tevo.report.layout import legend, note, section
from tevo.report.run import RunFiles

HISTOGRAMS = {
    "agreement_hist": "Agreement of the votes",
    "coverage_hist": "Evidence, share of the video",
    "start_hist": "Where evidence begins",
}
STAGES = {"decode": "t1", "encode": "t2", "sample": "t3", "score": "t4", "update": "t5", "wait": "t6"}


def pool_section(run: RunFiles) -> str:
    """What became of the questions: drops by reason, faults, kinds, levels, and three histograms a round."""
    rounds = [entry for entry in run.results.rounds if {"asked", "kept", *HISTOGRAMS} & entry.signals.keys()]
    if not rounds:
        return section("Questions", note("No round has reported its pool of questions."))
    pooled = [entry for entry in rounds if "kept" in entry.signals]  # round 0 asks, and keeps nothing
    asked = {entry.round: entry.signals.get("asked", 0) for entry in pooled}
    kept = {entry.round: entry.signals["kept"] for entry in pooled}
    fates = {"kept": kept, **_by_round({entry.round: entry.signals.get("drops", {}) for entry in pooled})}
    kinds = _by_round({entry.round: entry.signals.get("kinds", {}) for entry in pooled})
    levels = _by_round({entry.round: entry.signals.get("levels", {}) for entry in pooled})
    levels = {f"level {name}": levels[name] for name in sorted(levels)}
    faults = _by_round({entry.round: entry.signals.get("faults", {}) for entry in pooled})
    tries = {number: asked[number] + sum(row[number] for row in faults.values()) for number in asked}
    tables = [
        _count_table("What became of the questions asked", fates, asked, wide=True),
        _count_table("Tries that made no question", faults, tries, wide=True),
        _count_table("Kept, by kind", kinds, kept),
        _count_table("Kept, by level", levels, kept),
    ]
    band = run.results.spec.get("agreement_band")
    body = f'<div class="pool">{"".join(tables)}</div>' + _histograms(rounds, (band[0], band[1]) if band else None)
    return section("Questions", body, "What the Questioner asked, and what was kept.")


def time_section(run: RunFiles) -> str:
    """Share of the time of every round by stage."""
    rounds = [entry for entry in run.results.rounds if sum(entry.seconds.values()) > 0]
    if not rounds:
        return section("Time", note("No round has reported how long its stages took."))
    stages = list(dict.fromkeys([*STAGES, *(name for entry in rounds for name in entry.seconds)]))
    styles = {name: STAGES.get(name, "t7") for name in stages}
    longest = max(sum(entry.seconds.values()) for entry in rounds)
    rows = [
        f'<div class="lane"><span class="who">round {entry.round}</span>'
        f"{stacked_bar({name: entry.seconds.get(name, 0.0) for name in stages}, longest, styles)}"
        f'<span class="sum">{duration_text(sum(entry.seconds.values()))}</span></div>'
        for entry in rounds
    ]
    total = sum(sum(entry.seconds.values()) for entry in rounds)
    spent = {name: sum(entry.seconds.get(name, 0.0) for entry in rounds) for name in stages}
    keys = legend((styles[name], f"{name} {value / total:.0%}") for name, value in spent.items() if value > 0)
    return section("Time", f'{keys}<div class="times">{"".join(rows)}</div>')


def _by_round(counts: Mapping[int, Mapping[str, int]]) -> dict[str, dict[int, int]]:
    """Name -> round -> count, the most frequent name first."""
    names = dict.fromkeys(name for row in counts.values() for name in row)
    table = {name: {number: row.get(name, 0) for number, row in counts.items()} for name in names}
    return dict(sorted(table.items(), key=lambda item: -sum(item[1].values())))


def _count_table(
    title: str, rows: Mapping[str, Mapping[int, int]], wholes: Mapping[int, int], wide: bool = False
) -> str:
    """Counts by round, each with a bar for its share of the round's whole."""
    rows = {name: row for name, row in rows.items() if any(row.values())}
    if not rows:
        return ""
    body = []
    for name, row in rows.items():
        style = ' class="kept"' if name == "kept" else ""
        cells = "".join(_count_cell(row.get(number, 0), whole) for number, whole in wholes.items())
        body.append(f'<tr{style}><th scope="row">{escape(name)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">round {number}</th>' for number in wholes)
    return (
        f'<div{" class=wide" * wide}><h3>{escape(title)}</h3><div class="scroll"><table class="counts">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div></div>"
    )


def _count_cell(count: int, whole: int) -> str:
    share = min(100 * count / whole, 100) if whole else 0.0
    return (
        f'<td title="{share:.1f} %"><span class="count"><b>{count}</b>'
        f'<span class="meter"><i style="width:{share:.1f}%"></i></span></span></td>'
    )


def _histograms(rounds: Sequence[RoundResult], kept: tuple[float, float] | None) -> str:
    """A row of small histograms for each round, under one heading each."""
    columns = {name: title for name, title in HISTOGRAMS.items() if any(r.signals.get(name) for r in rounds)}
    if not columns:
        return ""
    cells = ["<span></span>", *(f"<h4>{title}</h4>" for title in columns.values())]
    for entry in rounds:
        cells.append(f'<span class="who">round {entry.round}</span>')
        for name, title in columns.items():
            counts = entry.signals.get(name)
            band = kept if name == "agreement_hist" else None
            cells.append(histogram(counts, title, band) if isinstance(counts, list) else "<span></span>")
    cells += ["<span></span>", *(['<span class="ends"><i>0</i><i>1</i></span>'] * len(columns))]
    shaded = "Shaded: the agreement that is kept. " if kept else ""
    said = note(f"{shaded}Coverage that drifts right, or one start for all, is a collapse.")
    return f'<h3>Shapes to watch</h3>{said}<div class="hists" style="--n:{len(columns)}">{"".join(cells)}</div>'
