"""The table of ``tevo score`` as text."""

from collections.abc import Mapping

from tevo.metrics.scoring import ScoreReport
from tevo.report.tables import aligned

NAMED = 3  # ids that are printed of those that are missing, unknown, ...; the file has all of them
WIDEST = 8  # columns of a breakdown
_COUNTS = (
    ("missing", "missing_qids", "without a prediction"),
    ("unknown", "unknown_qids", "predicted, not annotated"),
    ("duplicate", "duplicate_qids", "predicted more than once, the last counts"),
    ("unparsed", "unparsed_qids", "without an answer or a span that can be read"),
    ("other_truth", "other_truth_qids", "whose prediction names another true answer than the annotation"),
    ("unusable", "problems", "rows or windows that cannot be used"),
)


def score_table(report: ScoreReport) -> str:
    """The scorer's own figures, then every metric with its interval, then the breakdowns and what is missing."""
    counts = report["counts"]
    title = (
        f"{report['benchmark']}, protocol {report['protocol']}: {counts['questions']} questions, "
        f"{counts['predicted']} predicted, {counts['counted']} counted"
    )
    figures = [[name, text] for name, text in report["printed"].items()]
    blocks = [title, aligned([["as the scorer prints it", ""], *figures])]
    if report["intervals"]:
        rows = [
            [name, f"{found['mean']:.1f}", f"{found['low']:.1f}", f"{found['high']:.1f}"]
            for name, found in report["intervals"].items()
        ]
        sure = f"{100 * report['confidence']:g} %"
        blocks.append(aligned([[f"points, {sure} interval", "mean", "low", "high"], *rows]))
    blocks += [_breakdown(name, labels) for name, labels in report["by"].items() if len(labels) > 1]
    lost = [_named(report, *words) for words in _COUNTS if counts[words[0]]]
    return "\n\n".join([*blocks, *(["\n".join(lost)] if lost else [])])


def _breakdown(name: str, labels: Mapping[str, Mapping[str, float]]) -> str:
    columns = [column for column in next(iter(labels.values())) if column != "count"][:WIDEST]
    rows = [
        [label, f"{means['count']:.0f}", *(f"{means[c]:.1f}" if c in means else "-" for c in columns)]
        for label, means in labels.items()
    ]
    return aligned([[f"by {name}", "count", *columns], *rows])


def _named(report: ScoreReport, count: str, column: str, meaning: str) -> str:
    ids: list[str] = report[column]  # type: ignore[literal-required]
    rest = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"{report['counts'][count]:>6} {meaning}: {', '.join(ids[:NAMED])}{rest}"
