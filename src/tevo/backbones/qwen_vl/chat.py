"""From a prompt to the tokens of its prefix, their places in time and space, and from tokens back to text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tevo.backbones.language import Prompt, Watched
from tevo.errors import TevoError

_SPECIAL = ("<|vision_start|>", "<|video_pad|>", "<|vision_end|>")


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prompt, ready for the model."""

    ids: Int[Tensor, "token"]
    is_video: Bool[Tensor, "token"]
    positions: Int[Tensor, "3 token"]  # time, row, column
    next_position: int  # of the first token of a completion, on all three axes
    video: Watched | None


class Chat:
    """The text side of a Qwen-VL: its tokenizer, its chat template, and how it writes times.

    Positions are the published ones (arXiv 2409.12191): text counts up; a step of video has the time
    ``tokens_per_second * seconds`` and its cells' rows and columns, all from the place where the video starts; what
    follows goes on from the largest position so far plus one. transformers 5.23 goes on from the frame's side instead
    when it reads a whole sequence, and from the largest when it generates; other engines from the largest.

    Args:
        tokenizer: of transformers, with a chat template.
        tokens_per_second: temporal positions a second (Qwen2.5-VL), or None where every step's time is written before
            it as text (Qwen3-VL).

    Raises:
        TevoError: when the tokenizer lacks a video token or a chat template.
    """

    def __init__(self, tokenizer: Any, tokens_per_second: float | None) -> None:  # noqa: ANN401 (untyped library)
        missing = [token for token in _SPECIAL if token not in tokenizer.get_vocab()]
        if missing:
            raise TevoError(
                f"the tokenizer of {tokenizer.name_or_path or 'this model'} has no {' and no '.join(missing)}, so a "
                "prompt cannot hold a video; give the tokenizer of a Qwen2.5-VL or Qwen3-VL checkpoint"
            )
        if not tokenizer.chat_template:
            raise TevoError(
                f"the tokenizer of {tokenizer.name_or_path or 'this model'} has no chat template; use an instruct "
                "checkpoint, or put its chat_template.jinja beside the tokenizer"
            )
        self.tokenizer, self.tokens_per_second = tokenizer, tokens_per_second
        self.video_id = int(tokenizer.convert_tokens_to_ids(_SPECIAL[1]))
        self.end_id = int(tokenizer.convert_tokens_to_ids("<|im_end|>"))
        added = tokenizer.added_tokens_decoder
        self.never_ids = sorted(index for index, token in added.items() if token.special and index != self.end_id)
        self._pieces: dict[int, str] = {}

    def lay_out(self, prompt: Prompt) -> Prefix:
        """Tokens and positions of a prompt."""
        user: list[dict[str, str]] = [{"type": "video"}] if prompt.video else []
        # what is said must not read as a marker: a video token out of a text would stand for pixels that are not there
        user.append({"type": "text", "text": prompt.text.replace("<|", "< |")})
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": user}], tokenize=False, add_generation_prompt=True
        )
        if prompt.video:
            text = text.replace("".join(_SPECIAL), self._placeholders(prompt.video), 1)
        ids = torch.tensor(self.encode(text + prompt.reply))
        is_video = ids == self.video_id
        expected = prompt.video.num_tokens if prompt.video else 0
        if int(is_video.sum()) != expected:
            raise TevoError(
                f"the prompt holds {int(is_video.sum())} video tokens and the video is {expected} tokens long: the "
                f"template of {self.tokenizer.name_or_path or 'this tokenizer'} has no place for a video, or several"
            )
        positions, following = self._positions(is_video, prompt.video)
        return Prefix(ids, is_video, positions, following, prompt.video)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, special tokens read as such."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _placeholders(self, video: Watched) -> str:
        cells = _SPECIAL[1] * (video.grid[0] * video.grid[1])
        if self.tokens_per_second is not None:
            return _SPECIAL[0] + cells * video.num_steps + _SPECIAL[2]
        seconds = (video.times_s.mean(dim=-1) - video.origin_s).tolist()
        return "".join(f"<{second:.1f} seconds>{_SPECIAL[0]}{cells}{_SPECIAL[2]}" for second in seconds)

    def _positions(self, is_video: Tensor, video: Watched | None) -> tuple[Tensor, int]:
        """Positions of the prefix, and the one after it."""
        positions = torch.arange(len(is_video)).expand(3, -1).clone()
        if video is None:
            return positions, len(is_video)
        rows, columns = video.grid
        cell = torch.stack(
            [
                torch.zeros(rows * columns),
                torch.arange(rows).repeat_interleave(columns),
                torch.arange(columns).repeat(rows),
            ]
        ).long()
        places, cells = is_video.nonzero()[:, 0], rows * columns
        if self.tokens_per_second is None:
            runs = list(zip(places.view(-1, cells), cell.expand(video.num_steps, 3, -1), strict=True))
        else:
            seconds = (video.times_s[:, 0] - video.origin_s).double().cpu()
            ticks = (self.tokens_per_second * seconds + 1e-3).floor().long()  # 1e-3: 0.3 s * 10 is 2.9999 in floats
            shift = ticks.repeat_interleave(cells) * torch.tensor([1, 0, 0])[:, None]
            runs = [(places, cell.repeat(1, video.num_steps) + shift)]
        for place, offsets in runs:
            start, end = int(place[0]), int(place[-1]) + 1
            begin = int(positions[:, start - 1].max()) + 1 if start else 0
            positions[:, start:end] = offsets + begin
            following = int(positions[:, start:end].max()) + 1
            positions[:, end:] = following + torch.arange(len(is_video) - end)
        return positions, int(positions.max()) + 1

    # --- back to text ---

    def decode(self, ids: Sequence[int]) -> tuple[str, list[int]]:
        """A completion's text without special tokens, and where in it each token ends (characters).

        Exact for any tokenizer: where the tokens' own texts do not add up to the whole (a character made of several
        tokens, a leading space that is dropped), the ends are read off the decoded beginnings.
        """
        whole = self._text(ids)
        pieces = [self._piece(index) for index in ids]
        if "".join(pieces) == whole and "\ufffd" not in whole:
            ends, at = [], 0
            for piece in pieces:
                at += len(piece)
                ends.append(at)
            return whole, ends
        ends = self._ends(ids, whole, windows=True)
        return whole, ends if ends[-1] == len(whole) else self._ends(ids, whole, windows=False)

    def _ends(self, ids: Sequence[int], whole: str, windows: bool) -> list[int]:
        """Ends read off decoded beginnings; ``windows``: begin anew behind every token that ended a character."""
        ends: list[int] = []
        first, base = 0, 0
        for count in range(1, len(ids) + 1):
            begun = self._text(ids[first:count])
            agreed = begun
            while agreed and not whole.startswith(agreed, base):  # an unfinished character reads as a replacement
                agreed = agreed[:-1]
            ends.append(max(base + len(agreed), ends[-1] if ends else 0))
            if windows and agreed == begun and not begun.endswith("\ufffd"):
                first, base = count, base + len(begun)
        return ends

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _piece(self, index: int) -> str:
        if index not in self._pieces:
            self._pieces[index] = self._text([index])
        return self._pieces[index]

    def never(self, vocabulary: int) -> Bool[Tensor, "vocabulary"]:
        """Tokens that are never written: special ones but the end, and rows of the embedding that no token has."""
        flags = torch.zeros(vocabulary, dtype=torch.bool)
        flags[self.never_ids] = True
        flags[len(self.tokenizer) :] = True
        return flags

    def may_end(self, stop: Sequence[str], vocabulary: int) -> Bool[Tensor, "vocabulary"]:
        """Tokens that may complete one of the texts: those that hold the last character of one."""
        names = self.tokenizer.convert_ids_to_tokens(list(range(min(vocabulary, len(self.tokenizer)))))
        last = {text[-1] for text in stop if text}
        flags = torch.zeros(vocabulary, dtype=torch.bool)
        flags[: len(names)] = torch.tensor([name is not None and any(c in name for c in last) for name in names])
        return flags
