"""The timeline of one video: frame strip, spans under it, the question, its options and votes."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tevo.metrics.results import RunSpec
from tevo.report.cards import Card, find_video, spans_of
from tevo.report.lanes import axis, chip, frames, track
from tevo.report.strip import Strip, make_strip
from tevo.structures import Span
from tevo.video import VideoError

TRACKS = {  # CSS class: name of the row
    "questioner": "Questioner",
    "pseudo": "Pseudo-label",
    "prediction": "Prediction",
    "truth": "Truth",
}
ROW_SIGNALS = ("agreement", "dependency", "order", "necessity", "specificity")


def timeline(card: Card, spec: RunSpec) -> str:
    """A card of the report; frames that cannot be read leave a sentence and the bars."""
    spans = {
        "questioner": spans_of(card.asked.get("evidence")),
        "pseudo": spans_of(card.asked.get("pseudo_evidence")),
        "prediction": spans_of(card.answered.get("pred_relevant_windows")),
        "truth": spans_of(card.answered.get("relevant_windows")) if card.is_labelled else (),
    }
    strip = _strip(card, spec, [span for row in spans.values() for span in row])
    rows = []
    for style, name in TRACKS.items():
        has_row = card.asked if style in ("questioner", "pseudo") else card.answered
        if has_row and (spans[style] or style == "prediction"):
            window = spans_of([card.asked.get("window")]) if style == "questioner" else ()
            behind = [("window", "window the Questioner looked at", span) for span in window]
            rows.append(track(style, name, spans[style], strip.span, behind))
    text = str(card.answered.get("query") or card.asked.get("text") or "")
    return (
        f'<article class="card">{_head(card, strip)}<h3>{escape(text)}</h3>'
        f'<div class="lane frames"><span class="who"></span>{frames(strip)}</div>'
        f'{"".join(rows)}<div class="lane axis"><span class="who"></span>{axis(strip.span)}</div>'
        f"{_answers(card)}{_figures(card)}{_raw(card)}</article>"
    )


def _strip(card: Card, spec: RunSpec, spans: Sequence[Span]) -> Strip:
    path = find_video(card, spec)
    until = max([float(card.answered.get("duration") or 0), *(span.end_s for span in spans), 1.0])
    if path is None:
        return Strip(Span(0.0, until), trouble=f"{card.video} was not found, its frames are not shown.")
    try:
        return make_strip(path)
    except VideoError as error:  # the bars are still worth drawing
        return Strip(Span(0.0, until), trouble=f"The frames could not be read: {error.reason}.")


def _head(card: Card, strip: Strip) -> str:
    chips = [chip(str(card.asked.get("kind") or card.answered.get("kind") or ""))]
    chips += [chip(str(card.answered.get("family") or ""))]
    if card.asked:
        chips += [chip(f"{name} {card.asked[name]}") for name in ("level", "round") if card.asked.get(name)]
    if "kept" in card.asked:
        kept = bool(card.asked["kept"])
        said = "kept in the pool" if kept else f"dropped: {card.asked.get('reason') or 'no reason given'}"
        chips += [chip(said, "good" if kept else "bad")]
    score = card.score
    if score and score.right is not None:
        words = "right answer" if score.right else "no answer parsed" if score.unparsed else "wrong answer"
        chips += [chip(words, "good" if score.right else "bad")]
    if score and score.iou is not None:
        chips += [chip(f"IoU {score.iou:.2f}", "good" if score.iou >= 0.5 else "bad" if score.iou < 0.3 else "")]
    name = Path(card.video).name
    length = f"{strip.span.length_s:.1f} s" if strip.uri else ""
    return (
        f'<header><span class="file" title="{escape(card.video)}">{escape(name)}</span><span>{length}</span>'
        f'<span class="chips">{"".join(chips)}</span></header>'
    )


def _answers(card: Card) -> str:
    """Options with votes and marks, or the open answers; nothing for a question answered by its span."""
    options = [str(option) for option in card.answered.get("options") or card.asked.get("options") or ()]
    given = {
        "questioner": (card.asked.get("answer"), "Questioner"),
        "pseudo": (card.asked.get("pseudo_answer"), "pseudo-label"),
        "prediction": (card.answered.get("pred_answer"), _chosen(card.answered)),
        "truth": (card.answered.get("answer") if card.is_labelled else None, "truth"),
    }
    marks = {style: (_same(answer), mark) for style, (answer, mark) in given.items() if answer}
    votes = card.asked.get("votes")
    votes = votes if isinstance(votes, dict) else {}
    counts = {_same(key): float(number) for key, number in votes.items() if isinstance(number, (int, float))}
    listed = {_same(option): option for option in options}  # then whatever else was voted for or answered
    for text in (*votes, *(str(answer) for answer, _ in given.values() if answer)):
        listed.setdefault(_same(text), text)
    lines = list(listed.values())
    total = sum(counts.values(), 0.0)
    rows = [_option(index, text, index < len(options), marks, counts, total) for index, text in enumerate(lines)]
    return f'<ol class="options">{"".join(rows)}</ol>' if rows else ""


def _option(
    index: int, text: str, listed: bool, marks: Mapping[str, tuple[str, str]], votes: Mapping[str, float], total: float
) -> str:
    chips = "".join(chip(mark, style) for style, (answer, mark) in marks.items() if answer == _same(text))
    count = votes.get(_same(text), 0.0)
    meter = (
        f'<span class="votes"><i style="width:{100 * count / total:.1f}%"></i><b>{count:g}</b></span>' if total else ""
    )
    letter = chr(65 + index) if listed and index < 26 else "–"
    return f'<li><span class="letter">{letter}</span><span class="text">{escape(text)}{chips}</span>{meter}</li>'


def _chosen(answered: Mapping[str, Any]) -> str:
    sure = answered.get("pred_answer_confidence")
    return f"chosen, {sure:.0%} sure" if isinstance(sure, (int, float)) and math.isfinite(sure) else "chosen"


def _figures(card: Card) -> str:
    """Signals of a pooled question, as many as its row holds."""
    words = []
    for name in ROW_SIGNALS:
        value = card.asked.get(name)
        if isinstance(value, (int, float)) and math.isfinite(value):
            words.append(f"<span>{name} <b>{value:.2f}</b></span>")
    return f'<p class="figures">{"".join(words)}</p>' if words else ""


def _raw(card: Card) -> str:
    """What a language model wrote, as it wrote it; nothing of a model that does not write."""
    written = [
        ("Questioner", card.asked.get("completion")),
        *(("Solver, a vote", reply) for reply in card.asked.get("replies") or ()),
        (
            "Solver" if card.answered.get("pred_parsed", True) else "Solver, unreadable",
            card.answered.get("pred_completion"),
        ),
    ]
    blocks = "".join(f"<dt>{escape(who)}</dt><dd>{escape(str(text))}</dd>" for who, text in written if text is not None)
    return f'<details class="raw"><summary>as written</summary><dl>{blocks}</dl></details>' if blocks else ""


def _same(answer: object) -> str:
    return " ".join(str(answer).casefold().split())
