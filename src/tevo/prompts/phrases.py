"""Phrase banks: the events that a Questioner without a language model can name.

A bank is a list of clauses in the third person ("the red shape grows"), one a line in a file. ``general.txt``, for real
footage, lies beside this module. The bank of the procedural world is spelled out here; at most half of it ever happens
in train/, test/ and ood/.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from tevo.errors import TevoError

GENERAL = Path(__file__).with_name("general.txt")  # for real footage
COLOURS = ("red", "green", "blue", "yellow", "purple", "white", "orange", "cyan")
HITS = "hits another shape"
KNOCKED = "is knocked away"
FAMILIES = {
    "appearance": ("appears", "disappears"),
    "size": ("grows", "shrinks"),
    "colour": tuple(f"turns {colour}" for colour in COLOURS),
    "motion": ("moves left", "moves right", "moves up", "moves down"),
    "rotation": ("spins",),
    "blinking": ("blinks",),
    "interaction": (HITS, KNOCKED),
}
FAMILY_OF = {action: family for family, actions in FAMILIES.items() for action in actions}
CAUSES = {KNOCKED: HITS}  # what an action comes from: *why* is asked of these alone
COUNTS = ("once", "twice", "three times", "four times")
DURATIONS_S = (2, 3, 4, 5)
DURATIONS = tuple(f"about {n} seconds" for n in DURATIONS_S)


def clause(colour: str, action: str) -> str:
    """The clause that names an event: ``the red shape grows``."""
    return f"the {colour} shape {action}"


def world_phrases() -> tuple[str, ...]:
    """Every clause of the procedural world's vocabulary, whether it ever happens or not."""
    return tuple(
        clause(colour, action) for colour, action in product(COLOURS, FAMILY_OF) if action != f"turns {colour}"
    )


def causes_of(effect: str, bank: Sequence[str]) -> list[str]:
    """Clauses of the bank that could explain another one: by the vocabulary's causal pairs, and of another thing."""
    for action, cause in CAUSES.items():
        if effect.endswith(f" {action}"):
            thing = effect.removesuffix(action)
            return [text for text in bank if text.endswith(f" {cause}") and not text.startswith(thing)]
    return []


def load_phrases(source: str) -> tuple[str, ...]:
    """A bank by name (``world``, ``general``) or from a text file, one clause a line, ``#`` begins a comment.

    Raises:
        TevoError: when the file is missing, is no text, or holds fewer than four distinct clauses (a multiple choice
            needs four).
    """
    if source == "world":
        return world_phrases()
    path = GENERAL if source == "general" else Path(source)
    if not path.is_file():
        raise TevoError(
            f"no phrase bank {source!r} and no such file; give 'world', 'general' or a text file, one clause a line"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TevoError(f"{path} is not UTF-8 text ({error.reason}); a phrase bank has one clause a line") from error
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    phrases = tuple(dict.fromkeys(line for line in lines if line))
    if len(phrases) < 4:
        raise TevoError(f"{path} holds {len(phrases)} distinct clauses; a multiple-choice question needs at least 4")
    return phrases
