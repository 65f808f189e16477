"""The page of one question and its answer: when it is in the video, how sure the model is, and how it came to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tevo.answer import Answer, Look
from tevo.report.lanes import axis, chip, clock, frames, track
from tevo.report.layout import document, note, section
from tevo.report.strip import Strip, make_strip
from tevo.structures import Span
from tevo.video import VideoError, VideoInfo

MANY_OPTIONS = 8  # a bank of phrases has many more; the likeliest are shown
MANY_LOOKS = 10  # looks that have a lane each; the table below has them all
CLOSE_ASPECT = 7.0  # width over height of the strip of the evidence
CLOSE_PAD = 0.25  # of its length, that this strip shows on either side
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Asked:
    """All that the page tells.

    Attributes:
        video: as probed.
        question: as it was put.
        options: as they were given; empty where the model found its own.
        answer: what came of it.
        model: its name or folder.
        seconds: that answering took, without loading the model.
    """

    video: VideoInfo
    question: str
    options: tuple[str, ...]
    answer: Answer
    model: str
    seconds: float

    @property
    def whole(self) -> Span:
        """The video from its first frame to its end."""
        return Span(self.video.start_s, self.video.end_s)

    @property
    def said(self) -> str:
        """The answer in words."""
        return headline(self.answer, self.whole)


def headline(answer: Answer, whole: Span) -> str:
    """An answer in words: its text, or its spans where these are the answer."""
    if answer.answer is not None:
        return answer.answer
    if not answer.parsed:
        return "The model's reply could not be read"
    return ", ".join(_range(span, whole) for span in answer.spans) or "No span was found"


def render_asked(asked: Asked) -> str:
    """The page as text, everything in it; whatever the question, the options or the file's name hold is text."""
    parts = [_heading(asked), section("When", _when(asked)), _options(asked), _how(asked), _words(asked)]
    return document(f"tevo: {asked.question}", "".join(parts))


def _heading(asked: Asked) -> str:
    answer = asked.answer
    where = ", ".join(_range(span, asked.whole) for span in answer.spans) or "nowhere"
    tiles = [
        (f"{answer.confidence:.0%}", "sure of it"),
        (where, "the evidence"),
        (f"{answer.token_forwards:,}", "tokens read"),
        (f"{asked.seconds:.1f} s", "to answer"),
    ]
    rows = "".join(f"<li><b>{escape(figure)}</b><span>{escape(said)}</span></li>" for figure, said in tiles)
    notes = "".join(note(text) for text in answer.notes)
    return (
        f'<p class="brand">tevo<span>asked {escape(Path(asked.model).as_posix())}</span></p>'
        f"<h1>{escape(asked.question)}</h1>"
        f'<p class="said">{escape(asked.said)}</p>{notes}<ul class="tiles asked">{rows}</ul>'
    )


def _when(asked: Asked) -> str:
    video, answer, whole = asked.video, asked.answer, asked.whole
    strip = _strip(video)
    lanes = [track("prediction", "Evidence", answer.spans, whole)]
    if len(answer.looks) > 1:
        lanes += [
            track("look", look.name.capitalize(), look.spans, whole, [("shown", "looked at", s) for s in look.shown])
            for look in _listed(answer.looks)
        ]
    if answer.subtitles:
        lanes.append(track("pseudo", "Subtitles", [cue.span for cue in answer.subtitles], whole))
    name = Path(video.path).name
    return (
        f'<article class="card"><header><span class="file" title="{escape(video.path)}">{escape(name)}</span>'
        f'<span>{clock(whole.length_s, whole)}</span><span class="chips">{chip(answer.path, "long")}</span></header>'
        f'<div class="lane frames"><span class="who"></span>{frames(strip)}</div>{"".join(lanes)}'
        f'<div class="lane axis"><span class="who"></span>{axis(whole)}</div>{_close(asked)}</article>'
    )


