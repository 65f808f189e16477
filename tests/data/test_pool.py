"""Verdicts to rows and back, the file of all questions, and the videos that are held out."""

import json
import math
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.data.pool import Pool, from_row, heldout_videos, read_verdicts, to_row, write_questions
from tevo.errors import TevoError
from tevo.structures import Question, Span, Verdict

LAW = settings(deadline=None, derandomize=True, max_examples=60)
bounds = st.lists(st.floats(0, 1e4, allow_nan=False), min_size=2, max_size=2).map(sorted)
# Rows of plain values: building checked dataclasses inside a strategy would draw from the global random state.
rows = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1),
        "video": st.text(min_size=1),
        "text": st.text(),
        "kind": st.sampled_from(["when", "after"]),
        "level": st.integers(1, 4),
        "options": st.lists(st.text(min_size=1), max_size=4),
        "answer": st.text(),
        "evidence": st.lists(bounds, max_size=2),
        "window": st.none() | bounds,
        "votes": st.dictionaries(st.text(), st.integers(0, 10), max_size=3),
        "agreement": st.floats(0, 1),
        "pseudo_answer": st.text(),
        "pseudo_evidence": st.lists(bounds, max_size=3),
        "round": st.integers(1, 4),
        "kept": st.booleans(),
        "reason": st.text(),
    },
    optional={"dependency": st.floats(-1, 1), "order": st.floats(-1, 1), "family": st.text(min_size=1)},
)


def verdict(id="q1", video="a.mp4", kept=True, reason="", round=1, **changes):
    question = Question(id, video, "When?", "when", evidence=(Span(1.5, 2.5),))
    made = Verdict(question, kept, reason, 0.7, {"x": 7}, "x", (Span(1.0, 2.0),), {"dependency": 0.25}, round)
    return replace(made, **changes)


@LAW
@given(rows)
def test_a_row_survives_being_a_verdict_and_json(row):
    assert to_row(from_row(json.loads(json.dumps(row)))) == row


def test_the_row_has_the_documented_columns():
    row = to_row(verdict())
    assert row == {
        "id": "q1",
        "video": "a.mp4",
        "text": "When?",
        "kind": "when",
        "level": 1,
        "options": [],
        "answer": "",
        "evidence": [[1.5, 2.5]],
        "window": None,
        "votes": {"x": 7},
        "agreement": 0.7,
        "pseudo_answer": "x",
        "pseudo_evidence": [[1.0, 2.0]],
        "round": 1,
        "kept": True,
        "reason": "",
        "dependency": 0.25,
    }


def test_a_signal_may_not_hide_a_column():
    with pytest.raises(ValueError, match="agreement"):
        to_row(verdict(signals={"agreement": 0.5}))


def test_a_new_round_replaces_the_pool_and_the_history_counts_drops():
    pool = Pool()
    assert pool.dropped == {} and pool.summary() == "no question was asked yet"
    pool.replace(1, [verdict("q1"), verdict("q2", kept=False, reason="tie")])
    pool.replace(2, [verdict("q3", round=2), verdict("q4", kept=False, reason="too easy", round=2)])
    assert [v.question.id for v in pool.verdicts] == ["q3"]
    assert pool.dropped == {"too easy": 1}
    assert pool.history[0] == {"round": 1, "asked": 2, "kept": 1, "dropped": {"tie": 1}}
    pool.replace(2, [verdict("q5", kept=False, reason="tie", round=2)])
    assert [row["round"] for row in pool.history] == [1, 2]
    assert pool.summary() == "round 2: 1 asked, 0 kept; dropped: 1 tie"
    pool.replace(2, [verdict("q5", round=2)], {"no <type>": 1, "cut off": 3})
    assert pool.summary() == "round 2: 1 asked, 1 kept; 4 more made no question: 3 cut off, 1 no <type>"
    pool.replace(2, [verdict("q5", round=2)], {"a": 1, "b": 4, "c": 3, "d": 2, "e": 1})
    assert pool.summary().endswith("; 11 more made no question: 4 b, 3 c, 2 d, 2 for other reasons")


