"""The three views of a video: at the base rate, shuffled in time, and more densely; all from one decoding."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tevo.backbones.base import Backbone
from tevo.backbones.language import Watched
from tevo.errors import TevoError
from tevo.structures import FrameBatch, Span, VideoTokens
from tevo.video.info import VideoInfo
from tevo.video.interventions import shuffled
from tevo.video.sampling import per_segment, uniform


@dataclass(frozen=True, slots=True)
class VideoFeatures:
    """One video as the backbone saw it, three times; every VideoTokens has a batch of one."""

    name: str
    start_s: float  # seconds (pts) of the first frame
    end_s: float  # seconds (pts) where the last frame ends
    tokens: VideoTokens  # at the base rate
    shuffled: VideoTokens  # the same times, the frames in another order
    dense: VideoTokens  # at ``dense_factor`` times the base rate
    frames: FrameBatch | None = None  # of the base view, where a tower learns
    order: Int[Tensor, "time"] | None = None  # of those frames in the shuffled view
    watched: Watched | None = None  # what a language model reads; the tokens are then the means of its steps
    closer: Callable[[Sequence[Span]], Watched | None] | None = None  # a sharper look at some spans, from the file

    @property
    def num_tokens(self) -> int:
        """Tokens of the video at the base rate: an encoder's, or those in a language model's prompt."""
        return int(self.tokens.mask.sum()) if self.watched is None else self.watched.num_tokens


@dataclass(frozen=True)
class ViewPlan:
    """Which frames of a video are looked at, and how the result is kept.

    Args:
        fps: of the base view, frames a second.
        max_frames: most frames of the base view; a longer video is looked at more thinly, all of it.
        dense_factor: the dense view has this many times more frames.
        seed: of the shuffled order (with the file's fingerprint).
        dtype: what values are rounded to.
        max_tokens: most tokens of a video in a language model's prompt; None for other backbones.
    """

    fps: float
    max_frames: int
    dense_factor: int
    seed: int
    dtype: torch.dtype
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.dense_factor < 1:
            raise TevoError(f"dense_factor multiplies the frame rate and must be at least 1, got {self.dense_factor}")

    def times(self, video: VideoInfo) -> Float[Tensor, "time"]:
        """The seconds of the dense view; every ``dense_factor``-th of them is the base view."""
        return uniform(video, fps=self.fps * self.dense_factor, max_frames=self.max_frames * self.dense_factor)

    def base(self, dense: FrameBatch) -> FrameBatch:
        """The frames of the base view, each once, out of those of the dense view."""
        steps = self._base_steps(len(dense.times_s))
        return distinct(FrameBatch(dense.frames[steps], dense.times_s[steps]))

    def base_times(self, video: VideoInfo) -> Float[Tensor, "time"]:
        """The seconds of the base view, for who wants no other."""
        times = self.times(video)
        return times[self._base_steps(len(times))]

    def part_times(self, spans: Sequence[Span], clip: int = 1) -> list[Float[Tensor, "time"]]:
        """The seconds at which parts of a video are looked at, by themselves, in a base view's number of frames.

        Where the parts are short this is closer than the base view of a long video, but never closer than the base
        rate, which is what the roles have learnt to read.

        Args:
            spans: seconds (pts), in order, apart from one another.
            clip: frames come in whole clips of so many, so that no clip sees two parts.
        """
        rate = min(self.fps, self.max_frames / max(sum(span.length_s for span in spans), 1e-6))
        numbers = [clip * max(1, round(span.length_s * rate / clip)) for span in spans]
        return [per_segment(span, num_segments=number) for span, number in zip(spans, numbers, strict=True)]

    def _base_steps(self, num_dense: int) -> Int[Tensor, "time"]:
        steps = torch.arange((self.dense_factor - 1) // 2, num_dense, self.dense_factor)
        return steps if len(steps) else torch.zeros(1, dtype=torch.long)

    def generator(self, video: VideoInfo) -> torch.Generator:
        """Of the video's shuffled order."""
        digest = hashlib.sha256(f"{self.seed} {video.fingerprint}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def order(self, video: VideoInfo, num_frames: int) -> Int[Tensor, "time"]:
        """Of the base view's frames in the shuffled view: the same draw as in :func:`tevo.video.shuffled`."""
        return torch.randperm(num_frames, generator=self.generator(video))

    def describe(self, video: VideoInfo) -> str:
        """All that decides the stored values besides the file and the backbone."""
        budget = "" if self.max_tokens is None else f" tokens={self.max_tokens}"
        return (
            f"uniform fps={self.fps!r} max_frames={self.max_frames} dense={self.dense_factor} "
            f"[{video.start_s!r}, {video.end_s!r}] seed={self.seed} {self.dtype}{budget}"
        )


def encode_views(backbone: Backbone, plan: ViewPlan, video: VideoInfo, frames: FrameBatch) -> dict[str, Tensor]:
    """Encode the views from the frames of :meth:`ViewPlan.times`, rounded and named as they are stored.

    Of a frame encoder the shuffled view is not encoded: shuffling its frames is shuffling its values. Nor is the
    dense view where its rate is the base rate.
    """
    base = plan.base(frames)
    tokens = encode_frames(backbone, base)
    stored = _named(tokens, "base")
    if plan.dense_factor > 1:
        stored |= _named(encode_frames(backbone, distinct(frames)), "dense")
    if backbone.spec.frames_per_clip > 1 or tokens.values.shape[1] != len(base.times_s):
        stored["shuffled.values"] = encode_frames(backbone, shuffled(base, plan.generator(video))).values
    return {name: rounded(value, plan.dtype) if name.endswith("values") else value for name, value in stored.items()}


def restore_views(plan: ViewPlan, video: VideoInfo, name: str, stored: Mapping[str, Tensor]) -> VideoFeatures:
    """The views out of what :func:`encode_views` gave, values as float32."""
    tokens = _tokens(stored, "base")
    dense = _tokens(stored, "dense") if plan.dense_factor > 1 else tokens
    if "shuffled.values" in stored:
        values = stored["shuffled.values"].float()
    else:
        values = tokens.values.index_select(1, plan.order(video, tokens.values.shape[1]))
    mixed = VideoTokens(values, tokens.spans, tokens.mask)
    return VideoFeatures(name, video.start_s, video.end_s, tokens, mixed, dense)


def distinct(batch: FrameBatch) -> FrameBatch:
    """Each frame once: a rate above the video's own asks for the same frame several times."""
    keep = torch.ones(len(batch.times_s), dtype=torch.bool)
    keep[1:] = batch.times_s.diff() > 0
    return FrameBatch(batch.frames[keep], batch.times_s[keep])


def encode_frames(backbone: Backbone, batch: FrameBatch) -> VideoTokens:
    """One video's frames through the backbone, in eval mode, without gradients; the tokens lie on the CPU."""
    device = next(backbone.parameters(), torch.empty(0)).device
    was_training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad():
            return backbone.encode_video(batch.frames[None].to(device), batch.times_s[None].to(device)).to("cpu")
    finally:
        backbone.train(was_training)


def rounded(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Values in the type they are stored in; in their own where that cannot hold them."""
    smaller = values.to(dtype)
    return smaller if bool(smaller.isfinite().all()) else values


def _named(tokens: VideoTokens, name: str) -> dict[str, Tensor]:
    return {f"{name}.values": tokens.values, f"{name}.spans": tokens.spans, f"{name}.mask": tokens.mask}


def _tokens(stored: Mapping[str, Tensor], name: str) -> VideoTokens:
    return VideoTokens(stored[f"{name}.values"].float(), stored[f"{name}.spans"], stored[f"{name}.mask"])
