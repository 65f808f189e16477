"""The split of the vocabulary."""

import pytest

from tevo.data.world.vocabulary import allowed, family_of
from tevo.prompts.phrases import COLOURS, FAMILIES, FAMILY_OF, world_phrases


def test_shares_are_apart_and_leave_half_of_the_bank_to_the_clips():
    seen, ood, bank = allowed("seen"), allowed("ood"), frozenset(world_phrases())
    assert not seen & ood
    assert seen | ood < bank
    assert len(seen | ood) <= len(bank) / 2


def test_the_clips_never_show_what_is_kept_for_ood():
    assert not allowed("clips") & allowed("ood")
    assert allowed("clips") | allowed("ood") == frozenset(world_phrases())
    assert allowed("seen") < allowed("clips")


@pytest.mark.parametrize("share", ["clips", "seen", "ood"])
def test_every_action_and_every_colour_occurs_in_every_share(share):
    assert {phrase.split(" ", 3)[3] for phrase in allowed(share)} == set(FAMILY_OF)
    assert {phrase.split(" ", 3)[1] for phrase in allowed(share)} == set(COLOURS)


def test_families_are_those_of_the_actions():
    assert family_of("the red shape turns blue") == "colour"
    assert family_of("the white shape is knocked away") == "interaction"
    assert {family_of(phrase) for phrase in world_phrases()} == set(FAMILIES)
