"""Predictors that look at no frame: printed beside every table, since good grounding must beat them."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tevo.errors import TevoError
from tevo.structures import Span


def centre_prior(duration_s: float, fraction: float, start_s: float = 0.0) -> tuple[Span, ...]:
    """One span in the middle of the video.

    Args:
        duration_s: length of the video in seconds.
        fraction: length of the span as a share of the video, 0..1.
        start_s: time of the first frame (pts), seconds.
    """
    _share(fraction)
    margin = duration_s * (1 - fraction) / 2
    return (Span(start_s + margin, start_s + duration_s - margin),)


def random_span(
    duration_s: float, fraction: float, generator: torch.Generator, start_s: float = 0.0
) -> tuple[Span, ...]:
    """One span of a given share of the video, placed uniformly inside it."""
    _share(fraction)
    length = duration_s * fraction
    start = start_s + float(torch.rand((), generator=generator)) * (duration_s - length)
    return (Span(start, start + length),)


def whole_video(duration_s: float, start_s: float = 0.0) -> tuple[Span, ...]:
    """The whole video: what a model that never points would say."""
    return (Span(start_s, start_s + duration_s),)


def shrink(spans: Sequence[Span], factor: float) -> tuple[Span, ...]:
    """Every span scaled about its own centre: raises IoP, and with it Acc@GQA, without knowing anything.

    Args:
        spans: in seconds.
        factor: new length over old, above 0; 1 changes nothing.
    """
    if not factor > 0:
        raise TevoError(f"a span is shrunk by a factor above 0, got {factor}")
    scaled = []
    for span in spans:
        centre, half = (span.start_s + span.end_s) / 2, span.length_s * factor / 2
        scaled.append(Span(centre - half, centre + half))
    return tuple(scaled)


def dealt_windows(predictions: Sequence[Mapping[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """Every prediction with the windows of another about the same video, of another moment of it.

    Real events, the wrong question: what measures evidence must find nothing in them. A prediction is left out where no
    other one points clear of its own windows.

    Args:
        predictions: rows with ``vid`` and ``pred_relevant_windows``.
        seed: of the dealing.
    """
    by_video: dict[str, list[Any]] = {}
    for row in predictions:
        by_video.setdefault(str(row["vid"]), []).append(row["pred_relevant_windows"])
    dealt = []
    for number, row in enumerate(predictions):
        own = row["pred_relevant_windows"]
        others = [windows for windows in by_video[str(row["vid"])] if windows and not _meet(windows, own)]
        if own and others:
            chosen = random.Random(f"{seed}/{number}").choice(others)
            dealt.append(dict(row) | {"pred_relevant_windows": chosen})
    return dealt


def _meet(one: Sequence[Sequence[Any]], other: Sequence[Sequence[Any]]) -> bool:
    return any(min(a[1], b[1]) > max(a[0], b[0]) for a in one for b in other)


def _share(fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise TevoError(f"the length of a prior is a share of the video, above 0 and at most 1, got {fraction}")
