"""Several groups in one row: prefixes and completions one after the other, without padding.

A packed row is a tree of two or three levels: what the prompts about one video begin with (where that is to be shared),
the rest of each prompt, and its completions. Every token sees what leads to it, and nothing beside.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from tevo.backbones.language import Completions, Watched
from tevo.backbones.qwen_vl.attention import Bucket, GroupLayout
from tevo.backbones.qwen_vl.chat import Prefix


@dataclass(frozen=True, slots=True)
class Packed:
    """One row of tokens and what is to be read off it."""

    ids: Int[Tensor, "token"]
    positions: Int[Tensor, "3 token"]
    layout: GroupLayout
    prompts: tuple[Tensor, ...]  # places of each prompt's tokens, in their order
    following: tuple[int, ...]  # position, on all axes, of the first token after each prompt
    videos: tuple[Watched, ...]  # that the row holds
    video_at: Int[Tensor, "cell"]  # places of their tokens, one video after the other
    read_at: Int[Tensor, "scored"]  # places whose hidden state predicts a completion's token
    targets: Int[Tensor, "scored"]  # the tokens they should predict
    scored: Int[Tensor, "3 scored"]  # prompt, member and token of each: where its score belongs


class _Row:
    """Tokens in the order in which they are added."""

    def __init__(self) -> None:
        self.ids: list[Tensor] = []
        self.positions: list[Tensor] = []
        self.length = 0

    def add(self, ids: Int[Tensor, "token"], positions: Int[Tensor, "3 token"]) -> Int[Tensor, "token"]:
        """Where they come to lie."""
        self.ids.append(ids)
        self.positions.append(positions)
        self.length += len(ids)
        return torch.arange(self.length - len(ids), self.length)


@dataclass(frozen=True, slots=True)
class _Branch:
    """What some tails begin with; ``known``: it is made of what another branch has made."""

    prefix: Int[Tensor, "token"]
    tails: list[Tensor]
    known: bool


def pack(
    prefixes: Sequence[Prefix], completions: Completions | None, kept: bool = False, shared: bool = False
) -> Packed:
    """Lay prefixes, and the completions of each if given, side by side.

    The last token of a completion predicts nothing, so it is not read. Positions go on from the prompt's.

    Args:
        prefixes: the prompts.
        completions: of those prompts, in the same order.
        kept: keep every layer's keys and values in the layout.
        shared: read what prompts about one video begin with once for all of them.
    """
    row, branches, videos = _Row(), list[_Branch](), list[Watched]()
    places: list[Tensor] = [torch.empty(0)] * len(prefixes)
    video_at, lone = [], set[int]()
    for members, length in stems_of(prefixes) if shared else [([i], len(p.ids)) for i, p in enumerate(prefixes)]:
        first = prefixes[members[0]]
        stem = row.add(first.ids[:length], first.positions[:, :length])
        if first.video is not None:
            videos.append(first.video)
            video_at.append(stem[first.is_video[:length]])
        rests = [row.add(prefixes[i].ids[length:], prefixes[i].positions[:, length:]) for i in members]
        for index, rest in zip(members, rests, strict=True):
            places[index] = torch.cat([stem, rest])
        if len(members) > 1:
            branches.append(_Branch(stem, rests, known=False))
        else:
            lone |= {*members}
    tails, read = _add_completions(row, prefixes, places, completions)
    branches += [
        _Branch(place, tail, known=index not in lone)
        for index, (place, tail) in enumerate(zip(places, tails, strict=True))
        if tail or index in lone
    ]
    return Packed(
        torch.cat(row.ids),
        torch.cat(row.positions, dim=1),
        _layout(branches, row.length, kept),
        tuple(places),
        tuple(prefix.next_position for prefix in prefixes),
        tuple(videos),
        torch.cat([torch.empty(0, dtype=torch.long), *video_at]),
        *read,
    )


def by_video(prefixes: Sequence[Prefix]) -> list[int]:
    """Numbers of the prompts with those about one video beside one another, the shortest videos first."""
    first: dict[int, int] = {}

    def key(index: int) -> tuple[int, int]:
        video = prefixes[index].video
        return (video.num_tokens if video else 0), first.setdefault(id(video), index)

    return sorted(range(len(prefixes)), key=key)


def stems_of(prefixes: Sequence[Prefix]) -> list[tuple[list[int], int]]:
    """Prompts about one video, by their numbers, and how many tokens they all begin with, the video's among them.

    Each has at least one token more: the one that says what comes after it. A prompt by itself is a stem as a whole.
    """
    about: dict[int, list[int]] = defaultdict(list)
    for index, prefix in enumerate(prefixes):
        about[id(prefix.video or prefix)].append(index)
    stems = []
    for members in about.values():
        shortest = min(len(prefixes[i].ids) for i in members)
        beginnings = torch.stack([prefixes[i].ids[: shortest - 1] for i in members])
        same = (beginnings == beginnings[0]).all(dim=0)
        length = int(same.long().cumprod(0).sum())
        seen = prefixes[members[0]].is_video
        if len(members) > 1 and length > int(seen.nonzero()[-1]):
            stems.append((members, length))
        else:
            stems += [([i], len(prefixes[i].ids)) for i in members]
    return stems


def _add_completions(
    row: _Row, prefixes: Sequence[Prefix], places: Sequence[Tensor], completions: Completions | None
) -> tuple[list[list[Tensor]], tuple[Tensor, Tensor, Tensor]]:
    """Places of each completion's tokens, by prompt; where its tokens are predicted, what they are, whose they are."""
    tails: list[list[Tensor]] = [[] for _ in prefixes]
    none = torch.zeros(0, dtype=torch.long)
    read, targets, scored = [none], [none], [none.expand(3, 0)]
    if completions is not None:
        tokens, mask = completions.tokens.cpu(), completions.mask.cpu()
        for index, member in mask.any(-1).nonzero().tolist():
            told = tokens[index, member][mask[index, member]]
            following = prefixes[index].next_position + torch.arange(len(told) - 1)
            place = row.add(told[:-1], following.expand(3, -1))
            tails[index].append(place)
            read.append(torch.cat([places[index][-1:], place]))
            targets.append(told)
            where = mask[index, member].nonzero()[:, 0]
            scored.append(torch.stack([torch.full_like(where, index), torch.full_like(where, member), where]))
    return tails, (torch.cat(read), torch.cat(targets), torch.cat(scored, dim=1))


