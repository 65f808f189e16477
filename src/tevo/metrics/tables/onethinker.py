"""OneThinker's scorer, which Video-Zero uses too: one score a row, by the problem's type; R@t of spans."""

from collections.abc import Sequence
from string import ascii_uppercase

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import hull_iou
from tevo.metrics.tables.base import Figure, Scored, Unit, groups_of, mean, reached
from tevo.metrics.tables.moments import THRESHOLDS
from tevo.metrics.text import mean_relative_accuracy, number, rouge_mean, same_formula, same_number, word_error_rate
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS
from tevo.prompts.replies.tags import first_tagged

GROUNDING = "temporal grounding"


def onethinker_score(problem_type: str, reply: str, truth: str) -> float:
    """Score of one reply, 0..1.

    Args:
        problem_type: ``multiple choice``, ``numerical``, ``regression``, ``OCR``, ``open-ended``, ``math`` or
            ``temporal grounding``; any other type scores 0.
        reply: the whole reply.
        truth: the solution, with or without ``<answer>`` tags.
    """
    kind = problem_type.strip().lower()
    said = _answer(reply) or reply.strip()
    true = _answer(truth) or truth
    if kind == "multiple choice":
        return float(said[:1].upper() == true.strip()[:1].upper() and said[:1].upper() in ascii_uppercase)
    if kind in ("numerical", "regression"):
        pair = number(said), number(true)
        if pair[0] is None or pair[1] is None:
            return 0.0
        score = same_number if kind == "numerical" else mean_relative_accuracy
        return float(score(pair[0], pair[1]))
    if kind == "ocr":
        return max(0.0, min(1.0, 1 - word_error_rate(true, said)))
    if kind == "open-ended":
        return max(0.0, min(1.0, rouge_mean(true, said)))
    if kind == "math":
        return float(same_formula(said, true))
    if kind == GROUNDING:
        spans = [SPAN_PARSERS["onethinker"](text, 0.0) for text in (reply, truth)]
        return hull_iou(spans[0][0], spans[1][0]) if spans[0] and spans[1] else 0.0
    return 0.0


def _answer(text: str) -> str:
    """Inside the first ``<answer>``, else the whole text, stripped."""
    tagged = first_tagged(text, "answer")
    return (text if tagged is None else tagged).strip()


def problem_type(row: Answered) -> str:
    """The type a question is scored as, when the benchmark does not say."""
    if "problem_type" in row.extra:
        return str(row.extra["problem_type"])
    if row.options:
        return "multiple choice"
    return GROUNDING if row.true_spans and not row.truth else "open-ended"


def onethinker(rows: Sequence[Answered]) -> Scored:
    """The table, shares: mean score, mean by type, tIoU and R@t of grounding. A missing prediction scores 0."""
    kinds = [problem_type(row) for row in rows]
    scores = [_score(row, kind) for row, kind in zip(rows, kinds, strict=True)]
    units = tuple(
        Unit(row.qid, row.video, groups_of(row) | {"problem": (kind,)}) for row, kind in zip(rows, kinds, strict=True)
    )
    figures = {"overall/acc": _figure(mean(scores))}
    columns: dict[str, tuple[float | None, ...]] = {"score": tuple(scores)}
    for name in dict.fromkeys(kinds):
        figures[f"{name}/acc"] = _figure(mean(_only(scores, kinds, name)))
    if GROUNDING in kinds:
        iou = _only(scores, kinds, GROUNDING)
        columns |= {"IoU": tuple(iou)} | {f"R@{t}": reached(iou, t) for t in THRESHOLDS}
        figures[f"{GROUNDING}/tiou/mean"] = _figure(mean(iou))
        figures |= {f"{GROUNDING}/tiou/R@{t}": _figure(mean(columns[f"R@{t}"])) for t in THRESHOLDS}
    return Scored(units, columns, figures)


def _score(row: Answered, kind: str) -> float:
    if row.row is None:
        return 0.0
    if kind == GROUNDING:
        spans = row.pairs(SPAN_PARSERS["onethinker"])
        return hull_iou(spans[0], row.true_spans[0]) if spans and row.true_spans else 0.0
    if kind == "multiple choice":
        return float(row.right(LETTER_PARSERS["onethinker"]))
    reply = row.reply if "response" in row.row else str(row.row.get("pred_answer") or "")
    return onethinker_score(kind, reply, row.truth)


def _only(values: Sequence[float], kinds: Sequence[str], name: str) -> list[float | None]:
    return [value if kind == name else None for value, kind in zip(values, kinds, strict=True)]


def _figure(value: float) -> Figure:
    return Figure(value, 4, points=False)
