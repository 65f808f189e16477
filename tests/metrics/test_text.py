"""Typed answers; figures that published scorers gave are in the onethinker vector."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.metrics.stemmer import stem
from tevo.metrics.text import mean_relative_accuracy, number, rouge_mean, same_formula, same_number, word_error_rate

LAW = settings(deadline=None, derandomize=True, max_examples=100)
words = st.lists(st.sampled_from("the cat sat on a mat running flies".split()), max_size=8).map(" ".join)


@LAW
@given(words, words)
def test_text_scores_are_perfect_for_the_truth_alone(true, pred):
    assert word_error_rate(true, true) == 0
    assert 0 <= rouge_mean(true, pred) <= 1
    assert rouge_mean(true, pred) == pytest.approx(rouge_mean(pred, true))


def test_rouge_looks_at_stems_pairs_and_order():
    assert rouge_mean("walking homes", "walked home") == 1
    assert rouge_mean("the cat sat", "the cat sat") == 1
    assert rouge_mean("the cat sat", "sat cat the") == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert rouge_mean("The CAT, sat!", "the cat sat") == 1


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        *(("caresses", "caress"), ("ponies", "poni"), ("dies", "die"), ("skies", "sky"), ("agreed", "agre")),
        *(("plastered", "plaster"), ("hopping", "hop"), ("falling", "fall"), ("filing", "file"), ("happy", "happi")),
        *(("enjoy", "enjoy"), ("relational", "relat"), ("hopefulness", "hope"), ("radically", "radic")),
        *(("geologi", "geolog"), ("triplicate", "triplic"), ("adoption", "adopt"), ("controll", "control")),
        *(("news", "news"), ("innings", "inning"), ("as", "as")),
    ],
)
def test_stems_are_porters(word, stemmed):
    assert stem(word) == stemmed


def test_word_errors_are_edits_per_word_of_the_truth():
    assert word_error_rate("hello there world", "hello world") == pytest.approx(1 / 3)
    assert word_error_rate("x", "a b c") == 3
    assert word_error_rate("", "") == 0


@pytest.mark.parametrize(
    ("pred", "true", "score"),
    [(10.0, 10.0, 1.0), (11.0, 10.0, 0.8), (15.0, 10.0, 0.0), (1.0, 0.0, 0.0), (-10.0, -10.0, 1.0)],
)
def test_mean_relative_accuracy(pred, true, score):
    assert mean_relative_accuracy(pred, true) == score


def test_numbers_are_read_and_rounded():
    assert number("1,000") == 1000
    assert number("42 apples") is None
    assert same_number(3.141, 3.14)
    assert not same_number(3.15, 3.14)


@pytest.mark.parametrize(
    ("pred", "true"),
    [
        *(("1/2", "0.5"), ("$\\frac{1}{2}$", "0.5"), ("$-\\dfrac{3}{2}$", "-1.5"), ("2^{10}", "1024")),
        *(("$2\\sqrt{2}$", "$\\sqrt{8}$"), ("x = 3", "3"), ("\\boxed{4}", "4"), ("50%", "0.5"), ("1,000", "1000")),
        *(("$90^\\circ$", "90"), ("$\\pi$", "3.14159265"), ("$\\sqrt[3]{8}$", "2"), ("$x^2 + y$", "$x^2+y$")),
    ],
)
def test_constants_are_equal_by_value(pred, true):
    assert same_formula(pred, true)


@pytest.mark.parametrize(
    ("pred", "true"),
    [
        *(("x+1", "1+x"), ("x", "x"), ("", ""), ("3", "4"), ("1/0", "1/0"), ("__import__('os')", "0")),
        *(("9^9^9^9^9", "9"), ("3 4", "34"), ("(", "("), ("$\\sqrt{-1}$", "1"), ("$x$", "$y$")),
    ],
)
def test_what_has_no_value_equals_nothing(pred, true):
    assert not same_formula(pred, true)
