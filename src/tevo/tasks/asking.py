"""Between a person's question and the Solver: options where none were given, and spans that stay inside the video."""

from collections.abc import Sequence
from typing import Any

from tevo.errors import TevoError
from tevo.heads.policy import Prediction
from tevo.prompts.grammar import parse
from tevo.prompts.phrases import COUNTS, DURATIONS
from tevo.structures import Question, Span
from tevo.tasks.role import Said


def usual_options(question: Question, phrases: Sequence[str]) -> tuple[str, ...]:
    """What may answer where no options are given; of the bank, not the clause that the question itself names."""
    ask = parse(question.text)
    fixed = {"when": (), "count": COUNTS, "duration": DURATIONS, "open": tuple(phrases)}
    return fixed.get(ask.kind, tuple(phrase for phrase in phrases if phrase != ask.phrase))


def check_usable(question: Question) -> None:
    """Refuse a question that cannot be put.

    Raises:
        TevoError: when it says nothing, or its options are no choice.
    """
    options, where = question.options, f"the question {question.text!r} about {question.video}"
    if not question.text.strip():
        raise TevoError(f"{where} is empty: write what you want to know")
    if len(options) == 1:
        raise TevoError(f"{where} has one option, {options[0]!r}: give two or more to choose from, or none")
    if not all(option.strip() for option in options):
        raise TevoError(f"{where} has an empty option among {list(options)}: write each out, or leave it away")
    if len(set(options)) < len(options):
        twice = next(option for option in options if options.count(option) > 1)
        raise TevoError(f"{where} has the option {twice!r} more than once: give each once")


def window_outside(question: Question, video: Span) -> str:
    """What is wrong where the question names seconds outside the video; empty where nothing is.

    Args:
        question: which may say "between 3 s and 5 s".
        video: from the video's first frame to its end, seconds (pts).
    """
    within = parse(question.text).within
    if within is None or (within.end_s >= video.start_s and within.start_s <= video.end_s):
        return ""
    return (
        f"the question {question.text!r} asks about {within.start_s:g} to {within.end_s:g} s, but {question.video} "
        f"runs from {video.start_s:g} to {video.end_s:g} s: name seconds inside the video"
    )


def predicted_spans(best: Prediction, index: int, video: Span) -> list[tuple[Span, float]]:
    """One question's spans and their scores; none reaches beyond the video, as a token's share of time may.

    Args:
        best: of a batch.
        index: of the question in it.
        video: from the video's first frame to its end, seconds (pts).
    """
    slots = zip(
        best.spans[index].tolist(), best.span_scores[index].tolist(), best.span_mask[index].tolist(), strict=True
    )
    return [(Span(*bounds).clamp(video), score) for bounds, score, real in slots if real]


def read_prediction(question: Question, best: Prediction, index: int, video: Span) -> Said:
    """One question's answer out of a batch's prediction; the question has the options that were put.

    Args:
        question: with the options that were put.
        best: of a batch.
        index: of the question in it.
        video: from the video's first frame to its end, seconds (pts).
    """
    # padded to the widest question of the batch
    probs = dict(zip(question.options, best.option_probs[index].tolist(), strict=False))
    spans = predicted_spans(best, index, video)
    chosen = max(probs, key=probs.__getitem__, default="")
    return Said(chosen, probs[chosen] if probs else None, probs, spans)


def prediction_row(question: Question, said: Said) -> dict[str, Any]:
    """One row of ``predictions.jsonl``, with Moment-DETR's keys for the spans.

    ``answer`` and ``relevant_windows`` are there only where the truth is known; ``pred_completion`` where the model
    writes, as it wrote it, and ``pred_parsed`` where that could not be read.

    Args:
        question: with the options that were put.
        said: the Solver's answer.
    """
    row = {
        "qid": question.id,
        "vid": question.video,
        "query": question.text,
        "kind": question.kind,
        "family": question.family,
        "options": list(question.options),
        "pred_answer": said.answer,
        "pred_answer_confidence": said.confidence,
        "pred_relevant_windows": [[span.start_s, span.end_s, score] for span, score in said.spans],
    }
    if said.completion is not None:
        row |= {"pred_completion": said.completion, "pred_parsed": said.parsed}
    if question.answer or question.evidence:
        row["answer"] = question.answer
        row["relevant_windows"] = [[span.start_s, span.end_s] for span in question.evidence]
    return row
