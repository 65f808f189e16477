"""Which written questions say the same: BLEU between texts (R-Zero 2508.05004, EvoVid 2605.21931)."""

import math
from collections import Counter
from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

_MOST = 4  # longest n-grams compared, as in BLEU-4


def bleu(candidate: str, reference: str) -> float:
    """Sentence BLEU of one text against one other, 0..1 (Papineni et al. 2002).

    ``BP * exp(mean_n log p_n)``, p_n = clipped n-gram precision, n up to 4 (or the shorter text's length), BP the
    brevity penalty. Precisions of n > 1 are smoothed by adding one to both counts (Lin and Och 2004), so that a text
    which shares no long n-gram does not score exactly 0.
    """
    said, wanted = candidate.lower().split(), reference.lower().split()
    if not said or not wanted:
        return float(said == wanted)
    logs = []
    for n in range(1, min(_MOST, len(said), len(wanted)) + 1):
        ours, theirs = _grams(said, n), _grams(wanted, n)
        shared, extra = sum((ours & theirs).values()), int(n > 1)
        if shared + extra == 0:
            return 0.0
        logs.append(math.log((shared + extra) / (sum(ours.values()) + extra)))
    brevity = min(0.0, 1 - len(wanted) / len(said))
    return math.exp(brevity + sum(logs) / len(logs))


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def same_text(texts: Sequence[Sequence[str]], max_distance: float = 0.5) -> Bool[Tensor, "prompt group group"]:
    """Which questions of a group repeat each other: BLEU distance below ``max_distance`` (RZ, EV).

    The distance ``1 - BLEU`` is made symmetric by the mean of both directions (assumed). A text that is empty, a
    question that did not parse, repeats nothing but itself.

    Args:
        texts: G questions of each prompt.
        max_distance: questions nearer than this repeat each other.
    """
    size = len(texts[0]) if texts else 0
    same = torch.zeros(len(texts), size, size, dtype=torch.bool)
    for index, row in enumerate(texts):
        for i, one in enumerate(row):
            for j, other in enumerate(row):
                near = bool(one and other) and 1 - (bleu(one, other) + bleu(other, one)) / 2 < max_distance
                same[index, i, j] = i == j or near
    return same
