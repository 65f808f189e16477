"""Small charts as HTML with inline SVG: lines over rounds, histograms, shares of a whole.

The SVG is stretched to its box and holds shapes only; words and dots are HTML placed in per cent, so type
keeps its size on a phone. Colours are CSS classes of ``page.css``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

PLOT_PX = 120  # height of a plot, as in page.css
LABEL_PX = 12  # height of a label beside a plot


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a value for each round, None where it was not measured."""

    label: str
    style: str  # CSS class
    values: Sequence[float | None]


def line_chart(
    title: str,
    rounds: Sequence[int],
    lines: Sequence[Line],
    levels: Mapping[str, float] | None = None,
    hint: str = "",
    best: int | None = None,
) -> str:
    """Lines over rounds; empty text when there is no value at all.

    Args:
        title: what is drawn; the first line's value in the best round stands beside it, with its change.
        rounds: number of each round.
        lines: the first is the one that matters.
        levels: name -> value of dashed lines across the plot (controls).
        hint: how the figure is defined, a few words.
        best: round to mark.
    """
    levels = levels or {}
    values = [value for line in lines for value in line.values if value is not None]
    if not values:
        return ""
    ticks = nice_ticks(min([*values, *levels.values()]), max([*values, *levels.values()]))
    low, high = ticks[0], ticks[-1]
    at = {number: _place(index, len(rounds)) for index, number in enumerate(rounds)}
    shapes = [f'<line class="grid" x1="0" x2="100" y1="{y}" y2="{y}"/>' for y in (_up(t, low, high) for t in ticks)]
    if best in at:
        shapes.append(f'<line class="best" x1="{at[best]}" x2="{at[best]}" y1="0" y2="100"/>')
    shapes += [
        f'<line class="level" x1="0" x2="100" y1="{_up(value, low, high)}" y2="{_up(value, low, high)}"/>'
        for value in levels.values()
    ]
    shapes += [_polylines(line, list(at.values()), low, high) for line in reversed(lines)]
    words = [f'<span class="y" style="top:{_up(tick, low, high)}%">{tick:g}</span>' for tick in ticks]
    words += [f'<span class="x" style="left:{left}%">{number}</span>' for number, left in at.items()]
    words += _level_words(levels, low, high)
    dots = [_dots(line, at, low, high) for line in reversed(lines)]
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b>{_now(lines[0], rounds, best)}'
        f"{f'<small>{escape(hint)}</small>' if hint else ''}</figcaption>"
        f'<div class="plot">{_svg(shapes)}{"".join(words)}{"".join(dots)}</div></figure>'
    )


def histogram(counts: Sequence[int], label: str, band: tuple[float, float] | None = None) -> str:
    """Bars over 0..1, with the share of each bin as a tooltip.

    Args:
        counts: one a bin, bins of equal width.
        label: what is counted, for the tooltip and for a screen reader.
        band: part of 0..1 to shade (the agreement that is kept).
    """
    total, top, width = sum(counts), max([*counts, 1]), 100 / max(len(counts), 1)
    shapes = []
    if band:
        shapes.append(
            f'<rect class="band" x="{100 * band[0]:g}" y="0" width="{100 * (band[1] - band[0]):g}" height="100"/>'
        )
    for index, count in enumerate(counts):
        height = 100 * count / top
        span = f"{index / len(counts):.0%} to {(index + 1) / len(counts):.0%}"
        share = f"{count} of {total}"
        shapes.append(
            f'<rect class="bar" x="{index * width + 1:g}" y="{100 - height:.2f}" width="{width - 2:g}" '
            f'height="{height:.2f}"><title>{escape(label)} {span}: {share}</title></rect>'
        )
    return f'<div class="hist" role="img" aria-label="{escape(label)}, {total} in all">{_svg(shapes)}</div>'


def stacked_bar(parts: Mapping[str, float], whole: float, styles: Mapping[str, str]) -> str:
    """Parts side by side, their lengths in proportion to ``whole`` (the longest bar of a chart)."""
    pieces = []
    for name, value in parts.items():
        if value > 0 and whole > 0:
            share = 100 * value / whole
            said = f"{escape(name)}: {duration_text(value)}"
            pieces.append(f'<i class="{styles[name]}" style="width:{share:.3f}%" title="{said}"></i>')
    return f'<div class="stack">{"".join(pieces)}</div>'


def nice_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers that enclose ``low..high``, about ``wanted`` of them, at least two."""
    room = max(high - low, 1e-3 * max(abs(low), abs(high)), 1.0)
    rough = room / max(wanted - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [round(index * step, 10) for index in range(first, last + 1)]


def duration_text(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def change(value: float, before: float | None) -> str:
    """The difference to an earlier figure, coloured by its sign; nothing when there is none to compare."""
    if before is None:
        return ""
    difference = round(value - before, 1)
    style = "up" if difference > 0 else "down" if difference < 0 else "same"
    text = f"{difference:+.1f}".replace("-", "\N{MINUS SIGN}") if difference else "±0"
    return f'<i class="{style}">{text}</i>'


def _now(line: Line, rounds: Sequence[int], best: int | None) -> str:
    """The figure of the best round, of the last where none is named, and its change to the first."""
    known = {number: value for number, value in zip(rounds, line.values, strict=True) if value is not None}
    if not known:
        return ""
    shown = best if best in known else max(known)
    before = known[min(known)] if shown != min(known) else None
    return f'<span class="now">{known[shown]:.1f} {change(known[shown], before)}</span>'


def _svg(shapes: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(shapes)}</svg>'


def _place(index: int, number: int) -> float:
    return 50.0 if number == 1 else round(4 + 92 * index / (number - 1), 2)


def _up(value: float, low: float, high: float) -> float:
    return round(100 - 100 * (value - low) / (high - low), 2)


def _polylines(line: Line, lefts: Sequence[float], low: float, high: float) -> str:
    """One polyline for each run of known values."""
    drawn = []
    points = list(zip(lefts, line.values, strict=True))
    for known, run in groupby(points, key=lambda point: point[1] is not None):
        if known:
            path = " ".join(f"{left},{_up(value, low, high)}" for left, value in run if value is not None)
            drawn.append(f'<polyline class="{line.style}" points="{path}"/>')
    return "".join(drawn)


def _dots(line: Line, at: Mapping[int, float], low: float, high: float) -> str:
    return "".join(
        f'<i class="dot {line.style}" style="left:{left}%;top:{_up(value, low, high)}%" '
        f'title="{escape(line.label)}, round {number}: {value:.1f}"></i>'
        for (number, left), value in zip(at.items(), line.values, strict=True)
        if value is not None
    )


def _level_words(levels: Mapping[str, float], low: float, high: float) -> list[str]:
    """Names of the dashed lines, above them at the right, pushed apart where they would meet."""
    words, floor = [], math.inf
    for name, value in sorted(levels.items(), key=lambda item: item[1]):
        top = _up(value, low, high) * PLOT_PX / 100 - LABEL_PX
        top = min(top, floor - LABEL_PX)
        floor = top
        words.append(f'<span class="name" style="top:{max(top, -LABEL_PX):.1f}px">{escape(name)} {value:.1f}</span>')
    return words
