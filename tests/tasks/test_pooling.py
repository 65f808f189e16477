"""The verdict on each question, with the reason, and what a round says of itself without labels."""

import math
from collections import Counter

import pytest
import torch

from tevo.objectives.consensus import PoolRule, pseudo_labels
from tevo.structures import Question, Span, Verdict
from tevo.tasks.examination import Examination
from tevo.tasks.pooling import TOO_COMMON, SignalTally, balance_answers, judge_pool, own_share, pool_signals

FOUR = ("a", "b", "c", "d")
WINDOW = Span(8.0, 16.0)
HERE, NEAR, FAR, WHOLE = (10.0, 14.0), (10.5, 14.0), (20.0, 24.0), (0.0, 31.0)


def question(window=WINDOW, options=FOUR, answer="b", number=0):
    text, kind = ("What happens first?", "first") if options else ("When does this happen: a?", "when")
    return Question(str(number), "0.mp4", text, kind, options, answer, (Span(10.0, 14.0),), window, 2)


def examination(votes, spans, options=4, nan=False):
    """What ten voters gave: one row a question."""
    answers, places = torch.tensor(votes), torch.tensor(spans)[:, :, None]
    mask = torch.ones(places.shape[:3], dtype=torch.bool)
    number = len(votes)
    consensus = pseudo_labels(
        answers, torch.full((number,), options), places, mask, torch.full((number,), options == 0)
    )
    score = torch.linspace(0.5, 0.9, number) if number > 1 else torch.tensor([0.5])
    dear = torch.full((number,), math.nan if nan else 0.2)
    return Examination(consensus, answers, places, mask, score, score - 0.25, dear, dear, score, score - 0.4)


def verdict(votes, spans, asked, scene, witness="solver", rule=None, nan=False):
    seen = examination([votes], [spans], len(asked.options), nan)
    rows = torch.zeros(1, dtype=torch.long)
    (made,) = judge_pool(seen, [asked], rows, scene([]), rule or PoolRule(), witness, 3)
    return made


SIX = [1] * 6 + [0] * 4


@pytest.mark.parametrize(
    ("votes", "spans", "window", "reason"),
    [
        (SIX, [HERE] * 10, WINDOW, ""),
        ([1] * 8 + [0, 2], [HERE] * 10, WINDOW, ""),  # both bars of the band belong to it
        ([1] * 3 + [0, 0, 2, 2, 3, 3, -1], [HERE] * 10, WINDOW, ""),
        ([1] * 5 + [0] * 5, [HERE] * 10, WINDOW, "tie"),
        ([-1] * 6 + [1] * 4, [HERE] * 10, WINDOW, "no answer"),
        ([1] * 9 + [0], [HERE] * 10, WINDOW, "too easy"),
        (SIX, [HERE, FAR] * 5, WINDOW, ""),  # three of six point here: agreement of their spans is 0.4
        ([1] * 4 + [0] * 3 + [2] * 3, [HERE, FAR, (0.0, 3.0), (27.0, 30.0)] + [HERE] * 6, WINDOW, "spans disagree"),
        (SIX, [WHOLE] * 10, WINDOW, "whole video"),
        (SIX, [FAR] * 10, WINDOW, "outside the window"),
        (SIX, [HERE] * 10, None, ""),
        (SIX, [FAR] * 10, None, "evidence mismatch"),
        (SIX, [HERE] * 6 + [FAR] * 4, WINDOW, ""),  # only those who agree are asked where
    ],
)
def test_every_drop_has_its_reason(votes, spans, window, reason, scene):
    made = verdict(votes, spans, question(window), scene)
    assert (made.kept, made.reason) == (not reason, reason)
    assert made.round == 3


def test_too_hard_is_a_lower_bar_than_a_tie(scene):
    made = verdict([1, 1, 0, 2, 3, -1, -1, 0, 2, 1], [HERE] * 10, question(), scene, rule=PoolRule(agreement_low=0.4))
    assert made.reason == "too hard" and made.agreement == pytest.approx(0.3)


def test_what_is_kept_is_what_will_be_learnt(scene):
    in_window = verdict(SIX, [NEAR] * 10, question(), scene)
    assert in_window.pseudo_answer == "b" and in_window.pseudo_evidence == (Span(10.0, 14.0),)  # the asker's own span
    whole = verdict(SIX, [NEAR] * 6 + [HERE] * 4, question(None), scene)
    assert whole.pseudo_evidence == (Span(10.5, 14.0),)  # the voters' medoid
    assert in_window.votes == {"b": 6, "a": 4} and in_window.agreement == pytest.approx(0.6)
    when = verdict([-1] * 10, [HERE] * 7 + [FAR] * 3, question(options=(), answer=""), scene)
    assert when.kept and when.pseudo_answer == "" and when.votes == {"agree": 7, "elsewhere": 3}
    assert when.agreement == pytest.approx(0.7)


def test_signals_that_were_not_measured_are_absent(scene):
    measured, not_measured = (verdict(SIX, [HERE] * 10, question(), scene, nan=nan) for nan in (False, True))
    assert measured.signals["necessity"] == pytest.approx(0.3)
    assert measured.signals["dependency"] == pytest.approx(0.25)
    assert measured.signals["specificity"] == pytest.approx(0.4)
    assert measured.signals.keys() - not_measured.signals.keys() == {"necessity", "order"}


# --- who vouches for the label ---