def test_state_is_plain_and_comes_back_exactly():
    pool = Pool()
    pool.replace(3, [verdict(agreement=0.1 + 0.2), verdict("q2", kept=False, reason="tie")])
    other = Pool()
    other.load_state_dict(json.loads(json.dumps(pool.state_dict())))
    assert (other.round, other.verdicts, other.history) == (pool.round, pool.verdicts, pool.history)


def test_the_file_holds_every_round_once_whatever_is_written_again(tmp_path):
    path = tmp_path / "run" / "questions.jsonl"
    write_questions(path, 1, [verdict("q1"), verdict("q2", kept=False, reason="tie")])
    write_questions(path, 2, [verdict("q3", round=2)])
    whole = path.read_bytes()
    write_questions(path, 2, [verdict("lost", round=2), verdict("lost too", round=2)])
    write_questions(path, 2, [verdict("q3", round=2)])
    assert path.read_bytes() == whole
    assert [v.question.id for v in read_verdicts(path)] == ["q1", "q2", "q3"]
    assert [v.kept for v in read_verdicts(path)] == [True, False, True]
    assert os.listdir(path.parent) == ["questions.jsonl"]


def test_odd_characters_and_figures_make_valid_json_lines(tmp_path):
    path = tmp_path / "questions.jsonl"
    odd = verdict("q\u2028\n", signals={"dependency": math.nan, "order": 0.5})
    write_questions(path, 1, [odd])
    rows = [json.loads(line, parse_constant=pytest.fail) for line in path.read_text("utf-8").split("\n") if line]
    assert rows[0]["dependency"] is None
    assert read_verdicts(path) == [replace(odd, signals={"order": 0.5})]


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(TevoError, match="no question file"):
        read_verdicts(tmp_path / "none.jsonl")
    (tmp_path / "text.jsonl").write_text("hello\n")
    with pytest.raises(TevoError, match="JSON lines"):
        read_verdicts(tmp_path / "text.jsonl")
    (tmp_path / "other.jsonl").write_text('{"id": "q1"}\n')
    with pytest.raises(TevoError, match="pseudo_answer"):
        read_verdicts(tmp_path / "other.jsonl")


def test_heldout_videos_are_a_stable_share():
    names = [f"{i:04d}.mp4" for i in range(1000)]
    held = heldout_videos(names, 0.1)
    assert 60 < len(held) < 140
    assert heldout_videos(names[:500], 0.1) == held & set(names[:500])  # new videos do not move old ones
    assert heldout_videos(names, 0.0) == frozenset()


@pytest.mark.parametrize("num", [2, 3, 5])
def test_few_videos_still_leave_something_on_both_sides(num):
    names = [f"clip{i}.mp4" for i in range(num)]
    assert 1 <= len(heldout_videos(names, 0.1)) < num
    assert 1 <= len(heldout_videos(names, 1.0)) < num
    assert heldout_videos(names[:1], 0.5) == frozenset()


def test_training_and_heldout_questions_part_the_pool():
    pool = Pool()
    pool.replace(1, [verdict("q1", "a.mp4"), verdict("q2", "b.mp4"), verdict("q3", "a.mp4")])
    assert [v.question.id for v in pool.training(["a.mp4", "b.mp4"], {"a.mp4"})] == ["q2"]
    assert [v.question.id for v in pool.about({"a.mp4"})] == ["q1", "q3"]


def test_a_pool_that_cannot_train_says_why():
    pool = Pool()
    pool.replace(2, [verdict("q1", "a.mp4", round=2), verdict("q2", kept=False, reason="too hard", round=2)])
    with pytest.raises(TevoError, match=r"2 asked, 1 kept; dropped: 1 too hard; 1 of 2 videos are held out"):
        pool.training(["a.mp4", "b.mp4"], {"a.mp4"})
    with pytest.raises(TevoError, match=r"not there: a\.mp4"):
        pool.training(["b.mp4"], ())
