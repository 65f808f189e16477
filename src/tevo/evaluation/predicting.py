"""A model's predictions on a benchmark, row by row into a file that outlives a kill."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tevo.answer import Answer, Answerer
from tevo.data.collection import Collection
from tevo.data.loader import pack
from tevo.data.shown import what_is_shown
from tevo.errors import TevoError
from tevo.evaluation.asked import Asked, relative_name
from tevo.evaluation.spec import EvalSpec
from tevo.metrics.results import write_atomic
from tevo.structures import Question, Span
from tevo.tasks.asking import window_outside

PREDICTIONS = "predictions.jsonl"
QUESTIONS_AT_ONCE = 64  # assumed; after so many the rows are on the disk


@dataclass(frozen=True, slots=True)
class Predicted:
    """Rows of ``predictions.jsonl`` by question id, and why the others that were put are not there."""

    rows: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str]
    new: int  # rows that this call has added


def predict(
    model: Answerer, asked: Asked, spec: EvalSpec, folder: Path, title: str, progress: bool = True
) -> Predicted:
    """Answer what is asked, a batch of whole videos at a time; rows that are in the file already are not asked again.

    Which questions are answered together depends on the benchmark alone, so that a file which was cut off and taken up
    again holds the same rows as one that was not.

    Args:
        model: answers.
        asked: of a benchmark.
        spec: how it is asked.
        folder: ``predictions.jsonl`` is in it, or will be.
        title: stands before the bar.
        progress: show a bar with the time left, on a terminal.

    Raises:
        TevoError: when not one question can be answered; the reasons are in the message.
    """
    file = folder / PREDICTIONS
    rows = _kept(file, {question.id for question in asked.put})
    before = len(rows)
    todo = [batch for batch in _batches(asked.put) if any(question.id not in rows for question in batch)]
    failed: dict[str, str] = {}
    found = model.look_up([question for batch in todo for question in batch], progress) if todo else Collection({}, [])
    bar = tqdm(total=len(asked.put), initial=before, desc=title, unit="question", disable=None if progress else True)
    with bar:
        for batch in todo:
            usable = list(_inside(batch, found, failed))
            replies = model.answer_all(usable, "", False, spec.answering, spec.subtitles, found)
            failed |= {reply.question.id: reply.reason for reply in replies if reply.answer is None}
            new = {
                reply.question.id: prediction_row(reply.question, reply.answer, asked.choice.videos)
                for reply in replies
                if reply.answer is not None and reply.question.id not in rows
            }
            _append(file, new.values())
            rows |= new
            bar.update(len(new))
    if not rows:
        reasons = "; ".join(sorted(set(failed.values()))[:3])
        raise TevoError(f"not one question of {asked.choice.name} could be answered: {reasons}")
    return Predicted(rows, failed, len(rows) - before)


def prediction_row(question: Question, answer: Answer, videos: Path) -> dict[str, Any]:
    """A row as ``tevo score`` and ``tevo evidence`` read it; all seconds are those of the whole file.

    Args:
        question: as it was put; ``video`` is a whole path.
        answer: to it.
        videos: folder that names are relative to.
    """
    windows = [[span.start_s, span.end_s, score] for span, score in zip(answer.spans, answer.span_scores, strict=True)]
    row: dict[str, Any] = {
        "qid": question.id,
        "vid": relative_name(question.video, videos),
        "query": question.text,
        "kind": question.kind,
        "family": question.family,
        "options": list(question.options),
        "pred_answer": answer.answer,
        "pred_answer_confidence": None if answer.answer is None else answer.confidence,
        "pred_relevant_windows": windows,
        "path": answer.path,
        "token_forwards": answer.token_forwards,
    }
    if answer.completion is not None:
        row["completion"] = answer.completion
    if answer.notes:
        row["notes"] = list(answer.notes)
    if question.shown is not None:
        row["shown"] = [question.shown.start_s, question.shown.end_s]
    return row


def _batches(questions: Sequence[Question]) -> list[list[Question]]:
    """Questions in whole videos (and the parts of them that are shown), at most a batch at once where that can be."""
    by_video: dict[str, list[Question]] = {}
    for question in questions:
        by_video.setdefault(question.video, []).append(question)
    groups = list(by_video.values())
    plan = pack([min(len(group), QUESTIONS_AT_ONCE) for group in groups], QUESTIONS_AT_ONCE)
    return [[question for index in batch for question in groups[index]] for batch in plan]


def _inside(batch: Sequence[Question], found: Collection, failed: dict[str, str]) -> Iterator[Question]:
    """The questions that have something to look at and name no seconds outside it; the others are noted as failed."""
    shown = what_is_shown(batch, found)
    for question, own in zip(batch, shown.questions, strict=True):
        video, trouble = shown.videos.get(own.video), shown.reasons.get(own.video, "")
        if video is not None:
            trouble = window_outside(question, Span(video.start_s, video.end_s))
        if trouble:
            failed[question.id] = trouble
        else:
            yield question


def _kept(file: Path, known: set[str]) -> dict[str, dict[str, Any]]:
    """The whole rows of an earlier call about what is asked; a line that a kill cut short is taken out."""
    if not file.is_file():
        return {}
    rows: dict[str, dict[str, Any]] = {}
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and row.get("qid") in known:
            rows[row["qid"]] = row
    if len(rows) < len(lines):
        write_atomic(file, "".join(_line(row) for row in rows.values()))
    return rows


def _append(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add whole rows; they are on the disk when this returns."""
    text = "".join(_line(row) for row in rows)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
