"""A packed row holds every token once and shows each exactly what leads to it, however much is shared."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.backbones.language import Completions, Watched
from tevo.backbones.qwen_vl.chat import Prefix
from tevo.backbones.qwen_vl.packing import by_video, pack, stems_of

CELLS = 3  # of a video, at the places 1 to 3 of a prompt
RESTS = st.lists(st.integers(20, 22), min_size=1, max_size=4)


def a_video():
    span = torch.tensor([[0.0, 1.0]])
    return Watched(torch.zeros(1, 1, CELLS, 2), None, (1, CELLS), span, span, 0.0)


def a_prefix(video, rest):
    """``7, the video, 8`` and what follows; without a video only what follows."""
    ids = torch.tensor(([7] + [9] * CELLS + [8] if video else []) + rest)
    return Prefix(ids, ids == 9, torch.arange(len(ids)).expand(3, -1), len(ids), video)


def given_completions(rows):
    """Token numbers from 30 on; padded."""
    group, width = max(map(len, rows)), max((number for row in rows for number in row), default=0)
    tokens = torch.zeros(len(rows), group, width, dtype=torch.long)
    for i, row in enumerate(rows):
        for j, number in enumerate(row):
            tokens[i, j, :number] = 30 + torch.arange(number)
    zeros = torch.zeros(tokens.shape)
    return Completions(tokens, tokens > 0, zeros, zeros.long(), (), (tokens > 0).any(-1))


def seen_by(packed):
    """For every place of the row, the ids of what it sees, itself last; each is told once."""
    ids, told = packed.ids.tolist(), {}
    outputs = []
    for bucket in packed.layout.buckets:
        prefixes = bucket.prefix.tolist()
        if not bucket.known:
            outputs += [[ids[p] for p in row[: n + 1]] for row in prefixes for n in range(len(row))]
        for row, members in zip(prefixes, bucket.tails.tolist(), strict=True):
            outputs += [[ids[p] for p in row + tail[: n + 1]] for tail in members for n in range(len(tail))]
    for place, output in enumerate(packed.layout.order.tolist()):
        told[place] = outputs[output]
    assert len({*packed.layout.order.tolist()}) == len(ids) == len(told)
    return told


ASKED = st.lists(st.tuples(st.integers(0, 2), RESTS, st.lists(st.integers(0, 3), max_size=3)), min_size=1, max_size=7)


@given(ASKED, st.booleans())
@settings(deadline=None)
def test_every_token_sees_what_leads_to_it(asked, shared):
    videos = [None, a_video(), a_video()]
    prefixes = [a_prefix(videos[video], rest) for video, rest, _ in asked]
    completions = given_completions([row for _, _, row in asked])
    packed = pack(prefixes, completions, shared=shared)
    told = seen_by(packed)
    for prefix, places in zip(prefixes, packed.prompts, strict=True):
        ids = prefix.ids.tolist()
        assert [told[place] for place in places.tolist()] == [ids[: n + 1] for n in range(len(ids))]
    assert packed.targets.tolist() == completions.tokens[completions.mask].tolist()
    for place, (prompt, _, token) in zip(packed.read_at.tolist(), packed.scored.T.tolist(), strict=True):
        assert told[place] == prefixes[prompt].ids.tolist() + list(range(30, 30 + token))
    assert packed.ids[packed.video_at].tolist() == [9] * CELLS * len(packed.videos)
    if shared:
        in_use = {id(prefix.video) for prefix in prefixes if prefix.video}
        assert len(packed.videos) == len(in_use)


@given(ASKED)
@settings(deadline=None)
def test_a_stem_is_as_long_as_it_can_be(asked):
    videos = [None, a_video(), a_video()]
    prefixes = [a_prefix(videos[video], rest) for video, rest, _ in asked]
    stems = stems_of(prefixes)
    assert sorted(index for members, _ in stems for index in members) == list(range(len(prefixes)))
    for members, length in stems:
        some = [prefixes[index].ids.tolist() for index in members]
        if len(members) == 1:
            assert length == len(some[0])
            continue
        assert len({tuple(ids[:length]) for ids in some}) == 1 and length < min(map(len, some))
        longer = min(map(len, some)) > length + 1
        assert not longer or len({ids[length] for ids in some}) > 1
    order = by_video(prefixes)
    runs = [key for n, key in enumerate(order) if not n or prefixes[key].video is not prefixes[order[n - 1]].video]
    assert sorted(order) == list(range(len(prefixes)))
    assert len(runs) == len({id(prefix.video) for prefix in prefixes})
