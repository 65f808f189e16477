"""The door of a backbone that reads and writes: prompts in, groups of completions out, and their log-probs.

The unit is a GROUP: one prompt and its G completions. What a video costs is paid once: :meth:`LanguageModel.watch`
makes what the model reads of it, and rollout, scoring and update all use that.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from tevo.errors import TevoError

COLD = 1e-7  # a temperature at which only tokens that are as likely as the best are drawn


@dataclass(frozen=True, slots=True)
class Watched:
    """A video, or a part of it, as a language model reads it.

    A *step* is what the model merges in time (Qwen-VL: two frames), a *cell* what it merges in space; every cell
    of every step is one token of the prompt. ``values`` holds what the vision tower made of them, one layer
    for the input and one for each depth at which the model adds more. Where the tower is trained there is nothing to
    keep yet: ``values`` is None and ``patches`` are encoded within the update.
    """

    values: Float[Tensor, "layer step cell dim"] | None
    patches: Float[Tensor, "step patch pixel"] | None
    grid: tuple[int, int]  # cells of a step: rows, columns
    times_s: Float[Tensor, "step 2"]  # pts of the first and the last merged frame, seconds
    spans: Float[Tensor, "step 2"]  # seconds (pts), what each step stands for
    origin_s: float  # pts that the model calls second 0: where the video, or the window, begins

    @property
    def num_steps(self) -> int:
        """Steps in time."""
        return len(self.times_s)

    @property
    def num_tokens(self) -> int:
        """Tokens of the prompt that are this video's, markers and written times not counted."""
        return self.num_steps * self.grid[0] * self.grid[1]

    def take(self, steps: Int[Tensor, "new"]) -> "Watched":
        """Some of the steps, with their own times: what is masked out is gone, and its time stays empty."""
        return replace(self.reordered(steps), times_s=self.times_s[steps], spans=self.spans[steps])

    def reordered(self, steps: Int[Tensor, "new"]) -> "Watched":
        """What was seen in another order, at the times as they were: the shuffled control."""
        times_s, spans = self.times_s[: len(steps)], self.spans[: len(steps)]
        values = None if self.values is None else self.values[:, steps]
        patches = None if self.patches is None else self.patches[steps]
        return replace(self, values=values, patches=patches, times_s=times_s, spans=spans)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is asked: a text, the video before it (None: no video), and how its reply begins."""

    text: str
    video: Watched | None = None
    reply: str = ""  # already written when the completion starts, say "<answer>"


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn."""

    max_new_tokens: int = 256  # length bound
    temperature: float = 1.0  # of the policy itself: log-probs are taken at this temperature in the update too
    stop: tuple[str, ...] = ()  # a completion ends with the token that completes one of these texts

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or not self.temperature > 0:
            raise TevoError(
                f"sampling needs max_new_tokens >= 1 and a temperature above 0, got {self.max_new_tokens} and "
                f"{self.temperature}; for the best answer use a small temperature such as 1e-4"
            )


@dataclass(frozen=True, slots=True)
class Completions:
    """G completions of each prompt. ``ends`` says where in its text each token ends: roles hang on it."""

    tokens: Int[Tensor, "prompt group token"]
    mask: Bool[Tensor, "prompt group token"]
    log_probs: Float[Tensor, "prompt group token"]  # of the policy that drew them, at its temperature
    ends: Int[Tensor, "prompt group token"]  # characters of the text up to and with this token
    texts: tuple[tuple[str, ...], ...]
    closed: Bool[Tensor, "prompt group"]  # ended by itself; False = cut off at the length bound

    def take(self, prompts: Sequence[int]) -> "Completions":
        """Some of the prompts."""
        index = torch.tensor(list(prompts), dtype=torch.long, device=self.tokens.device)
        parts = (self.tokens[index], self.mask[index], self.log_probs[index], self.ends[index])
        return Completions(*parts, tuple(self.texts[i] for i in prompts), self.closed[index])


class TokenScores(NamedTuple):
    """What the model thinks of given completions; 0 where there is no token."""

    log_probs: Float[Tensor, "prompt group token"]  # differentiable
    entropy: Float[Tensor, "prompt group token"]  # of the whole distribution at that place, nats; detached


class Best(NamedTuple):
    """What the model writes when every token is the likeliest, and how likely the choices would have been instead."""

    completions: Completions  # one of each prompt; log-probabilities are those of the model itself, at temperature 1
    choices: Float[Tensor, "prompt choice"]  # log-probability of each as the whole reply; -inf pads


