"""Which clauses happen where: the split of the vocabulary that keeps ``ood/`` out of ``clips/`` and ``train/``."""

from functools import cache
from hashlib import sha256
from typing import Literal

from tevo.prompts.phrases import FAMILY_OF, world_phrases

Share = Literal["clips", "seen", "ood"]
SEEN_COLOURS, OOD_COLOURS = 3, 1  # colours an action takes in each share, of 8


@cache
def allowed(share: Share) -> frozenset[str]:
    """The clauses that may happen in a share of the world.

    ``seen`` (train, test) and ``ood`` are disjoint; together they are at most half of the bank. ``clips``, the stand-in
    for web pretraining, knows more than any one collection of videos: everything but ``ood``. What ``ood`` keeps back
    are pairs of a colour and an action: every colour and every action alone occurs in the other shares too. The split
    is a hash, not a random draw, so that it is the same in every run and release.
    """
    if share == "clips":
        return frozenset(world_phrases()) - allowed("ood")
    picked: list[str] = []
    for action in FAMILY_OF:
        clauses = [phrase for phrase in world_phrases() if phrase.endswith(f" {action}")]
        clauses.sort(key=lambda phrase: sha256(phrase.encode()).hexdigest())
        paired = FAMILY_OF[action] == "interaction"  # takes two clauses at once: more of each, or it never happens
        num_ood, num_seen = OOD_COLOURS + paired, SEEN_COLOURS + paired - action.startswith("turns")
        if share == "seen":
            picked += clauses[num_ood : num_ood + num_seen]
        else:
            picked += clauses[:num_ood]
    return frozenset(picked)


def family_of(phrase: str) -> str:
    """The event family of a clause of the world."""
    return FAMILY_OF[phrase.split(" ", 3)[3]]
