"""What a step of training or evaluation gets: features of some videos, and the questions about them.

References travel, not pixels: an item is a video's name and its rows; features come from the memory-mapped cache.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tevo.structures import Question, Verdict, VideoTokens


@dataclass(frozen=True, slots=True)
class VideoBatch:
    """Videos with what the backbone saw of them, three times: as they are, shuffled in time, and more densely."""

    names: list[str]  # path inside the data root
    tokens: VideoTokens  # batch B, at the base rate
    shuffled: VideoTokens  # the same times, frames in another order
    dense: VideoTokens  # the same video at a multiple of the base rate
    start_s: Float[Tensor, "batch"]  # seconds (pts) of the first frame
    end_s: Float[Tensor, "batch"]  # seconds (pts) where the last frame ends

    def to(self, device: torch.device | str) -> "VideoBatch":
        """The same batch on another device."""
        return VideoBatch(
            self.names,
            self.tokens.to(device),
            self.shuffled.to(device),
            self.dense.to(device),
            self.start_s.to(device),
            self.end_s.to(device),
        )


@dataclass(frozen=True, slots=True)
class PooledBatch:
    """Questions of the pool with their pseudo-labels; each video is there once, however many ask about it."""

    videos: VideoBatch
    verdicts: list[Verdict]
    rows: Int[Tensor, "question"]  # verdict -> its video's row in ``videos``

    def to(self, device: torch.device | str) -> "PooledBatch":
        """The same batch on another device."""
        return PooledBatch(self.videos.to(device), self.verdicts, self.rows.to(device))


@dataclass(frozen=True, slots=True)
class QuestionBatch:
    """Questions to be answered, for evaluation and prediction; each video is there once."""

    videos: VideoBatch
    questions: list[Question]
    rows: Int[Tensor, "question"]  # question -> its video's row in ``videos``

    def to(self, device: torch.device | str) -> "QuestionBatch":
        """The same batch on another device."""
        return QuestionBatch(self.videos.to(device), self.questions, self.rows.to(device))
