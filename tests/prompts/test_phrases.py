"""Phrase banks: the world's own, and a user's file."""

import pytest

from tevo.errors import TevoError
from tevo.prompts.grammar import Ask, parse, render
from tevo.prompts.phrases import (
    COLOURS,
    COUNTS,
    DURATIONS,
    FAMILY_OF,
    GENERAL,
    KNOCKED,
    causes_of,
    clause,
    load_phrases,
    world_phrases,
)


def test_the_bank_of_the_world_says_every_thing_once():
    bank = world_phrases()
    assert load_phrases("world") == bank
    assert len(set(bank)) == len(bank)
    assert all(phrase.split(" ", 3)[3] in FAMILY_OF for phrase in bank)
    assert {phrase.split(" ", 3)[1] for phrase in bank} == set(COLOURS)
    assert "the red shape turns blue" in bank
    assert "the red shape turns red" not in bank  # nobody could see it
    assert clause("white", KNOCKED) in bank
    assert not set(COUNTS) & set(DURATIONS)


def test_the_general_bank_is_large_distinct_and_says_its_licence():
    bank = load_phrases("general")
    assert len(bank) >= 1000
    assert len({phrase.lower() for phrase in bank}) == len(bank)
    assert all(phrase == " ".join(phrase.split()) and 2 <= len(phrase.split()) <= 10 for phrase in bank)
    assert all(phrase[-1].isalpha() for phrase in bank)  # a clause, not a sentence: it goes into questions
    lines = GENERAL.read_text().splitlines()
    assert sum(bool(line) and not line.startswith("#") for line in lines) == len(bank)  # nothing is there twice
    assert "Apache-2.0" in lines[1]


def test_a_clause_of_the_general_bank_survives_a_question():
    for phrase in load_phrases("general"):
        assert parse(render(Ask("when", phrase))) == Ask("when", phrase)


def test_a_file_replaces_the_bank(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(
        "# kitchen\na man cuts bread\n\n  a woman pours tea  # often\na dog barks\na man cuts bread\na cat jumps\n"
    )
    assert load_phrases(str(path)) == ("a man cuts bread", "a woman pours tea", "a dog barks", "a cat jumps")


def test_too_few_clauses_are_refused(tmp_path):
    path = tmp_path / "few.txt"
    path.write_text("a dog barks\na dog barks\n# a cat jumps\na cow moos\n")
    with pytest.raises(TevoError, match=r"few\.txt holds 2 distinct clauses.*at least 4"):
        load_phrases(str(path))


@pytest.mark.parametrize("source", ["kitchen", "."])
def test_an_unknown_bank_is_named(source):
    with pytest.raises(TevoError, match=r"no phrase bank .*'world', 'general' or a text file"):
        load_phrases(source)


def test_a_bank_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "bank.bin"
    path.write_bytes(b"\xff\xfe\x00\x81" * 9)
    with pytest.raises(TevoError, match=r"bank\.bin is not UTF-8 text"):
        load_phrases(str(path))


def test_causes_are_of_another_thing_and_of_the_right_action():
    bank = world_phrases()
    causes = causes_of("the red shape is knocked away", bank)
    assert len(causes) == len(COLOURS) - 1
    assert all(text.endswith("hits another shape") and not text.startswith("the red") for text in causes)
    assert causes_of("the red shape grows", bank) == []
