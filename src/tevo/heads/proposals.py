"""Where something happens: event proposals from change points in the tokens, and the windows around them.

Pure functions on the tokens of one video; no text, no training.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.heads.cues import activity


def active_runs(
    signal: Float[Tensor, "token"], high: float, low: float, max_gap: int, min_tokens: int
) -> list[tuple[int, int]]:
    """Runs of a signal by hysteresis: above ``low`` throughout, above ``high`` somewhere.

    Args:
        signal: one number a token, in standard deviations.
        high: a run must reach this.
        low: a run ends where the signal falls below this for more than ``max_gap`` tokens.
        max_gap: tokens.
        min_tokens: shorter runs are left out.

    Returns:
        (first token, last token) of each run, in order.
    """
    runs: list[tuple[int, int]] = []
    first, last, peak = -1, -1, 0.0
    for index, value in enumerate([*signal.tolist(), -float("inf")]):
        if value >= low:
            first = index if first < 0 else first
            last, peak = index, max(peak, value)
        elif first >= 0 and index - last > max_gap:
            if peak >= high and last - first + 1 >= min_tokens:
                runs.append((first, last))
            first, peak = -1, 0.0
    if first >= 0 and peak >= high and last - first + 1 >= min_tokens:
        runs.append((first, last))
    return runs


def propose_events(
    values: Float[Tensor, "token dim"],
    token_spans: Float[Tensor, "token 2"],
    mask: Bool[Tensor, "token"],
    high: float = 1.0,
    low: float = 0.2,
    max_events: int = 12,
    max_share: float = 0.5,
) -> tuple[Float[Tensor, "event 2"], Float[Tensor, "event"]]:
    """Events of one video: its runs of activity, the strongest ``max_events`` of them, in order.

    Thresholds are standard deviations of the video's own activity (assumed). A run longer than ``max_share`` of the
    video is no event. Where nothing stands out there are no events.

    Returns:
        Spans in seconds and the mean activity of each (the saliency cue).
    """
    signal = activity(values[None], mask[None])[0][mask]
    spans = token_spans[mask]
    if len(signal) < 4 or float(signal.abs().max()) < 1e-3:
        return spans.new_zeros(0, 2), spans.new_zeros(0)
    runs = [run for run in active_runs(signal, high, low, 1, 2) if run[1] - run[0] + 1 <= max_share * len(signal)]
    strength = torch.tensor([float(signal[a : b + 1].mean()) for a, b in runs])
    keep = sorted(strength.argsort(descending=True)[:max_events].tolist())
    found = torch.tensor([[float(spans[runs[k][0], 0]), float(spans[runs[k][1], 1])] for k in keep]).view(-1, 2)
    return found.to(spans), strength[keep].to(spans)


def random_events(
    values: Float[Tensor, "token dim"],
    token_spans: Float[Tensor, "token 2"],
    mask: Bool[Tensor, "token"],
    number: int,
    generator: torch.Generator,
    window_s: tuple[float, float] = (3.0, 9.0),
) -> tuple[Float[Tensor, "event 2"], Float[Tensor, "event"]]:
    """EvoVid's random windows: in each, the stretch of tokens that is more active than the window's own mean.

    Args:
        values: tokens of one video.
        token_spans: seconds that each token saw.
        mask: valid tokens.
        number: windows drawn; an event that would begin inside an earlier one is left out.
        generator: of the windows.
        window_s: shortest and longest window, seconds (EvoVid).

    Returns:
        Spans in seconds, in order and apart, and the mean activity of each.
    """
    signal, spans = activity(values[None], mask[None])[0][mask], token_spans[mask]
    if len(signal) < 2:
        return spans.new_zeros(0, 2), spans.new_zeros(0)
    start_s, end_s = float(spans[0, 0]), float(spans[-1, 1])
    draw = torch.rand(number, 2, generator=generator)
    found, strength = [], []
    for where, size in draw.tolist():
        length = min(window_s[0] + size * (window_s[1] - window_s[0]), end_s - start_s)
        low = start_s + where * (end_s - start_s - length)
        inside = ((spans.mean(-1) >= low) & (spans.mean(-1) <= low + length)).nonzero()[:, 0]
        if len(inside) < 2:
            continue
        part = signal[inside]
        above = (part >= part.mean()).nonzero()[:, 0]
        first, last = int(inside[above[0]]), int(inside[above[-1]])
        found.append([float(spans[first, 0]), float(spans[last, 1])])
        strength.append(float(signal[first : last + 1].mean()))
    kept: list[int] = []
    for k in sorted(range(len(found)), key=lambda k: found[k]):
        if not kept or found[k][0] >= found[kept[-1]][1]:
            kept.append(k)
    return spans.new_tensor([found[k] for k in kept]).view(-1, 2), spans.new_tensor([strength[k] for k in kept])


def windows_around(
    events: Float[Tensor, "event 2"], start_s: float, end_s: float, pad_s: float
) -> Float[Tensor, "event 2"]:
    """One window an event: the event and up to ``pad_s`` seconds on either side, never into its neighbours.

    Args:
        events: seconds, in order and apart.
        start_s: of the video, seconds.
        end_s: of the video, seconds.
        pad_s: seconds.
    """
    if not len(events):
        return events
    floor = torch.cat([events.new_tensor([start_s]), events[:-1, 1]])
    ceiling = torch.cat([events[1:, 0], events.new_tensor([end_s])])
    low = torch.minimum(torch.maximum(events[:, 0] - pad_s, floor), events[:, 0])
    high = torch.maximum(torch.minimum(events[:, 1] + pad_s, ceiling), events[:, 1])
    return torch.stack([low, high], -1)
