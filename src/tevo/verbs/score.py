"""``tevo score``: a prediction file made by anyone against a benchmark's annotations, without model or videos."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tevo import __version__
from tevo.data.readers import read_benchmark
from tevo.data.truths import nextgqa_spans, span_files, with_split
from tevo.errors import TevoError
from tevo.metrics.answered import as_letter
from tevo.metrics.predictions import Predictions, read_predictions
from tevo.metrics.protocols import scorer
from tevo.metrics.scoring import ScoreReport, score_predictions, write_scores
from tevo.report.scores import score_table
from tevo.structures import Question

Asked = tuple[list[Question], dict[str, Any], list[str]]  # questions, what is kept of the reading, what is said


def run_score(
    benchmark: str,
    predictions: Path,
    annotations: Path,
    protocol: str,
    out: Path | None,
    fractions: bool,
    confidence: float,
    judge: str | None = None,
    videos: Path | None = None,
    evidence: int = 200,
    cache_dir: Path | None = None,
) -> ScoreReport:
    """Score, write the report and print its table; see :func:`tevo.verbs.small.score` for the arguments.

    Raises:
        TevoError: for a file that cannot be read, or a benchmark that the protocol does not score.
    """
    if not 0 < confidence < 1:
        raise TevoError(f"--confidence is {confidence:g}, wanted a share between 0 and 1, such as 0.95")
    if (judge is None) != (videos is None):
        raise TevoError("a judge of evidence looks at videos: give --judge MODEL and --videos FOLDER together")
    if judge is not None and fractions:
        raise TevoError("a judge looks at seconds, and these spans are shares of the video: give them in seconds")
    scorer(benchmark, protocol)  # before any file is read
    predicted = read_predictions(predictions)
    questions, reading, notes = _questions(benchmark, annotations, predicted)
    spec = {"tevo_version": __version__, "annotations": str(annotations), "reading": reading}
    report = score_predictions(benchmark, protocol, questions, predicted, fractions, confidence, spec)
    if judge is not None and videos is not None:
        report["evidence"] = _judged(judge, benchmark, annotations, videos, predicted, evidence, cache_dir)
    target = write_scores(out or Path(f"score-{benchmark}-{protocol}.json"), report)
    for note in notes:
        print(f"tevo: {note}", file=sys.stderr)
    print(score_table(report))
    if "evidence" in report:
        from tevo.report.evaluation import evidence_table

        print(f"\n{evidence_table(report['evidence'])}")
    print(f"\nall of it, with every id that is missing or cannot be used: {target}")
    return report


def _judged(
    name: str,
    benchmark: str,
    annotations: Path,
    videos: Path,
    predicted: Predictions,
    number: int,
    cache_dir: Path | None,
) -> dict[str, Any]:
    """What a model says of the evidence, as in the results of ``tevo eval``."""
    from tevo.answer import load
    from tevo.evaluation import BenchmarkChoice, ask_benchmark, judge_rows

    asked = ask_benchmark(BenchmarkChoice(benchmark, annotations, videos))
    found = judge_rows(load(name, cache_dir=cache_dir), asked.put, predicted.rows, number)
    return {"judge": name, "models": {"the predictions": found.to_row()}}


def _questions(benchmark: str, path: Path, predicted: Predictions) -> Asked:
    """The benchmark's questions.

    NExT-GQA's scorer goes by the files of spans, which may hold questions that the table of questions lacks: those
    count when the file predicts them, with the true answer that the file names.
    """
    if benchmark != "nextgqa":
        return _read(benchmark, path)
    files = span_files(path)
    spans = nextgqa_spans(files)
    alone = files == [path]
    read, reading, notes = ([], {}, []) if alone else _read(benchmark, path)
    asked = [with_split(question, spans) for question in read]
    known = {question.id for question in asked}
    others = [question for qid, question in spans.items() if qid not in known and (alone or qid in predicted.rows)]
    if others:
        notes = [
            *notes,
            f"{len(others)} questions are annotated with spans alone; their true answers are those that the "
            "prediction file names, if it does",
        ]
    claimed = [_with_claim(question, predicted.rows.get(question.id)) for question in others]
    return [*asked, *claimed], reading | {"spans_alone": len(others)}, notes


def _read(benchmark: str, path: Path) -> Asked:
    found = read_benchmark(benchmark, path)
    odd = bool(found.report.notes or found.report.unread_columns or found.report.is_partial)
    return list(found.questions), found.report.to_row(), [str(found.report)] if odd else []


def _with_claim(question: Question, row: Mapping[str, Any] | None) -> Question:
    return replace(question, answer=as_letter((row or {}).get("true_answer"), ()))
