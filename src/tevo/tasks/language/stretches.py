"""What part of a video a Questioner that writes is shown, by the kind of question it is to ask."""

import torch
from torch.nn import functional as F

from tevo.heads.proposals import propose_events, windows_around
from tevo.structures import Span
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.language.viewed import Viewed

BESIDE = ("before", "after")  # kinds that need two neighbouring events in sight


def windows_of(video: Viewed, config: QuestionerConfig) -> list[Span]:
    """Stretches around what changes in a video, in order; all of it where nothing stands out."""
    watched = video.watched
    seen = watched.values[0] if watched.values is not None else watched.patches
    if config.view == "full" or seen is None:
        return [video.limits]
    steps = F.normalize(seen.float().mean(dim=1), dim=-1).cpu()
    mask = torch.ones(len(steps), dtype=torch.bool)
    events, _ = propose_events(
        steps, watched.spans.cpu(), mask, config.activity_high, config.activity_low, config.max_events
    )
    around = windows_around(events, video.limits.start_s, video.limits.end_s, config.window_pad_s)
    found = [Span(start, max(start, end)).clamp(video.limits) for start, end in around.tolist()]
    return sorted(found, key=lambda span: span.start_s) or [video.limits]


def stretch(video: Viewed, windows: list[Span], kind: str, generator: torch.Generator) -> Span:
    """The stretch that holds what a question of a kind is about.

    One window; two neighbouring ones for what comes before or after; from the start for what comes first, to the end
    for what comes last; the whole for a count.

    Args:
        video: whole.
        windows: of the video, in order.
        kind: of the question.
        generator: of the draw.
    """
    whole, second = video.limits, min(1, len(windows) - 1)
    if kind == "count":
        return whole
    if kind == "first":
        return Span(whole.start_s, max(windows[0].end_s, windows[second].end_s))
    if kind == "last":
        return Span(min(windows[-1].start_s, windows[-1 - second].start_s), whole.end_s)
    chosen = int(torch.randint(len(windows) - (second if kind in BESIDE else 0), (1,), generator=generator))
    if kind in BESIDE:
        return Span(windows[chosen].start_s, max(windows[chosen].end_s, windows[chosen + second].end_s))
    return windows[chosen]
