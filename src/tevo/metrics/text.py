"""Answers that are no option letters: numbers, transcriptions, sentences and formulas, 0 (wrong) to 1 (right)."""

import re
from collections import Counter
from collections.abc import Sequence

from tevo.metrics.arithmetic import constant
from tevo.metrics.stemmer import stem

MRA_THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
"""theta of the mean relative accuracy: .5, .55, ... .95."""


def number(text: str) -> float | None:
    """A number written with or without thousands separators; None for anything else ("42 apples")."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def mean_relative_accuracy(pred: float, true: float) -> float:
    """Share of thresholds that the relative error stays below (VSI-Bench, OneThinker's ``regression``).

    ``MRA = 1/10 sum_theta 1[|pred - true| / |true| < 1 - theta]``, theta in :data:`MRA_THRESHOLDS`;
    0 for a true value of 0.
    """
    if abs(true) < 1e-12:
        return 0.0
    error = abs(pred - true) / abs(true)
    return sum(error < 1 - theta for theta in MRA_THRESHOLDS) / len(MRA_THRESHOLDS)


def same_number(pred: float, true: float) -> bool:
    """Equal when both are rounded to two decimals (OneThinker's ``numerical``)."""
    return round(pred, 2) == round(true, 2)


def word_error_rate(true: str, pred: str) -> float:
    """Edits (insert, delete, replace a word) that make the one the other, per word of the truth; not bounded by 1."""
    ours, theirs = pred.split(), true.split()
    row = list(range(len(ours) + 1))
    for first, word in enumerate(theirs, start=1):
        diagonal, row[0] = row[0], first
        for second, other in enumerate(ours, start=1):
            diagonal, row[second] = row[second], min(row[second] + 1, row[second - 1] + 1, diagonal + (word != other))
    return row[-1] / max(1, len(theirs))


def rouge_mean(true: str, pred: str) -> float:
    """Mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L over stemmed words (OneThinker's ``open-ended``)."""
    ours, theirs = _words(pred), _words(true)
    shared = [_overlap(ours, theirs, size) for size in (1, 2)] + [_longest_common(theirs, ours)]
    sizes = [(max(0, len(ours) - less), max(0, len(theirs) - less)) for less in (0, 1, 0)]
    return sum(_f1(count, *size) for count, size in zip(shared, sizes, strict=True)) / 3


def _words(text: str) -> list[str]:
    """Letters and digits of the lower-cased text, words of more than three letters stemmed."""
    return [stem(word) if len(word) > 3 else word for word in re.findall(r"[a-z0-9]+", text.lower())]


def _overlap(ours: Sequence[str], theirs: Sequence[str], size: int) -> int:
    grams = [Counter(zip(*(words[start:] for start in range(size)), strict=False)) for words in (ours, theirs)]
    return (grams[0] & grams[1]).total()


def _longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for index, other in enumerate(second, start=1):
            diagonal, row[index] = row[index], diagonal + 1 if word == other else max(row[index], row[index - 1])
    return row[-1]


def _f1(shared: int, ours: int, theirs: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / ours, shared / theirs
    return 2 * precision * recall / (precision + recall)


def same_formula(pred: str, true: str) -> bool:
    """Whether two mathematical answers have one value: numbers, fractions, roots, powers, per cent; plain or LaTeX.

    The published scorer asks ``math_verify``. Symbols are not solved here: answers that hold any are compared as
    texts, LaTeX against LaTeX only; plain text that has no value equals nothing, as there.
    """
    ours, theirs = constant(pred), constant(true)
    if ours is not None and theirs is not None:
        return abs(ours - theirs) <= 1e-6 * max(1.0, abs(theirs))
    if "$" not in pred + true and "\\boxed" not in pred + true:
        return False
    return _bare(pred) == _bare(true) != ""


def _bare(text: str) -> str:
    boxed = re.search(r"\\boxed\{(.*)\}", text)
    return re.sub(r"\s|\$|\\left|\\right|\\[,;! ]", "", boxed.group(1) if boxed else text)
