"""Several groups in one row: prefixes and completions one after the other, without padding."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from tevo.backbones.language import Completions
from tevo.backbones.qwen_vl.attention import Bucket, GroupLayout
from tevo.backbones.qwen_vl.chat import Prefix


@dataclass(frozen=True, slots=True)
class Packed:
    """One row of tokens and what is to be read off it."""

    ids: Int[Tensor, "token"]
    positions: Int[Tensor, "3 token"]
    layout: GroupLayout
    video_at: Int[Tensor, "cell"]  # places of the video tokens, prompt by prompt
    read_at: Int[Tensor, "scored"]  # places whose hidden state predicts a completion's token
    targets: Int[Tensor, "scored"]  # the tokens they should predict
    scored: Int[Tensor, "3 scored"]  # prompt, member and token of each: where its score belongs


def pack(prefixes: Sequence[Prefix], completions: Completions | None, kept: bool = False) -> Packed:
    """Lay prefixes, and the completions of each if given, side by side.

    The last token of a completion predicts nothing, so it is not read. Positions go on from the prompt's.

    Args:
        prefixes: the prompts.
        completions: of those prompts, in the same order.
        kept: keep every layer's keys and values in the layout.
    """
    starts = torch.tensor([0, *(len(p.ids) for p in prefixes)]).cumsum(0)
    ids, positions = [p.ids for p in prefixes], [p.positions for p in prefixes]
    tails: list[list[Tensor]] = [[] for _ in prefixes]  # places of each completion's tokens
    read, targets, scored = [], [], []
    at = int(starts[-1])
    if completions is not None:
        tokens, mask = completions.tokens.cpu(), completions.mask.cpu()
        for index, member in mask.any(-1).nonzero().tolist():
            told = tokens[index, member][mask[index, member]]
            place = torch.arange(at, at + len(told) - 1)
            at += len(place)
            tails[index].append(place)
            ids.append(told[:-1])
            following = prefixes[index].next_position + torch.arange(len(place))
            positions.append(following.expand(3, -1))
            read.append(torch.cat([starts[index + 1, None] - 1, place]))
            targets.append(told)
            where = mask[index, member].nonzero()[:, 0]
            scored.append(torch.stack([torch.full_like(where, index), torch.full_like(where, member), where]))
    none = torch.zeros(0, dtype=torch.long)
    videos = [start + p.is_video.nonzero()[:, 0] for start, p in zip(starts[:-1], prefixes, strict=True)]
    return Packed(
        torch.cat(ids),
        torch.cat(positions, dim=1),
        _layout(starts.tolist(), tails, at, kept),
        torch.cat(videos),
        torch.cat(read) if read else none,
        torch.cat(targets) if targets else none,
        torch.cat(scored, dim=1) if scored else none.expand(3, 0),
    )


def _layout(starts: list[int], tails: list[list[Tensor]], total: int, kept: bool) -> GroupLayout:
    """Buckets of equal prefixes and equal numbers of completions; where every token's output comes to lie."""
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, places in enumerate(tails):
        alike[starts[index + 1] - starts[index], len(places)].append(index)
    buckets, order, done = [], torch.empty(total, dtype=torch.long), 0
    for (_, members), groups in alike.items():
        prefix = torch.stack([torch.arange(starts[i], starts[i + 1]) for i in groups])
        order[prefix.flatten()] = done + torch.arange(prefix.numel())
        done += prefix.numel()
        longest = max((len(place) for i in groups for place in tails[i]), default=0)
        padded = prefix[:, None, -1:].expand(-1, members, longest).clone()
        for row, index in enumerate(groups):
            for member, place in enumerate(tails[index]):
                padded[row, member, : len(place)] = place
                order[place] = done + (row * members + member) * longest + torch.arange(len(place))
        done += padded.numel()
        buckets.append(Bucket(prefix, padded))
    return GroupLayout(tuple(buckets), order, {} if kept else None)


def to_device(packed: Packed, device: torch.device) -> Packed:
    """The same row on another device."""
    layout = packed.layout
    buckets = tuple(Bucket(b.prefix.to(device), b.tails.to(device)) for b in layout.buckets)
    rest = (packed.video_at, packed.read_at, packed.targets, packed.scored)
    return Packed(
        packed.ids.to(device),
        packed.positions.to(device),
        GroupLayout(buckets, layout.order.to(device), layout.kept),
        *(part.to(device) for part in rest),
    )
