"""The same as :mod:`tevo.report.asked` in one picture, to be pasted somewhere."""

import base64
import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from tevo.report.asked import Asked
from tevo.report.lanes import clock, ticks
from tevo.report.strip import make_strip
from tevo.structures import Span
from tevo.video import VideoError

WIDTH_PX, MARGIN_PX, LANE_PX = 1280, 40, 26
PAPER, INK, SOFT, LINE, WASH, BAR = "#ffffff", "#1b1d23", "#62656f", "#d9d9d4", "#efefec", "#2f6fe0"
LINES = 3  # of a question that is longer; the page has all of it


def draw_asked(asked: Asked) -> bytes:
    """A PNG: question, answer, frames, and the evidence as bars on an axis of seconds."""
    inside = WIDTH_PX - 2 * MARGIN_PX
    large, usual, small = (ImageFont.load_default(size) for size in (28, 22, 15))
    title = _wrapped(asked.question, large, inside)
    said = _wrapped(f"{asked.said}   ({asked.answer.confidence:.0%} sure)", usual, inside)
    strip = _frames(asked, inside)
    height = 2 * MARGIN_PX + 38 * len(title) + 32 * len(said) + strip.height + LANE_PX + 70
    picture = Image.new("RGB", (WIDTH_PX, height), PAPER)
    draw = ImageDraw.Draw(picture)
    y = MARGIN_PX
    for line in title:
        draw.text((MARGIN_PX, y), line, INK, large)
        y += 38
    for line in said:
        draw.text((MARGIN_PX, y), line, BAR, usual)
        y += 32
    y += 12
    picture.paste(strip, (MARGIN_PX, y))
    y += strip.height + 6
    _lane(draw, asked.answer.spans, asked.whole, y)
    _axis(draw, asked.whole, y + LANE_PX + 6, small)
    foot = f"tevo · {asked.answer.path} · {asked.answer.token_forwards:,} tokens"
    draw.text((MARGIN_PX, height - MARGIN_PX + 4), foot, SOFT, small)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _frames(asked: Asked, width: int) -> Image.Image:
    """The strip of the video over the whole width; a sentence where it cannot be read."""
    try:
        strip = make_strip(asked.video)
        trouble = strip.trouble
    except VideoError as error:
        strip, trouble = None, error.reason
    if strip is not None and strip.uri:
        raw = Image.open(io.BytesIO(base64.b64decode(strip.uri.partition(",")[2])))
        return raw.convert("RGB").resize((width, round(width / strip.aspect)), Image.Resampling.LANCZOS)
    empty = Image.new("RGB", (width, 60), WASH)
    ImageDraw.Draw(empty).text((12, 20), trouble, SOFT, ImageFont.load_default(15))
    return empty


def _lane(draw: ImageDraw.ImageDraw, spans: Sequence[Span], whole: Span, y: int) -> None:
    draw.rounded_rectangle((MARGIN_PX, y, WIDTH_PX - MARGIN_PX, y + LANE_PX), 6, WASH)
    for span in spans:
        left, right = _x(span.start_s, whole), _x(span.end_s, whole)
        draw.rounded_rectangle((left, y + 3, max(right, left + 5), y + LANE_PX - 3), 4, BAR)


def _axis(draw: ImageDraw.ImageDraw, whole: Span, y: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> None:
    for tick in ticks(whole):
        x, words = _x(tick, whole), clock(tick, whole)
        draw.line((x, y - 6, x, y - 1), LINE)
        draw.text((min(x, WIDTH_PX - MARGIN_PX - draw.textlength(words, font)), y), words, SOFT, font)


def _x(time_s: float, whole: Span) -> float:
    share = (time_s - whole.start_s) / max(whole.length_s, 1e-9)
    return MARGIN_PX + min(max(share, 0.0), 1.0) * (WIDTH_PX - 2 * MARGIN_PX)


def _wrapped(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines that fit; a word that is too long is cut, and so is what is beyond the last line."""
    lines, line = [], ""
    for word in text.split():
        tried = f"{line} {word}".strip()
        if line and font.getlength(tried) > width:
            lines.append(line)
            tried = word
        while font.getlength(tried) > width:
            tried = tried[: max(1, len(tried) * 9 // 10)]
        line = tried
    lines.append(line)
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], f"{lines[LINES - 1]} …"]