class LanguageModel(ABC):
    """Capability: reads a prompt with a video, writes, and scores what was written.

    A *role* (Questioner, Solver) is a set of trainable weights on the one base; the base by itself is the reference.
    """

    @abstractmethod
    def watch(
        self,
        frames: UInt8[Tensor, "time 3 height width"],
        times_s: Float[Tensor, "time"],
        max_tokens: int,
        origin_s: float | None = None,
    ) -> Watched:
        """What the model reads of these frames, in at most ``max_tokens`` tokens.

        Frames or resolution shrink to the budget; times are the frames' own (pts, seconds), at any spacing.

        Args:
            frames: raw RGB, at their own size, in ascending order of time.
            times_s: pts of each.
            max_tokens: the video's share of the prompt.
            origin_s: what the model is to call second 0; None = the first frame.
        """

    @abstractmethod
    def sample(
        self, prompts: Sequence[Prompt], num_samples: int, sampling: Sampling, generator: torch.Generator
    ) -> Completions:
        """Draw ``num_samples`` completions of each prompt. A prompt is read once, whatever their number."""

    @abstractmethod
    def log_probs(self, prompts: Sequence[Prompt], completions: Completions, temperature: float = 1.0) -> TokenScores:
        """Score completions under the acting role, with gradients: exactly what separate rows would give."""

    @abstractmethod
    def choose(self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]]) -> Float[Tensor, "prompt choice"]:
        """Log-probability of each choice as the reply, in one forward pass and without gradients; -inf pads."""

    @torch.no_grad()
    def best(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], max_new_tokens: int, stop: tuple[str, ...]
    ) -> Best:
        """The likeliest token at every place, and what :meth:`choose` says of each choice, without gradients.

        Here by three readings of every prompt; a model does well to read it once.

        Args:
            prompts: what is asked.
            choices: of each prompt; may be none.
            max_new_tokens: length bound.
            stop: as in :class:`Sampling`.
        """
        drawn = self.sample(prompts, 1, Sampling(max_new_tokens, COLD, stop), torch.Generator().manual_seed(0))
        told = replace(drawn, log_probs=self.log_probs(prompts, drawn).log_probs)
        return Best(told, self.choose(prompts, choices))

    @abstractmethod
    def encode_reply(self, texts: Sequence[Sequence[str]]) -> Completions:
        """Given texts as completions, to be scored or learnt from: ``log_probs`` are 0, all are closed."""

    @abstractmethod
    def add_role(self, name: str) -> nn.Module:
        """Make the trainable weights of a role, and return them. At first it acts exactly as the base does."""

    @abstractmethod
    def acting(self, role: str | None) -> AbstractContextManager[None]:
        """Let a role act within the context; None is the reference.

        With activation checkpointing the backward pass reads the weights again: it belongs inside the context too.
        """

    @property
    @abstractmethod
    def base_source(self) -> str | None:
        """Hub id or folder that the base was loaded from; None: built from a configuration."""

    @property
    @abstractmethod
    def has_adapters(self) -> bool:
        """Whether a role is an adapter on the base; else it is a model of its own."""

    @abstractmethod
    def role_facts(self) -> dict[str, str]:
        """What must be the same wherever a role's weights are loaded.

        ``trainable``: what of the model a role trains. ``reference``: a fingerprint of the base's weights.
        """

    @abstractmethod
    def save_role(self, role: str, folder: str, merged: bool) -> None:
        """Write a role in the hub's layout, loadable by the model's own library, with its processor.

        Args:
            role: whose weights.
            folder: where; made if it is not there.
            merged: the whole model with the role in it; else the adapter alone.

        Raises:
            TevoError: a role that is not there; an adapter asked for where roles are models of their own.
        """


def join_completions(parts: Sequence[Completions]) -> Completions:
    """Completions of several prompts as one, padded to the longest."""
    width = max(part.tokens.shape[-1] for part in parts)

    def wide(name: str) -> Tensor:
        return torch.cat([nn.functional.pad(getattr(p, name), (0, width - p.tokens.shape[-1])) for p in parts])

    texts = tuple(row for part in parts for row in part.texts)
    closed = torch.cat([part.closed for part in parts])
    return Completions(wide("tokens"), wide("mask"), wide("log_probs"), wide("ends"), texts, closed)


def batches_of(lengths: Sequence[int], max_total: int, order: Sequence[int] | None = None) -> Iterator[list[int]]:
    """Indices in batches whose lengths sum to at most ``max_total`` (one always fits).

    Args:
        lengths: of each.
        max_total: of a batch.
        order: in which they are taken; by their lengths when not given, so that a batch is of similar ones.
    """
    batch: list[int] = []
    total = 0
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]) if order is None else order:
        if batch and total + lengths[index] > max_total:
            yield batch
            batch, total = [], 0
        batch.append(index)
        total += lengths[index]
    if batch:
        yield batch
