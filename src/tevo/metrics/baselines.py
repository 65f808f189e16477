"""Predictors that look at no frame: printed beside every table, since good grounding must beat them."""

from collections.abc import Sequence

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


def _share(fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise TevoError(f"the length of a prior is a share of the video, above 0 and at most 1, got {fraction}")
