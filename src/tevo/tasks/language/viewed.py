"""A video as the language roles meet it, and the views that take something away from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor

from tevo.backbones.language import Watched
from tevo.data.datasets import VideoBatch
from tevo.data.watching import Closer
from tevo.errors import TevoError
from tevo.heads.queries import pad_spans
from tevo.structures import Span
from tevo.video.interventions import random_span, touches


@dataclass(frozen=True, slots=True)
class Viewed:
    """One video, made once and used by rollout, scoring and update."""

    name: str
    watched: Watched
    limits: Span  # from the first frame to the end, seconds (pts)
    closer: Closer | None = None  # None: nothing is re-read, the steps of the spans are shown as they are

    def window(self, window: Span) -> "Viewed":
        """A stretch of it as a video of its own: the model's second 0 is where the stretch begins."""
        part = pick(self.watched, touching(self.watched, (window,)))
        inside = self.watched if part is None else part
        return replace(self, watched=replace(inside, origin_s=window.start_s), limits=window)

    def zoomed(self, spans: Sequence[Span]) -> Watched | None:
        """The frames of the spans alone, more closely where that can be; None where they hold none."""
        if not spans:
            return None
        return self.closer(spans) if self.closer is not None else pick(self.watched, touching(self.watched, spans))


def views_of(videos: VideoBatch) -> list[Viewed]:
    """The videos of a batch.

    Raises:
        TevoError: when the batch was made for another kind of backbone.
    """
    if len(videos.watched) != len(videos.names):
        raise TevoError("these videos were looked at with a backbone that is no language model: attach the run's own")
    ends = zip(videos.start_s.tolist(), videos.end_s.tolist(), strict=True)
    closer = videos.closer or (None,) * len(videos.names)
    return [
        Viewed(name, watched, Span(*limits), near)
        for name, watched, limits, near in zip(videos.names, videos.watched, ends, closer, strict=True)
    ]


def touching(watched: Watched, spans: Sequence[Span]) -> Bool[Tensor, "step"]:
    """Which steps saw a part of the spans."""
    return touches(watched.spans[None].cpu(), *pad_spans([spans]))[0]


def pick(watched: Watched, steps: Bool[Tensor, "step"]) -> Watched | None:
    """The chosen steps; None where there is none: then the text stands alone."""
    return watched.take(steps.nonzero()[:, 0]) if bool(steps.any()) else None


def interventions(
    video: Viewed, evidence: Sequence[Span], generator: torch.Generator, controls: bool
) -> dict[str, Watched | None]:
    """The views of ALGORITHM 3: each by its name in an Examination. They share what was made of the video.

    Args:
        video: whole.
        evidence: that a question names.
        generator: of the shuffled order and the random span.
        controls: also the two dear ones, shuffled and masked; the others show few tokens or none.
    """
    watched, inside = video.watched, touching(video.watched, evidence)
    length_s = sum(span.length_s for span in evidence)
    start, end = random_span(
        torch.tensor([video.limits.length_s]),
        torch.tensor([length_s]),
        generator,
        pad_spans([evidence]),
        torch.tensor([video.limits.start_s]),
    )[0].tolist()
    elsewhere = touching(watched, (Span(start, max(start, end)),))
    views = {"without_video": None, "key": pick(watched, inside), "random": pick(watched, elsewhere)}
    if controls:
        order = torch.randperm(watched.num_steps, generator=generator)
        views |= {"shuffled": watched.reordered(order), "masked": pick(watched, ~inside)}
    return views
