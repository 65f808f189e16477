"""``tevo score``: a prediction file made by anyone against a benchmark's annotations, without model or videos."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tevo import __version__
from tevo.data.readers import read_benchmark
from tevo.data.truths import nextgqa_spans, span_files
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
) -> ScoreReport:
    """Score, write the report and print its table.

    Raises:
        TevoError: for a file that cannot be read, or a benchmark that the protocol does not score.
    """
    if not 0 < confidence < 1:
        raise TevoError(f"--confidence is {confidence:g}, wanted a share between 0 and 1, such as 0.95")
    scorer(benchmark, protocol)  # before any file is read
    predicted = read_predictions(predictions)
    questions, reading, notes = _questions(benchmark, annotations, predicted)
    spec = {"tevo_version": __version__, "annotations": str(annotations), "reading": reading}
    report = score_predictions(benchmark, protocol, questions, predicted, fractions, confidence, spec)
    target = write_scores(out or Path(f"score-{benchmark}-{protocol}.json"), report)
    for note in notes:
        print(f"tevo: {note}", file=sys.stderr)
    print(score_table(report))
    print(f"\nall of it, with every id that is missing or cannot be used: {target}")
    return report


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
    asked = [_with_split(question, spans) for question in read]
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


def _with_split(question: Question, spans: Mapping[str, Question]) -> Question:
    there = spans.get(question.id)
    return replace(question, groups={**there.groups, **question.groups}) if there else question


def _with_claim(question: Question, row: Mapping[str, Any] | None) -> Question:
    return replace(question, answer=as_letter((row or {}).get("true_answer"), ()))
