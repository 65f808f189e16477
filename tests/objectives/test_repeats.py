import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.objectives.repeats import bleu, same_text
from tevo.objectives.rewards import repetition

texts = st.lists(st.sampled_from("when does the red shape grow spin".split()), min_size=1, max_size=9).map(" ".join)


@given(texts)
@settings(deadline=None)
def test_a_text_is_itself(text):
    assert bleu(text, text) == pytest.approx(1.0)


@given(texts, texts)
@settings(deadline=None)
def test_it_is_a_share(one, other):
    assert 0.0 <= bleu(one, other) <= 1.0 + 1e-9


def test_counted_by_hand():
    # 1-grams 3/4, 2-grams (2 + 1) / (3 + 1), 3-grams (1 + 1) / (2 + 1), 4-grams (0 + 1) / (1 + 1), no penalty
    expected = math.exp(sum(map(math.log, (3 / 4, 3 / 4, 2 / 3, 1 / 2))) / 4)
    assert bleu("the red shape grows", "the red shape spins") == pytest.approx(expected)


def test_a_short_text_pays_for_being_short():
    # all its n-grams are there, and it is half as long: exp(1 - 2)
    assert bleu("a b", "a b c d") == pytest.approx(math.exp(-1))


def test_nothing_shared_is_nothing():
    assert bleu("a b c", "d e f") == 0.0 and bleu("", "a") == 0.0


def test_questions_that_differ_in_a_word_repeat_each_other():
    row = ["When does the red shape grow?", "When does the red shape spin?", "How many dogs are there?", "", ""]
    same = same_text([row])
    assert same[0, 0].tolist() == [True, True, False, False, False]
    assert repetition(same)[0].tolist() == pytest.approx([0.4, 0.4, 0.2, 0.2, 0.2])