def _close(asked: Asked) -> str:
    """The frames of the first span, larger, and what is said in it."""
    if not asked.answer.spans or not asked.answer.spans[0].length_s:
        return ""
    span = asked.answer.spans[0]
    pad_s = CLOSE_PAD * span.length_s
    part = Span(span.start_s - pad_s, span.end_s + pad_s).clamp(asked.whole)
    spoken = [cue.text for cue in asked.answer.subtitles if cue.span.overlaps(span)]
    words = f'<p class="note">“{escape(" ".join(spoken))}”</p>' if spoken else ""
    return (
        f'<h4 class="close">{escape(_range(span, asked.whole))}</h4>'
        f'<div class="lane frames"><span class="who"></span>{frames(_strip(asked.video, part, CLOSE_ASPECT))}</div>'
        f"{track('prediction', 'Evidence', [span], part)}"
        f'<div class="lane axis"><span class="who"></span>{axis(part)}</div>{words}'
    )


def _strip(video: VideoInfo, part: Span | None = None, aspect: float | None = None) -> Strip:
    try:
        return make_strip(video, part) if aspect is None else make_strip(video, part, aspect)
    except VideoError as error:  # the bars are still worth drawing
        return Strip(Span(video.start_s, video.end_s), trouble=f"The frames could not be read: {error.reason}.")


def _options(asked: Asked) -> str:
    probs = asked.answer.option_probs
    if not probs:
        return ""
    lettered = {option: LETTERS[index] for index, option in enumerate(asked.options[: len(LETTERS)])}
    listed = list(probs) if asked.options else sorted(probs, key=lambda text: -probs[text])[:MANY_OPTIONS]
    rows = []
    for text in listed:
        mark = chip("chosen", "prediction") if text == asked.answer.answer else ""
        meter = f'<span class="votes"><i style="width:{100 * probs[text]:.1f}%"></i><b>{probs[text]:.0%}</b></span>'
        letter = f'<span class="letter">{lettered.get(text, "–")}</span>'
        rows.append(f'<li>{letter}<span class="text">{escape(text)}{mark}</span>{meter}</li>')
    intro = "" if asked.options else f"No options were given; the likeliest of {len(probs)} are shown."
    return section("What", f'<article class="card"><ol class="options sole">{"".join(rows)}</ol></article>', intro)


def _how(asked: Asked) -> str:
    """Every look: what was shown, what was said, how surely, and what it cost."""
    rows = []
    for look in asked.answer.looks:
        shown = ", ".join(_range(span, asked.whole) for span in look.shown)
        said = look.answer if look.answer is not None else ", ".join(_range(s, asked.whole) for s in look.spans)
        cells = (look.name, shown, said or "nothing", f"{look.confidence:.0%}", f"{look.token_forwards:,}")
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("Look", "Showed", "Said", "Sure", "Tokens"))
    table = f'<div class="scroll"><table class="plain looks"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}'
    return section("How", f"{table}</tbody></table></div>", f"Decided by: {asked.answer.path}.")


def _words(asked: Asked) -> str:
    if asked.answer.completion is None:
        return ""
    return section("In its own words", f"<pre>{escape(asked.answer.completion)}</pre>")


def _listed(looks: Sequence[Look]) -> list[Look]:
    """The looks that have a lane: the surest of many, and the last, in their order."""
    keep = sorted(range(len(looks)), key=lambda index: (index != len(looks) - 1, -looks[index].confidence))
    return [looks[index] for index in sorted(keep[:MANY_LOOKS])]


def _range(span: Span, video: Span) -> str:
    """A span as it is written: to a tenth of a second, minutes in a long video."""
    if video.end_s < 120:
        return f"{span.start_s:.1f}–{span.end_s:.1f} s"
    first, last = (f"{int(second // 60)}:{second % 60:04.1f}" for second in (span.start_s, span.end_s))
    return f"{first}–{last}"
