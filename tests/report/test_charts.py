import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tevo.report.charts import Line, change, duration_text, histogram, line_chart, nice_ticks, stacked_bar


def points(chart):
    """Coordinates of the first line, in per cent of the plot."""
    found = re.search(r'<polyline class="s1" points="([^"]*)"', chart)
    return [tuple(map(float, pair.split(","))) for pair in found[1].split()]


@given(st.floats(-1e4, 1e4), st.floats(0, 1e4))
def test_ticks_enclose_the_values_and_are_few(low, room):
    ticks = nice_ticks(low, low + room)
    assert ticks[0] <= low + 1e-6 and ticks[-1] >= low + room - 1e-6
    assert 2 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))


def test_a_line_rises_with_its_values_and_stays_in_the_plot():
    chart = line_chart("mIoU", [0, 1, 2], [Line("mIoU", "s1", [20.0, 25.0, 30.0])])
    lefts, tops = zip(*points(chart), strict=True)
    assert list(lefts) == sorted(lefts) and list(tops) == sorted(tops, reverse=True)
    assert all(0 <= value <= 100 for value in lefts + tops)


def test_a_round_that_was_not_measured_is_a_gap():
    chart = line_chart("acc", [0, 1, 2, 3], [Line("acc", "s1", [1.0, None, 3.0, 4.0])])
    assert chart.count("<polyline") == 2
    assert chart.count('class="dot') == 3


def test_the_heading_shows_the_best_round_and_its_change_to_the_first():
    lines = [Line("mIoU", "s1", [20.0, 31.5, 28.0])]
    assert "31.5" in line_chart("mIoU", [0, 1, 2], lines, best=1)
    assert "+11.5" in line_chart("mIoU", [0, 1, 2], lines, best=1)
    assert "28.0 <i" in line_chart("mIoU", [0, 1, 2], lines)


def test_controls_are_named_and_never_on_top_of_each_other():
    chart = line_chart("mIoU", [0], [Line("mIoU", "s1", [20.0])], {"one": 10.0, "two": 10.1, "<three>": 10.2})
    tops = [float(top) for top in re.findall(r'class="name" style="top:([-\d.]+)px"', chart)]
    gaps = [lower - upper for upper, lower in zip(sorted(tops), sorted(tops)[1:], strict=False)]
    assert len(tops) == 3 and min(gaps) >= 12
    assert "&lt;three&gt;" in chart


def test_no_value_no_chart():
    assert line_chart("acc", [0, 1], [Line("acc", "s1", [None, None])]) == ""


def test_the_tallest_bar_fills_the_histogram_and_counts_are_told():
    drawn = histogram([0, 5, 10], "agreement", band=(0.3, 0.8))
    heights = [float(height) for height in re.findall(r'class="bar"[^>]*height="([\d.]+)"', drawn)]
    assert heights == [0, 50, 100]
    assert "agreement 67% to 100%: 10 of 15" in drawn
    assert 'class="band" x="30"' in drawn


def test_an_empty_histogram_is_flat():
    assert set(re.findall(r'class="bar"[^>]*height="([\d.]+)"', histogram([0, 0], "x"))) == {"0.00"}


def test_parts_of_a_bar_are_in_proportion_and_nothing_is_drawn_for_nothing():
    drawn = stacked_bar(
        {"decode": 1.0, "encode": 3.0, "wait": 0.0}, 8.0, dict.fromkeys(("decode", "encode", "wait"), "t")
    )
    assert re.findall(r"width:([\d.]+)%", drawn) == ["12.500", "37.500"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (12.0, "12 s"), (59.7, "1 min 0 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 5 min")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration_text(seconds) == text


def test_a_change_is_signed_and_coloured():
    assert change(3.0, 1.0) == '<i class="up">+2.0</i>'
    assert change(1.0, 3.0) == '<i class="down">\N{MINUS SIGN}2.0</i>'
    assert change(1.0, 1.0) == '<i class="same">±0</i>'
    assert change(1.0, None) == ""
