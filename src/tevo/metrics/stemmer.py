"""Porter's stemmer (Porter 1980) with the amendments of NLTK, which ROUGE scores are computed with.

Amendments: irregular words, "flies" -> "fli" but "dies" -> "die", "happy" -> "happi" but "enjoy" stays, endings
"fulli" and "logi", "bli" for "abli".
"""

from collections.abc import Sequence
from itertools import pairwise

_IRREGULAR = {
    **{word: word for word in ("sky", "news", "inning", "outing", "canning", "howe", "proceed", "exceed", "succeed")},
    **{f"{word}s": word for word in ("inning", "outing", "canning")},
    **{"skies": "sky", "dying": "die", "lying": "lie", "tying": "tie"},
}
_STEP_2 = (
    *(("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble")),
    *(("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate")),
    *(("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous")),
    *(("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful")),
)
_STEP_3 = (
    *(("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")),
)
_STEP_4 = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate"),
    *("iti", "ous", "ive", "ize"),
)


def stem(word: str) -> str:
    """The stem of a lower-case word; words of one or two letters stay."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    for step in (_plural, _past, _final_y, _suffix, _suffix_3, _residue, _final_e):
        word = step(word)
    return word


def _consonant(word: str, index: int) -> bool:
    if word[index] in "aeiou":
        return False
    return word[index] != "y" or index == 0 or not _consonant(word, index - 1)


def _measure(stump: str) -> int:
    """How many times a vowel run is followed by a consonant run: m of [C](VC)^m[V]."""
    kinds = [_consonant(stump, index) for index in range(len(stump))]
    return sum(not before and after for before, after in pairwise(kinds))


def _vowel(stump: str) -> bool:
    return any(not _consonant(stump, index) for index in range(len(stump)))


def _double(word: str) -> bool:
    return len(word) >= 2 and word[-1] == word[-2] and _consonant(word, len(word) - 1)


def _short(word: str) -> bool:
    """Ends consonant-vowel-consonant, the last not w, x or y; or, with two letters, vowel-consonant."""
    if len(word) == 2:
        return not _consonant(word, 0) and _consonant(word, 1)
    ends = [_consonant(word, index) for index in range(len(word))][-3:]
    return ends == [True, False, True] and word[-1] not in "wxy"


def _plural(word: str) -> str:
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]
    for ending, instead in (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")):
        if word.endswith(ending):
            return word[: -len(ending)] + instead
    return word


def _past(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    ending = next((ending for ending in ("ed", "ing") if word.endswith(ending)), "")
    stump = word[: len(word) - len(ending)]
    if not ending or not _vowel(stump):
        return word
    if stump.endswith(("at", "bl", "iz")):
        return stump + "e"
    if _double(stump):
        return stump if stump[-1] in "lsz" else stump[:-1]
    return stump + "e" if _measure(stump) == 1 and _short(stump) else stump


def _final_y(word: str) -> str:
    stump = word[:-1]
    return stump + "i" if word.endswith("y") and len(stump) > 1 and _consonant(word, len(stump) - 1) else word


def _suffix(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _suffix(word[:-2])
    if word.endswith("logi"):  # measured with the l of "log"
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _replace(word, _STEP_2)


def _suffix_3(word: str) -> str:
    return _replace(word, _STEP_3)


def _replace(word: str, rules: Sequence[tuple[str, str]]) -> str:
    """The first ending that is there decides, whether its stump is long enough or not."""
    for ending, instead in rules:
        if word.endswith(ending):
            stump = word[: -len(ending)]
            return stump + instead if _measure(stump) > 0 else word
    return word


def _residue(word: str) -> str:
    for ending in _STEP_4:
        if word.endswith(ending):
            stump = word[: -len(ending)]
            allowed = ending != "ion" or stump.endswith(("s", "t"))
            return stump if _measure(stump) > 1 and allowed else word
    return word


def _final_e(word: str) -> str:
    if word.endswith("e"):
        stump = word[:-1]
        if _measure(stump) > 1 or (_measure(stump) == 1 and not _short(stump)):
            word = stump
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
