"""Completions, token by token: every prompt is read once, its keys are shared by all its completions."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.backbones.language import Completions, Sampling
from tevo.backbones.qwen_vl.chat import Chat
from tevo.backbones.qwen_vl.decoding import DecodeState, Stepper
from tevo.backbones.qwen_vl.packing import Packed
from tevo.backbones.qwen_vl.scoring import log_policy


def decode_groups(
    model: Any,  # noqa: ANN401 (transformers' own)
    packed: Packed,
    hidden: Float[Tensor, "token dim"],
    num_samples: int,
    sampling: Sampling,
    chat: Chat,
    never: Bool[Tensor, "vocabulary"],
    generator: torch.Generator | None,
) -> Completions:
    """Sample ``num_samples`` completions of each prompt that was just read.

    Args:
        model: the whole transformers model, as the acting role has it.
        packed: the row of prompts; its layout has kept every layer's keys and values.
        hidden: last hidden state of each of the row's tokens.
        num_samples: G.
        sampling: length, temperature, stop texts.
        chat: decodes.
        never: tokens that are not drawn.
        generator: of the draws; on the CPU, so that the device does not change what is drawn. None: nothing is drawn,
            every token is the likeliest.
    """
    device, group = hidden.device, num_samples
    ends = torch.stack([places[-1] for places in packed.prompts])
    logits = model.lm_head(hidden[ends]).repeat_interleave(group, dim=0)
    position = torch.tensor(packed.following, device=device).repeat_interleave(group)
    state = _start(packed, group, sampling.max_new_tokens)
    step_on = Stepper(model.model.language_model, position, state)
    written = _Written(len(ends), group, sampling, chat, len(never), device)
    for step in range(sampling.max_new_tokens):
        log_probs = log_policy(logits, never, sampling.temperature)
        if generator is None:
            told, drawn = log_probs.max(-1)
        else:
            drawn, told = draw(log_probs, written.uniform(generator))
        left = written.add(step, drawn, told)
        if not bool(left.any()) or step + 1 == sampling.max_new_tokens:
            break
        if int(left.sum()) <= len(left) // 2:  # groups that have ended cost as much as others: they go, now and then
            step_on.keep(left.nonzero()[:, 0])
            drawn = drawn.view(len(left), group)[left].flatten()
            written.keep(left)
        logits = model.lm_head(step_on(drawn))
    return written.completions()


def draw(
    log_probs: Float[Tensor, "row vocabulary"], uniform: Float[Tensor, "row 1"]
) -> tuple[Int[Tensor, "row"], Float[Tensor, "row"]]:
    """One token a row and its log-probability, by inversion of uniform numbers, whatever the vocabulary.

    Sums are in double precision; a token of probability 0 adds nothing to them and is never reached.
    """
    sums = log_probs.exp().cumsum(-1, dtype=torch.float64)
    drawn = torch.searchsorted(sums, uniform.to(sums) * sums[:, -1:], right=True)
    return drawn[:, 0], log_probs.gather(1, drawn)[:, 0]


def completions_of(texts: Sequence[Sequence[str]], chat: Chat, device: torch.device) -> Completions:
    """Given texts as completions, see :meth:`LanguageModel.encode_reply`; one that comes again is encoded once."""
    encoded = {text: chat.encode(text) for row in texts for text in row}
    ends = {text: chat.decode(ids)[1] for text, ids in encoded.items()}
    group, width = max(map(len, texts), default=0), max(map(len, encoded.values()), default=0)
    tokens = torch.zeros(len(texts), group, width, dtype=torch.long)
    places, mask = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            number = len(encoded[text])
            tokens[i, j, :number] = torch.tensor(encoded[text], dtype=torch.long)
            places[i, j, :number] = torch.tensor(ends[text], dtype=torch.long)
            mask[i, j, :number] = True
    parts = (tokens, mask, torch.zeros(tokens.shape), places, mask.any(-1))
    tokens, mask, zeros, places, closed = (part.to(device) for part in parts)
    return Completions(tokens, mask, zeros, places, tuple(tuple(row) for row in texts), closed)


def _start(packed: Packed, group: int, max_new_tokens: int) -> DecodeState:
    """Each prompt's keys and values, padded to one length, and room for those of its completions."""
    kept, prompts = packed.layout.kept or {}, packed.prompts
    device = packed.ids.device
    lengths = torch.tensor([len(places) for places in prompts], device=device)
    mask = torch.arange(int(lengths.max()), device=device) < lengths[:, None]
    places = torch.zeros(mask.shape, dtype=torch.long, device=device)  # any token pads: the mask hides it
    places[mask] = torch.cat(prompts)
    prefix = []
    for layer in sorted(kept):
        picked = (part[:, places].transpose(0, 1) for part in kept[layer])
        keys, values = (part.contiguous() for part in picked)
        prefix.append((keys, values))
    return DecodeState.start(prefix, mask, group, max_new_tokens)


class _Written:
    """What has been written so far, and by whom more is to come."""

    def __init__(
        self, prompts: int, group: int, sampling: Sampling, chat: Chat, vocabulary: int, device: torch.device
    ) -> None:
        rows, most = prompts * group, sampling.max_new_tokens
        self.tokens = torch.zeros(rows, most, dtype=torch.long)
        self.chosen = torch.zeros(rows, most, device=device)
        self.length = torch.full((rows,), most)
        self.closed = torch.zeros(rows, dtype=torch.bool)
        self.rows = torch.arange(rows)  # of the groups that go on
        self.group, self.chat, self.finished = group, chat, _Finish(chat, sampling.stop, vocabulary)

    def uniform(self, generator: torch.Generator) -> Float[Tensor, "row 1"]:
        """A number for each row that goes on, out of as many as there were at first: none hangs on who has ended."""
        return torch.rand(len(self.tokens), 1, generator=generator, dtype=torch.float64)[self.rows]

    def add(self, step: int, drawn: Int[Tensor, "row"], told: Float[Tensor, "row"]) -> Bool[Tensor, "prompt"]:
        """One token more of each row that goes on; which of their groups are not at their end."""
        self.tokens[self.rows, step] = drawn.cpu()
        self.chosen[self.rows, step] = told
        ended = self.finished(self.tokens[:, : step + 1], ~self.closed)
        self.length = torch.where(ended, step + 1, self.length)
        self.closed |= ended
        return ~self.closed[self.rows].view(-1, self.group).all(1)

    def keep(self, groups: Bool[Tensor, "prompt"]) -> None:
        """Go on with some of the groups."""
        self.rows = self.rows.view(-1, self.group)[groups].flatten()

    def completions(self) -> Completions:
        """All of it."""
        rows, device = len(self.tokens), self.chosen.device
        shape = (rows // self.group, self.group, -1)
        width = int(self.length.max())
        mask = torch.arange(width) < self.length[:, None]
        texts, places = _texts(self.tokens, self.length, self.chat, width)
        return Completions(
            tokens=self.tokens[:, :width].masked_fill(~mask, 0).view(shape).to(device),
            mask=mask.view(shape).to(device),
            log_probs=self.chosen[:, :width].masked_fill(~mask.to(device), 0.0).view(shape),
            ends=places.view(shape).to(device),
            texts=tuple(tuple(texts[i : i + self.group]) for i in range(0, rows, self.group)),
            closed=self.closed.view(shape[:2]).to(device),
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