@pytest.mark.parametrize(
    ("witness", "answer", "reason", "label"),
    [
        ("solver", "a", "", "b"),
        ("both", "a", "answers differ", "b"),
        ("both", "b", "", "b"),
        ("questioner", "a", "", "a"),  # four of ten give it
        ("questioner", "c", "too hard", "c"),  # none does
    ],
)
def test_witnesses_that_differ(witness, answer, reason, label, scene):
    made = verdict(SIX, [HERE] * 10, question(answer=answer), scene, witness)
    assert (made.reason, made.pseudo_answer) == (reason, label)


def test_the_questioners_word_counts_though_the_votes_are_tied_or_elsewhere(scene):
    assert verdict([1] * 5 + [0] * 5, [FAR] * 10, question(), scene, "questioner").kept
    assert verdict([1] * 9 + [0], [HERE] * 10, question(), scene, "questioner").reason == "too easy"
    full = verdict(SIX, [FAR] * 10, question(None), scene, "questioner")
    assert full.reason == "evidence mismatch"  # without a window it has no word of its own


def test_the_share_of_votes_for_the_questioners_own_answer():
    asked = [question(), question(answer="d"), question(answer="never offered")]
    share = own_share(examination([SIX] * 3, [[HERE] * 10] * 3), asked)
    torch.testing.assert_close(share, torch.tensor([0.6, 0.0, 0.0]))
    when = question(options=(), answer="")
    share = own_share(examination([[-1] * 10], [[HERE] * 3 + [FAR] * 7], 0), [when])
    torch.testing.assert_close(share, torch.tensor([0.3]))


# --- a round, without labels ---


def test_a_tally_of_two_batches(scene):
    tally = SignalTally(faults=Counter({"cut off": 2}))
    videos = scene([])
    votes, places = [SIX, [1] * 10], [[HERE] * 10] * 2
    for _ in range(2):
        tally.add(
            examination(votes, places), [question(), question(number=1)], torch.zeros(2, dtype=torch.long), videos
        )
    told = tally.signals()
    assert told["asked"] == 4
    assert told["parse_failure_rate"] == pytest.approx(2 / 6)
    assert told["video_dependent_share"] == 1.0
    assert told["dependency_gap"] == pytest.approx(0.25)
    assert told["necessity"] == pytest.approx(0.7 - 0.2)
    assert told["agreement_hist"] == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]  # 0.6, and 1.0 in the last bin
    assert told["coverage_hist"] == [0, 4, 0, 0, 0, 0, 0, 0, 0, 0]  # 4 s of 32
    assert told["start_hist"] == [0, 0, 0, 4, 0, 0, 0, 0, 0, 0]  # 10 s of 32


def test_nothing_asked_is_nothing_told():
    assert SignalTally().signals() == {"asked": 0}


def test_places_count_from_where_the_video_begins(scene):
    tally = SignalTally()
    late = Question("0", "0.mp4", "?", "first", FOUR, "b", (Span(110.0, 114.0),), None, 2)
    tally.add(examination([SIX], [[HERE] * 10]), [late], torch.zeros(1, dtype=torch.long), scene([], start_s=100.0))
    assert tally.start[3] == 1


def test_what_the_verdicts_tell():
    kept = [Verdict(question(number=n), True, "", 0.5, round=1) for n in range(3)]
    dropped = [Verdict(question(number=n), False, reason, 0.5) for n, reason in enumerate(("tie", "tie", "too easy"))]
    told = pool_signals([*kept, *dropped], {"cut off": len(kept) + len(dropped)})
    assert told["faults"] == {"cut off": len(kept) + len(dropped)} and told["parse_failure_rate"] == 0.5
    assert (told["asked"], told["kept"]) == (6, 3)
    assert told["drops"] == {"tie": 2, "too easy": 1}
    assert told["kinds"] == {"first": 3} and told["levels"] == {"2": 3}
    assert told["diversity"] == pytest.approx(1 / 3)  # thrice the same question
    assert pool_signals(dropped, {})["diversity"] == 0.0


def counted(answers, options=("once", "twice"), kind="count"):
    made = []
    for number, answer in enumerate(answers):
        asked = Question(f"{number}", "0.mp4", "How often?", kind, options, answer, (Span(1.0, 2.0),), None, 3)
        made.append(Verdict(asked, True, "", 1.0, {}, answer, asked.evidence, {}, 1))
    return made


def test_an_answer_that_would_be_guessed_is_dropped_by_name():
    verdicts = balance_answers(counted(["once"] * 20 + ["twice"] * 3), 2.0)
    kept = [v.pseudo_answer for v in verdicts if v.kept]
    assert (kept.count("once"), kept.count("twice")) == (6, 3)
    assert {v.reason for v in verdicts if not v.kept} == {TOO_COMMON}
    assert len(verdicts) == 23
    again = balance_answers(list(reversed(counted(["once"] * 20 + ["twice"] * 3))), 2.0)
    assert {v.question.id for v in again if v.kept} == {v.question.id for v in verdicts if v.kept}


def test_balanced_answers_and_options_of_their_own_are_left_alone():
    assert all(v.kept for v in balance_answers(counted(["once"] * 4 + ["twice"] * 2), 2.0))
    free = [*counted(["a"] * 9, ("a", "b"), "what"), *counted(["b"], ("b", "c"), "what")]
    assert all(v.kept for v in balance_answers(free, 2.0))


def test_a_kind_with_one_answer_alone_keeps_one_question():
    assert sum(v.kept for v in balance_answers(counted(["once"] * 9), 2.0)) == 1
