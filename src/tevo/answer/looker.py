"""The door between the ways to answer and the models: parts of videos and questions in, what the model said out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from tevo.answer.answers import Look
from tevo.structures import Question, Span, TimedText
from tevo.tasks.role import Said
from tevo.video.decoder import VideoError
from tevo.video.info import VideoInfo


@dataclass(frozen=True, slots=True)
class Request:
    """A question, and what of its video is to be looked at.

    Attributes:
        question: with the options that are put.
        video: that it is about.
        shown: stretches, seconds (pts), in order and apart from one another.
        cues: subtitles of the video, all of them; empty where they are not to be read.
        name: of the look.
    """

    question: Question
    video: VideoInfo
    shown: tuple[Span, ...]
    cues: tuple[TimedText, ...] = ()
    name: str = "whole video"


Seen = Look | VideoError
"""A look, or why there is none."""


def look_of(request: Request, said: Said, token_forwards: int) -> Look:
    """A Solver's reply as a look. Of an answer that could not be read nothing is sure, whatever its spans are.

    Args:
        request: that it replies to.
        said: the reply.
        token_forwards: what it cost.
    """
    spans, scores = tuple(span for span, _ in said.spans), tuple(score for _, score in said.spans)
    sure = said.confidence
    if sure is None:
        sure = scores[0] if scores and not request.question.options else 0.0
    return Look(
        request.name, request.shown, said.answer or None, spans, scores, sure, said.option_probs, token_forwards,
        said.parsed, said.completion,
    )  # fmt: skip


class Looker(ABC):
    """A model that answers after looking at parts of a video within its budget of tokens.

    The ways to answer (:mod:`tevo.answer.ways`) know nothing else of a model.
    """

    @abstractmethod
    def look(self, requests: Sequence[Request], progress: bool = False) -> list[Seen]:
        """What the model says to each, in their order; it groups and batches them as it likes.

        A video is decoded and encoded once for all requests that show the same of it.
        """

    @abstractmethod
    def detail(self, video: VideoInfo, shown: Sequence[Span]) -> float:
        """Tokens that a second of the video gets when these stretches are looked at together."""

    @abstractmethod
    def chunk_s(self, video: VideoInfo, num_frames: int) -> float:
        """Length in seconds of a stretch that is seen in so many frames at the model's own rate."""
