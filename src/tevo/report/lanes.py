"""What a timeline is drawn of: frames, bars in lanes under them, and an axis of seconds. All of it is HTML text."""

from collections.abc import Sequence
from html import escape

from tevo.report.charts import nice_ticks
from tevo.report.strip import Strip
from tevo.structures import Span

MOST_TICKS = 8
MINUTE_STEPS_S = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)


def frames(strip: Strip) -> str:
    """The picture of a strip, or why there is none."""
    if not strip.uri:
        return f'<p class="track note">{escape(strip.trouble)}</p>'
    number, seen = len(strip.times_s), ", ".join(f"{time:.1f}" for time in strip.times_s)
    shape = f'style="aspect-ratio:{strip.aspect:.4f}" alt="{number} frames" title="frames at {seen} s"'
    return f'<div class="track" style="--n:{number}"><img src="{strip.uri}" {shape}></div>'


def track(
    style: str, name: str, spans: Sequence[Span], video: Span, behind: Sequence[tuple[str, str, Span]] = ()
) -> str:
    """A lane of bars.

    Args:
        style: of the bars, a CSS class.
        name: of the lane.
        spans: a bar each; those outside the video are left out.
        video: what the lane stands for.
        behind: what is drawn under the bars: CSS class, name, span.
    """
    inside = [span for span in spans if span.end_s >= video.start_s and span.start_s <= video.end_s]
    bars = [bar(under, said, span, video) for under, said, span in behind]
    bars += [bar(f"bar {style}", name, span, video) for span in inside]
    if not inside:
        bars.append(f'<span class="none">{"outside the video" if spans else "none"}</span>')
    grid = "".join(f'<i class="rule" style="left:{_left(tick, video):.3f}%"></i>' for tick in ticks(video))
    return (
        f'<div class="lane"><span class="who">{escape(name)}</span><div class="track">{grid}{"".join(bars)}</div></div>'
    )


def bar(style: str, name: str, span: Span, video: Span) -> str:
    """A bar inside the strip, whatever the row says; at least wide enough to be seen."""
    left, right = _left(span.start_s, video), _left(span.end_s, video)
    return (
        f'<i class="{style}" style="left:min({left:.3f}%,100% - 4px);width:max({right - left:.3f}%,4px)" '
        f'title="{escape(name)} {span.start_s:.2f} to {span.end_s:.2f} s"></i>'
    )


def _left(time_s: float, video: Span) -> float:
    return 100 * min(max((time_s - video.start_s) / max(video.length_s, 1e-9), 0.0), 1.0)


def ticks(video: Span) -> list[float]:
    """Round seconds to mark; round minutes, halves and quarters of them in a long video."""
    slack = 0.01 * video.length_s  # a video from 0.03 s on still has its 0 at the left
    step = next((step for step in MINUTE_STEPS_S if video.length_s <= MOST_TICKS * step), 0.0)
    if video.length_s > 120 and step:
        marks = [step * number for number in range(int(video.start_s // step), int(video.end_s // step) + 1)]
    else:
        marks = nice_ticks(video.start_s, video.end_s, wanted=MOST_TICKS)
    return [mark for mark in marks if video.start_s - slack <= mark <= video.end_s + slack]


def axis(video: Span) -> str:
    """Seconds under the lanes."""
    words = [
        f'<span class="{_edge(_left(tick, video))}" style="left:{_left(tick, video):.3f}%">{clock(tick, video)}</span>'
        for tick in ticks(video)
    ]
    return f'<div class="track">{"".join(words)}</div>'


def _edge(left: float) -> str:
    return "first" if left < 3 else "last" if left > 97 else "mid"


def clock(time_s: float, video: Span) -> str:
    """A time as it is written: seconds in a short video, minutes and seconds in a long one."""
    if video.end_s < 120:
        return f"{time_s:g} s"
    return f"{int(time_s // 60)}:{int(time_s % 60):02d}"


def chip(text: str, style: str = "") -> str:
    """A word or two in a rounded box; nothing for an empty text."""
    return f'<span class="chip {style}">{escape(text)}</span>' if text else ""
