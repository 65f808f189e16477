"""``tevo ask``: one question about one video; the answer in words, a page and a picture of when it is."""

import hashlib
import json
import re
import time
from pathlib import Path

from tevo.answer import Answer, Answering, load
from tevo.data.collection import Probing
from tevo.errors import TevoError
from tevo.metrics.results import write_atomic
from tevo.report.asked import LETTERS, Asked, headline, render_asked
from tevo.report.asked_picture import draw_asked
from tevo.video.info import VideoInfo

TINY_KNOWS = "clip_tiny knows the procedural world alone; for videos of your own give --model a run or a real backbone"


def run_ask(
    video: Path,
    question: str,
    options: list[str],
    model: str,
    answering: Answering,
    subtitles: bool,
    out: Path,
    cache_dir: Path | None = None,
) -> str:
    """Answer, write the page and the picture, and return what is printed; see :func:`tevo.verbs.small.ask`.

    Raises:
        TevoError: a model, video, question or folder that cannot be used.
    """
    if out.exists() and not out.is_dir():
        raise TevoError(f"--out {out} is a file; name a folder for the page and the picture")
    began = time.perf_counter()
    asked_of = load(model, cache_dir=cache_dir)
    loaded = time.perf_counter()
    answer = asked_of.answer(video, question, options, answering, subtitles)
    seconds = time.perf_counter() - loaded
    info = _probed(asked_of.probing, video)
    asked = Asked(info, question, tuple(options), answer, model, seconds)
    page, picture = _places(out, asked)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(page, render_asked(asked))
    picture.write_bytes(draw_asked(asked))
    looks = "one look" if len(answer.looks) == 1 else f"{len(answer.looks)} looks"
    lines = [*_told(asked), f"cost        {answer.token_forwards:,} token-forwards in {looks}"]
    lines.append(f"took        {seconds:.1f} s, after {loaded - began:.1f} s of loading {model}")
    lines += [f"note        {text}" for text in answer.notes]
    lines += [f"note        {TINY_KNOWS}"] if model == "clip_tiny" else []
    return "\n".join([*lines, f"page        {page}", f"picture     {picture}"])


def _told(asked: Asked) -> list[str]:
    answer, whole = asked.answer, asked.whole
    letter = (
        f"{LETTERS[asked.options.index(answer.answer)]}) " if answer.answer in asked.options[: len(LETTERS)] else ""
    )
    return [
        f"answer      {letter}{headline(answer, whole)}",
        f"confidence  {answer.confidence:.2f}",
        f"evidence    {_spans(answer)}",
        f"path        {answer.path}",
    ]


def _spans(answer: Answer) -> str:
    pairs = zip(answer.spans, answer.span_scores, strict=True)
    return ", ".join(f"{span.start_s:.1f}-{span.end_s:.1f} s ({score:.2f})" for span, score in pairs) or "none"


def _probed(probing: Probing, video: Path) -> VideoInfo:
    """What is known of the video since it was answered about."""
    name = str(video.absolute())
    return probing.paths([name]).videos[name]


def _places(out: Path, asked: Asked) -> tuple[Path, Path]:
    """Page and picture: named after the video, in safe letters, and after what was asked."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(asked.video.path).stem).strip("-")[:60] or "video"
    about = json.dumps([asked.video.path, asked.question, asked.options, asked.model])
    name = f"{stem}-{hashlib.sha256(about.encode()).hexdigest()[:8]}"
    return out / f"{name}.html", out / f"{name}.png"
