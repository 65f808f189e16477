"""Evaluation questions: true of their scene, sparse in time, and without a shortcut that needs no video."""

import random
from collections import Counter, defaultdict
from itertools import permutations

import pytest
import torch

from tevo.data.world.vocabulary import allowed
from tevo.metrics.baselines import centre_prior, random_span, whole_video
from tevo.ops import set_iou
from tevo.prompts.grammar import LEVELS, parse
from tevo.prompts.phrases import COLOURS, COUNTS, DURATIONS, DURATIONS_S, FAMILY_OF, HITS

TIME_ALONE = ("what", "before", "after", "first", "last")  # options are events of the same video
PARTS = pytest.mark.parametrize("part", ["test", "ood", "train"])


def rows_of(planned, part):
    return [(scene, row) for scene, rows in planned[part] for row in rows]


@PARTS
def test_evidence_is_sparse(planned, part):
    shares = sorted(sum(b - a for a, b in row["relevant_windows"]) / s.duration_s for s, row in rows_of(planned, part))
    assert shares[len(shares) // 2] <= 0.10


@PARTS
def test_six_distinct_questions_a_video_of_every_kind_and_family(planned, part):
    for _, rows in planned[part]:
        assert 4 <= len(rows) <= 6
        assert len({row["query"] for row in rows}) == len(rows)
    kinds = Counter(row["kind"] for _, row in rows_of(planned, part))
    assert set(kinds) == set(LEVELS)
    assert {row["family"] for _, row in rows_of(planned, part)} == set(FAMILY_OF.values())
    assert len(rows_of(planned, part)) > 5.8 * len(planned[part])


@PARTS
def test_options_are_four_and_hold_the_answer(planned, part):
    for _, row in rows_of(planned, part):
        assert parse(row["query"]).kind == row["kind"]
        if row["kind"] == "when":
            assert (row["options"], row["answer"]) == ([], "")
        else:
            assert len(set(row["options"])) == 4
            assert row["answer"] in row["options"]
        if row["kind"] not in ("when", "count", "duration"):
            assert parse(row["query"]).phrase not in row["options"]


@PARTS
def test_answers_are_true(planned, part):
    """Each answer and its evidence, worked out again from the scene's script."""
    for scene, row in rows_of(planned, part):
        events, ask, kind = scene.events, parse(row["query"]), row["kind"]
        named = [event for event in events if event.phrase == ask.phrase]
        if kind in ("when", "duration", "before", "after"):
            (anchor,) = named
            place = events.index(anchor)
        if kind in ("before", "after"):
            found = [events[place + (1 if kind == "after" else -1)]]
        elif kind in ("first", "last"):
            found = [events[0 if kind == "first" else -1]]
        elif kind == "what":
            low, high = ask.within.start_s - 0.051, ask.within.end_s + 0.051
            found = [event for event in events if event.end_s > low + 0.102 and event.start_s < high - 0.102]
            assert low <= found[0].start_s and found[0].end_s <= high
        elif kind == "why":
            found = [event for event in events if event.effect == ask.phrase]
        else:
            found = named
        assert row["relevant_windows"] == [[round(e.start_s, 3), round(e.end_s, 3)] for e in found]
        assert row["family"] == found[0].family
        if kind == "count":
            assert row["answer"] == COUNTS[len(found) - 1]
        elif kind == "duration":
            length = found[0].end_s - found[0].start_s
            assert abs(DURATIONS_S[DURATIONS.index(row["answer"])] - length) <= 0.451  # never half-way
        elif kind != "when":
            assert len(found) == 1
            assert row["answer"] == found[0].phrase


@PARTS
def test_only_time_tells_options_apart(planned, part):
    for scene, row in rows_of(planned, part):
        if row["kind"] in TIME_ALONE:
            assert set(row["options"]) <= {event.phrase for event in scene.events}
        if row["kind"] == "why":  # every wrong cause does happen, in this share or in seen
            assert set(row["options"]) <= allowed("seen") | (allowed("ood") if part == "ood" else set())
            assert all(option.endswith(HITS) for option in row["options"])


@PARTS
def test_options_of_first_and_last_could_come_in_any_order(planned, part):
    """No option makes another possible or impossible: nothing turns to or away from another option's colour."""
    asked = [row["options"] for _, row in rows_of(planned, part) if row["kind"] in ("first", "last")]
    actions = {option.split(" ", 3)[3] for options in asked for option in options}
    assert actions >= {"disappears", "blinks", "spins", "grows", "shrinks", "moves up"}
    for options in asked:
        assert not any(option.endswith((HITS, " appears")) for option in options)  # early ones, late ones
        for one, other in permutations(options, 2):
            if one.split(" ")[3] in ("turns", "disappears"):
                assert not set(one.split()) & set(other.split()) & set(COLOURS)


def test_a_cause_with_too_few_rivals_is_not_asked_for(planned):
    """In seen, of the four things that hit, one may be the knocked one: three options would be left."""
    hitters = {phrase.split(" ")[1] for phrase in allowed("seen") if phrase.endswith(HITS)}
    knocked = {parse(row["query"]).phrase.split(" ")[1] for _, row in rows_of(planned, "train") if row["kind"] == "why"}
    assert knocked and not knocked & hitters


@PARTS
def test_the_right_option_stands_anywhere(planned, part):
    places = Counter(
        row["options"].index(row["answer"]) for _, row in rows_of(planned, part) if row["kind"] in (*TIME_ALONE, "why")
    )
    total = sum(places.values())
    assert all(abs(places[place] / total - 0.25) < 0.06 for place in range(4))


@PARTS
@pytest.mark.parametrize("kind", ["count", "duration"])
def test_numbers_are_about_equally_common(planned, part, kind):
    answers = Counter(row["answer"] for _, row in rows_of(planned, part) if row["kind"] == kind)
    assert len(answers) == 4
    assert max(answers.values()) / answers.total() < 0.5


@pytest.mark.parametrize("part", ["test", "ood"])
def test_words_give_no_answer_away(planned, part):
    """A rule made of how often each clause, and each action, was right among the options in train/."""
    right, offered = defaultdict(float), defaultdict(float)

    def keys(row, option):
        kind, phrase = row["kind"], parse(row["query"]).phrase
        yield kind, option
        yield kind, option.split(" ", 3)[-1]
        yield kind, phrase.split(" ", 3)[-1], option.split(" ", 3)[-1]

    for _, row in rows_of(planned, "train"):
        for option in row["options"]:
            for key in keys(row, option):
                offered[key] += 1
                right[key] += option == row["answer"]

    def score(row, option):
        return sum((right[key] + 1) / (offered[key] + 4) for key in keys(row, option))

    asked = [row for _, row in rows_of(planned, part) if row["options"]]
    hits = sum(max(row["options"], key=lambda option: score(row, option)) == row["answer"] for row in asked)
    assert hits / len(asked) <= 0.30


def mean_iou(rows, predict):
    """In points; every prediction is one span."""
    guesses = torch.tensor([[(span.start_s, span.end_s) for span in predict(scene)] for scene, _ in rows])
    true, real = torch.zeros(len(rows), 4, 2), torch.zeros(len(rows), 4, dtype=torch.bool)
    for index, (_, row) in enumerate(rows):
        spans = row["relevant_windows"]
        true[index, : len(spans)], real[index, : len(spans)] = torch.tensor(spans), True
    return 100 * float(set_iou(guesses, torch.ones(len(rows), 1, dtype=torch.bool), true, real).mean())


@pytest.mark.parametrize("part", ["test", "ood"])
def test_predictors_that_look_at_nothing_find_nothing(planned, part):
    rows = rows_of(planned, part)
    generator = torch.Generator().manual_seed(0)
    for fraction in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0):
        assert mean_iou(rows, lambda scene, f=fraction: centre_prior(scene.duration_s, f)) <= 15
        assert mean_iou(rows, lambda scene, f=fraction: random_span(scene.duration_s, f, generator)) <= 15
    assert 3 <= mean_iou(rows, lambda scene: whole_video(scene.duration_s)) <= 15


def test_questions_depend_on_the_seed_alone(planned):
    from tevo.data.world.generate import TEST, make_scene
    from tevo.data.world.questions import ask_about

    scene, rng = make_scene(TEST, 0, 0)
    assert ask_about(rng, scene, 6) == planned["test"][0][1]
    assert ask_about(random.Random(5), scene, 6) != planned["test"][0][1]
