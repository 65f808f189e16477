"""Completions, token by token: every prompt is read once, its keys are shared by all its completions."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.language import Completions, Sampling
from tevo.backbones.qwen_vl.chat import Chat, Prefix
from tevo.backbones.qwen_vl.decoding import DecodeState, Stepper
from tevo.backbones.qwen_vl.packing import Packed
from tevo.backbones.qwen_vl.scoring import log_policy


def decode_groups(
    model: Any,  # noqa: ANN401 (transformers' own)
    packed: Packed,
    hidden: Float[Tensor, "token dim"],
    prefixes: Sequence[Prefix],
    num_samples: int,
    sampling: Sampling,
    chat: Chat,
    never: Bool[Tensor, "vocabulary"],
    generator: torch.Generator,
) -> Completions:
    """Sample ``num_samples`` completions of each prompt that was just read.

    Args:
        model: the whole transformers model, as the acting role has it.
        packed: the row of prompts; its layout has kept every layer's keys and values.
        hidden: last hidden state of each of the row's tokens.
        prefixes: the prompts.
        num_samples: G.
        sampling: length, temperature, stop texts.
        chat: decodes.
        never: tokens that are not drawn.
        generator: of the draws; on the CPU, so that the device does not change what is drawn.
    """
    device = hidden.device
    state = _start(packed, num_samples, sampling.max_new_tokens)
    ends = torch.tensor([len(p.ids) for p in prefixes]).cumsum(0) - 1
    logits = model.lm_head(hidden[ends.to(device)]).repeat_interleave(num_samples, dim=0)
    position = torch.tensor([p.next_position for p in prefixes], device=device).repeat_interleave(num_samples)
    step_on = Stepper(model.model.language_model, position, state)
    finished = _Finish(chat, sampling.stop, len(never))
    rows = len(prefixes) * num_samples
    tokens = torch.zeros(rows, sampling.max_new_tokens, dtype=torch.long)
    chosen = torch.zeros(rows, sampling.max_new_tokens, device=device)
    length = torch.full((rows,), sampling.max_new_tokens)
    closed = torch.zeros(rows, dtype=torch.bool)
    for step in range(sampling.max_new_tokens):
        drawn, chosen[:, step] = draw(log_policy(logits, never, sampling.temperature), generator)
        tokens[:, step] = drawn.cpu()
        ended = finished(tokens[:, : step + 1], ~closed)
        length = torch.where(ended, step + 1, length)
        closed |= ended
        if bool(closed.all()) or step + 1 == sampling.max_new_tokens:
            break
        logits = model.lm_head(step_on(drawn))
    shape = (len(prefixes), num_samples, -1)
    width = int(length.max())
    mask = torch.arange(width) < length[:, None]
    texts, places = _texts(tokens, length, chat, width)
    return Completions(
        tokens=tokens[:, :width].masked_fill(~mask, 0).view(shape).to(device),
        mask=mask.view(shape).to(device),
        log_probs=chosen[:, :width].masked_fill(~mask.to(device), 0.0).view(shape),
        ends=places.view(shape).to(device),
        texts=tuple(tuple(texts[i : i + num_samples]) for i in range(0, rows, num_samples)),
        closed=closed.view(len(prefixes), num_samples).to(device),
    )


def draw(
    log_probs: Float[Tensor, "row vocabulary"], generator: torch.Generator
) -> tuple[Int[Tensor, "row"], Float[Tensor, "row"]]:
    """One token a row and its log-probability, by inversion: one uniform number a row, whatever the vocabulary.

    Sums are in double precision; a token of probability 0 adds nothing to them and is never reached.
    """
    sums = log_probs.exp().cumsum(-1, dtype=torch.float64)
    uniform = torch.rand(len(sums), 1, generator=generator, dtype=torch.float64).to(sums.device)
    drawn = torch.searchsorted(sums, uniform * sums[:, -1:], right=True)
    return drawn[:, 0], log_probs.gather(1, drawn)[:, 0]


def _start(packed: Packed, group: int, max_new_tokens: int) -> DecodeState:
    """Each prompt's keys and values, padded to one length, and room for those of its completions."""
    kept = packed.layout.kept or {}
    spans = sorted((int(row[0]), int(row[-1]) + 1) for bucket in packed.layout.buckets for row in bucket.prefix)
    longest = max(end - start for start, end in spans)
    prefix = []
    for layer in sorted(kept):
        keys, values = (
            torch.stack([F.pad(part[:, a:b], (0, 0, 0, longest - (b - a))) for a, b in spans]) for part in kept[layer]
        )
        prefix.append((keys, values))
    lengths = torch.tensor([end - start for start, end in spans], device=packed.ids.device)
    return DecodeState.start(
        prefix, torch.arange(longest, device=packed.ids.device) < lengths[:, None], group, max_new_tokens
    )


class _Finish:
    """Which completions end with the token just drawn: the end token, or the one that completes a stop text."""

    def __init__(self, chat: Chat, stop: Sequence[str], vocabulary: int) -> None:
        self.chat, self.stop = chat, stop
        self.may_end = chat.may_end(stop, vocabulary) if stop else torch.zeros(vocabulary, dtype=torch.bool)
        self.tail = 4 + 4 * max((len(text) for text in stop), default=0)  # tokens that surely hold a stop text

    def __call__(self, tokens: Int[Tensor, "row token"], running: Bool[Tensor, "row"]) -> Bool[Tensor, "row"]:
        last = tokens[:, -1]
        ended = running & (last == self.chat.end_id)
        for row in (running & self.may_end[last]).nonzero()[:, 0].tolist():
            recent = tokens[row, -self.tail :].tolist()
            text, before = self.chat.decode(recent)[0], self.chat.decode(recent[:-1])[0]
            ended[row] = any(text.count(stop) > before.count(stop) for stop in self.stop)
        return ended


def _texts(tokens: Tensor, length: Tensor, chat: Chat, width: int) -> tuple[list[str], Int[Tensor, "row width"]]:
    """Each completion's text and where in it its tokens end."""
    texts, places = [], torch.zeros(len(tokens), width, dtype=torch.long)
    for row, count in enumerate(length.tolist()):
        text, ends = chat.decode(tokens[row, :count].tolist())
        texts.append(text)
        places[row, :count] = torch.tensor(ends, dtype=torch.long)
    return texts, places
