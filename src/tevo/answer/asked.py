"""Questions as they are put: complete, about a video that is there and a part of it that can be shown."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tevo.errors import TevoError
from tevo.structures import Question, Span
from tevo.tasks.asking import check_usable, usual_options, window_outside
from tevo.video.info import VideoInfo


def completed(question: Question, number: int, root: Path, phrases: Sequence[str]) -> Question:
    """The question with an id of its own, its video's whole path, and options where it is open.

    Raises:
        TevoError: when it cannot be put.
    """
    check_usable(question)
    options = question.options or usual_options(question, phrases)
    return replace(question, id=str(number), video=os.path.abspath(root / question.video), options=options)


def shown_of(question: Question, video: VideoInfo) -> tuple[Span, ...]:
    """The stretch of its video that a question is about: the whole, or what its benchmark shows.

    Raises:
        TevoError: when it names seconds outside.
    """
    whole = Span(video.start_s, video.end_s)
    trouble = window_outside(question, whole)
    if trouble:
        raise TevoError(trouble)
    shown = whole if question.shown is None else question.shown.clamp(whole)
    if shown.length_s <= 0:
        raise TevoError(
            f"the question {question.text!r} shows {question.shown} of {question.video}, which runs from "
            f"{whole.start_s:g} to {whole.end_s:g} s: show a part of the video"
        )
    return (shown,)


def check_root(root: str | os.PathLike[str]) -> None:
    """Refuse a folder that is not there.

    Raises:
        TevoError: when it is none.
    """
    if os.fspath(root) and not Path(root).is_dir():
        raise TevoError(f"there is no folder {root}, to which the videos' names are relative: give where they lie")
