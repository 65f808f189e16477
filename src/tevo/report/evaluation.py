"""The tables of ``tevo eval`` as text."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from tevo.evaluation.results import BenchmarkResult, ModelScore, ProtocolResult
from tevo.evaluation.run import EvalResult
from tevo.metrics.evidence_quality import TERMS
from tevo.report.tables import aligned

NAMED = 3  # questions that are named of those without an answer; the file has all of them


def eval_table(results: EvalResult) -> str:
    """Benchmark by benchmark: every protocol's figures, intervals and differences, evidence, and what is missing."""
    return "\n\n".join([_spec_line(results["spec"]), *(_benchmark(one, results) for one in results["benchmarks"])])


def _spec_line(spec: Mapping[str, Any]) -> str:
    subtitles = "with subtitles" if spec["subtitles"] else "no subtitles"
    return (
        f"{spec['fps']:g} frames a second, at most {spec['max_frames']}; {spec['answering']['way'].replace('_', ' ')}; "
        f"{subtitles}; seed {spec['seed']}; tevo {spec['tevo_version']}"
    )


def _benchmark(one: BenchmarkResult, results: EvalResult) -> str:
    blocks = [_title(one)]
    for protocol, found in one["protocols"].items():
        blocks += _protocol(f"{one['benchmark']}, protocol {protocol}", found, one, results["confidence"])
    if one["evidence"]:
        blocks.append(evidence_table(one["evidence"]))
    lost = _lost(one)
    return "\n\n".join([*blocks, *([lost] if lost else [])])


def _title(one: BenchmarkResult) -> str:
    limit = f"; --limit leaves {one['outside']} out, so this is no result of the benchmark" if one["outside"] else ""
    missing = one["scored"] - one["answered_by_all"]
    partial = f", PARTIAL: {missing} without an answer" if missing else ", all of them answered"
    return f"{one['benchmark']}: {one['scored']} questions{partial}{limit}"


def _protocol(title: str, found: ProtocolResult, one: BenchmarkResult, confidence: float) -> list[str]:
    models = found["models"]
    some = any(score["answered_only"] for score in models.values())
    heads = [title, *models]
    if some:
        heads += [f"{label}, answered" for label in models]
    names = dict.fromkeys(name for score in models.values() for name in score["printed"])
    rows = [
        [
            name,
            *(score["printed"].get(name, "-") for score in models.values()),
            *(score["answered_only"].get(name, "-") for score in models.values() if some),
        ]
        for name in names
    ]
    blocks = [aligned([heads, *rows])]
    sure = f"points, {100 * confidence:g} % interval"
    metrics = dict.fromkeys(name for score in models.values() for name in score["intervals"])
    if metrics:
        first = next(iter(models))
        heads = [sure, *models, *(f"{label} - {first}" for label in found["differences"])]
        body = [[name, *_cells(name, models, found)] for name in metrics]
        blocks.append(aligned([heads, *body]))
    return blocks


def _cells(name: str, models: Mapping[str, ModelScore], found: ProtocolResult) -> list[str]:
    own = [score["intervals"].get(name) for score in models.values()]
    cells = ["-" if one is None else f"{one['mean']:.1f} [{one['low']:.1f}, {one['high']:.1f}]" for one in own]
    gaps = [differences.get(name) for differences in found["differences"].values()]
    return cells + ["-" if d is None else f"{d['mean']:+.1f} [{d['low']:+.1f}, {d['high']:+.1f}]" for d in gaps]


def evidence_table(evidence: Mapping[str, Any]) -> str:
    """Every model's terms, beside those of its spans dealt to other questions; by one judge."""
    rows = [[f"evidence, judged by {evidence['judge']}", *TERMS, "questions"]]
    for label, one in evidence["models"].items():
        for name, terms in ((label, one["terms"]), (f"{label}, of other questions", one["of_other_questions"])):
            cells = [f"{terms[term]:.3f}" if term in terms else "-" for term in TERMS]
            rows.append([name, *cells, str(one["questions"]) if name == label else ""])
    return aligned(rows)


def _lost(one: BenchmarkResult) -> str:
    lines = []
    if one["not_put"]:
        lines.append(f"{len(one['not_put']):>6} not put to any model: {_named(one['not_put'])}")
    for label, reasons in one["not_answered"].items():
        lines.append(f"{len(reasons):>6} not answered by {label}: {_named(reasons)}")
    if lines:
        lines.append("They are in the denominator of every figure above, except of those called answered.")
    return "\n".join(lines)


def _named(reasons: Mapping[str, str]) -> str:
    some = "; ".join(f"{qid} ({reason})" for qid, reason in islice(reasons.items(), NAMED))
    return some + (f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else "")
