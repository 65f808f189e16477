"""Rounds of a run against what really happens in the videos: what the run itself never saw."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tevo.data.pool import read_verdicts
from tevo.metrics.results import read_results
from tevo.ops import set_iou
from tevo.prompts.grammar import parse
from tevo.prompts.phrases import COUNTS, DURATIONS, DURATIONS_S
from tevo.structures import Question, Verdict


def oracle_rows(world: Path, part: str) -> dict[str, dict[str, Any]]:
    """What really happens in each video of a part."""
    lines = (world / "oracle" / f"{part}.jsonl").read_text().splitlines()
    return {row["vid"]: row for row in map(json.loads, lines)}


def audit_rounds(world: Path, run: Path) -> list[dict[str, Any]]:
    """Every round's test metrics and signals, and its pseudo-labels against the oracle."""
    truth = oracle_rows(world, "train")
    verdicts = read_verdicts(run / "questions.jsonl")
    rows = []
    for result in read_results(run).rounds:
        row: dict[str, Any] = {
            "round": result.round,
            "metrics": result.metrics,
            "signals": result.signals,
            "signals_frozen": result.signals_frozen,
            "seconds": result.seconds,
        }
        rows.append(row | audit([v for v in verdicts if v.round == result.round and v.kept], truth))
    return rows


def audit(verdicts: Sequence[Verdict], truth: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Share of pseudo-answers that are true, mean IoU of pseudo-evidence with the truth; about nothing is wrong."""
    right, overlap = [], []
    for verdict in verdicts:
        answer, spans = true_label(verdict.question, truth[verdict.question.video]["events"])
        own = torch.tensor([[s.start_s, s.end_s] for s in verdict.pseudo_evidence]).view(1, -1, 2)
        real = torch.tensor(spans).view(1, -1, 2)
        every = (torch.ones(part.shape[:2], dtype=torch.bool) for part in (own, real))
        mask, real_mask = every
        overlap.append(float(set_iou(own, mask, real, real_mask)) if spans and len(verdict.pseudo_evidence) else 0.0)
        if verdict.question.options:
            right.append(verdict.pseudo_answer in answer)
    return {
        "pool": len(verdicts),
        "pseudo_answer_accuracy": 100 * sum(right) / max(1, len(right)),
        "pseudo_evidence_iou": 100 * sum(overlap) / max(1, len(overlap)),
    }


def true_label(question: Question, events: list[dict[str, Any]]) -> tuple[set[str], list[list[float]]]:
    """The right answers and the true evidence of a made-up question; nothing where it is about nothing."""
    ask = parse(question.text)
    named = [index for index, event in enumerate(events) if ask.phrase in (event["phrase"], event["effect"])]
    if ask.kind in ("first", "last"):
        targets = [0 if ask.kind == "first" else len(events) - 1]
    elif ask.kind == "what" and ask.within is not None:
        middle = (ask.within.start_s + ask.within.end_s) / 2
        targets = [min(range(len(events)), key=lambda i: abs(sum(events[i]["span"]) / 2 - middle))]
    elif ask.kind in ("before", "after"):
        step = 1 if ask.kind == "after" else -1
        targets = [named[0] + step] if len(named) == 1 and 0 <= named[0] + step < len(events) else []
    else:
        targets = named
    spans = [events[index]["span"] for index in targets]
    if ask.kind == "count":
        return ({COUNTS[len(targets) - 1]} if 0 < len(targets) <= len(COUNTS) else set()), spans
    if ask.kind == "duration":
        nearest = [min(DURATIONS_S, key=lambda seconds: abs(seconds - (end - start))) for start, end in spans]
        return {DURATIONS[DURATIONS_S.index(seconds)] for seconds in nearest}, spans
    return {text for index in targets for text in (events[index]["phrase"], events[index]["effect"]) if text}, spans
