"""Prediction files made by anyone: rows by question id, and by name every row that cannot be used.

Rows (JSON lines, or a JSON list) have ``qid``, and ``pred_relevant_windows`` (``[[start, end, score?], ...]``,
seconds), ``pred_answer`` (a letter, an index from 0, or the option's text), or ``response``, the reply as it came,
which the protocol's own parsers read. A JSON object holds them by id: a span ``[start, end]``, an answer
``{"prediction": 2, "answer": 1}``, a reply, or a row; ``{"ground": {...}, "qa": {...}}`` has both (NExT-GQA).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tevo.errors import TevoError
from tevo.metrics.answered import as_window
from tevo.strict_json import parse_json

ALIASES = {
    "qid": ("qid", "question_id", "uid", "id"),
    "pred_relevant_windows": ("pred_relevant_windows", "pred_spans"),
    "pred_answer": ("pred_answer", "ans"),
    "response": ("response", "prediction", "output", "pred"),
}
"""Columns that stand for one another in published prediction files; the first that is there counts."""
SHOWN = 80  # characters of a value that a message repeats


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a prediction file holds.

    Attributes:
        path: the file.
        rows: usable rows by question id; of several rows for one id the last counts, as in the official scorers.
        num_rows: rows that the file has, usable or not.
        duplicates: ids that stand more than once.
        problems: what could not be used, with its place and the reason.
    """

    path: Path
    rows: Mapping[str, Mapping[str, Any]]
    num_rows: int
    duplicates: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def read_predictions(path: str | Path) -> Predictions:
    """Read a ``.jsonl`` or ``.json`` file of predictions.

    Raises:
        TevoError: for a file that is not there, is no text or no JSON, or holds not one usable row.
    """
    file = Path(path)
    rows: dict[str, dict[str, Any]] = {}
    duplicates: dict[str, None] = {}
    problems: list[str] = []
    items = list(_items(file))
    for where, value in items:
        if isinstance(value, str):
            problems.append(f"{where}: {value}")
            continue
        row = _row(value, where, problems)
        if row is None:
            continue
        if row["qid"] in rows:
            duplicates[row["qid"]] = None
        rows[row["qid"]] = row
    if not rows:
        named = "; ".join(problems[:3]) or "it is empty"
        raise TevoError(
            f"{file} has no prediction that can be used ({named}): give one JSON row a question, with `qid`"
        )
    return Predictions(file, rows, len(items), tuple(duplicates), tuple(problems))


def _items(file: Path) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
    """Place and row; a text in place of a row says what is wrong with it."""
    if not file.is_file():
        raise TevoError(f"no prediction file at {file}: give a .jsonl or .json file, one row a question")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TevoError(f"{file} cannot be read as text ({error}): give a .jsonl or .json file in UTF-8") from error
    if file.suffix.lower() == ".jsonl":
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
            if line.strip():
                yield f"line {number}", _line(line)
        return
    try:
        content = parse_json(text)
    except ValueError as error:
        raise TevoError(f"{file} is not complete JSON ({error}): mend it, or give one JSON object a line") from error
    if isinstance(content, dict) and isinstance(content.get("results"), list):
        content = content["results"]
    if isinstance(content, dict):
        yield from _by_id(content)
    elif isinstance(content, list):
        for number, item in enumerate(content, start=1):
            yield f"row {number}", item if isinstance(item, dict) else f"{_repeat(item)} is no JSON object"
    else:
        raise TevoError(f"{file} holds a JSON {type(content).__name__}, wanted rows: [{{...}}] or {{id: ...}}")


def _line(line: str) -> Mapping[str, Any] | str:
    try:
        item = parse_json(line)
    except ValueError as error:
        return f"not JSON ({error}), it begins {line.strip()[:SHOWN]!r}"
    return item if isinstance(item, dict) else f"{_repeat(item)} is no JSON object"


def _by_id(content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
    """Rows of an object whose keys are ids; of NExT-GQA's two objects, spans and answers, together."""
    spans = next((name for name in content if name.startswith("ground")), "")
    parts = [content[name] for name in (spans, "qa") if name in content]
    if not parts or not all(isinstance(part, dict) for part in parts):
        parts = [content]
    for qid in dict.fromkeys(qid for part in parts for qid in part):
        found = [_valued(part[qid]) for part in parts if qid in part]
        wrong = next((value for value in found if isinstance(value, str)), None)
        joined = {name: value for row in found if isinstance(row, dict) for name, value in row.items()}
        yield f"id {qid!r}", wrong if wrong is not None else {"qid": qid} | joined


def _valued(value: object) -> dict[str, Any] | str:
    """A row made of what stands under an id; a text that says why it is none."""
    if isinstance(value, str):
        return {"response": value}
    if isinstance(value, list) and len(value) >= 2 and not any(isinstance(item, list | dict) for item in value):
        return {"pred_relevant_windows": [[value[0], value[-1]]]}  # the first and the last number are the span
    if isinstance(value, list):
        return {"pred_relevant_windows": value}
    if isinstance(value, dict) and isinstance(value.get("prediction"), int):
        return {"pred_answer": value["prediction"]} | ({"true_answer": value["answer"]} if "answer" in value else {})
    if isinstance(value, dict):
        return dict(value)
    return f"{_repeat(value)} is no prediction"


def _row(value: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, Any] | None:
    """The row under the standard column names; what is wrong with it is added to the problems."""
    row = {name: column for name, column in value.items() if not any(name in names[1:] for names in ALIASES.values())}
    for name, names in ALIASES.items():
        there = next((alias for alias in names if alias in value), None)
        if there is not None:
            row[name] = value[there]
    if isinstance(row.get("qid"), bool) or not isinstance(row.get("qid"), str | int):
        problems.append(f"{where}: no `qid`, the columns are {', '.join(value) or 'none'}")
        return None
    row["qid"] = str(row["qid"])
    if not isinstance(row.get("pred_answer"), str | int | None):
        problems.append(f"{where}: `pred_answer` is {_repeat(row['pred_answer'])}, wanted a letter, an index or a text")
        row["pred_answer"] = ""
    if "response" in row and not isinstance(row["response"], str):
        if row["response"] is not None:
            problems.append(f"{where}: `response` is {_repeat(row['response'])}, wanted a text")
        del row["response"]
    if "pred_relevant_windows" in row:
        row["pred_relevant_windows"] = _windows(row, where, problems)
    if "pred_saliency_scores" in row:
        row["pred_saliency_scores"] = _scores(row["pred_saliency_scores"], where, problems)
    return row


def _scores(given: object, where: str, problems: list[str]) -> list[float]:
    """Predicted saliency of the clips; all of it or nothing."""
    if isinstance(given, list) and all(isinstance(score, int | float) and math.isfinite(score) for score in given):
        return [float(score) for score in given]
    problems.append(f"{where}: `pred_saliency_scores` is {_repeat(given)}, wanted a number for each clip")
    return []


def _windows(row: Mapping[str, Any], where: str, problems: list[str]) -> list[tuple[float, ...]]:
    """The windows that are numbers; the others are named."""
    given = row["pred_relevant_windows"]
    if given is None:
        return []
    if not isinstance(given, list):
        problems.append(f"{where}: `pred_relevant_windows` is {_repeat(given)}, wanted [[start, end, score?], ...]")
        return []
    kept = []
    for window in given:
        try:
            kept.append(as_window(window, row["qid"]))
        except TevoError as error:
            problems.append(f"{where}: {error}")
    return kept


def _repeat(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