def _layout(branches: Sequence[_Branch], total: int, kept: bool) -> GroupLayout:
    """Buckets of equal prefixes and equal numbers of tails; where every token's output comes to lie."""
    alike: dict[tuple[int, int, bool], list[_Branch]] = defaultdict(list)
    for branch in branches:
        alike[len(branch.prefix), len(branch.tails), branch.known].append(branch)
    buckets, order, done = [], torch.empty(total, dtype=torch.long), 0
    for (_, members, known), some in alike.items():
        prefix = torch.stack([branch.prefix for branch in some])
        if not known:
            order[prefix.flatten()] = done + torch.arange(prefix.numel())
            done += prefix.numel()
        longest = max((len(place) for branch in some for place in branch.tails), default=0)
        padded = prefix[:, None, -1:].expand(-1, members, longest).clone()
        for number, branch in enumerate(some):
            for member, place in enumerate(branch.tails):
                padded[number, member, : len(place)] = place
                order[place] = done + (number * members + member) * longest + torch.arange(len(place))
        done += padded.numel()
        buckets.append(Bucket(prefix, padded, known))
    return GroupLayout(tuple(buckets), order, {} if kept else None)


def to_device(packed: Packed, device: torch.device) -> Packed:
    """The same row on another device; the videos' features follow when they are read."""
    layout = packed.layout
    buckets = tuple(Bucket(b.prefix.to(device), b.tails.to(device), b.known) for b in layout.buckets)
    return Packed(
        packed.ids.to(device),
        packed.positions.to(device),
        GroupLayout(buckets, layout.order.to(device), layout.kept),
        tuple(part.to(device) for part in packed.prompts),
        packed.following,
        packed.videos,
        *(part.to(device) for part in (packed.video_at, packed.read_at, packed.targets, packed.scored)),
    )
