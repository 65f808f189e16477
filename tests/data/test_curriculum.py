"""Difficulty rises with the rounds and epochs, the draw follows competence, and all of it can be saved."""

import json
import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.data.curriculum import (
    Ceilings,
    Curriculum,
    CurriculumConfig,
    admits,
    level_weight,
    solver_level,
)
from tevo.errors import TevoError
from tevo.prompts.grammar import LEVELS
from tevo.structures import Question, Span, Verdict

LAW = settings(deadline=None, derandomize=True, max_examples=60)


def verdict(name="a.mp4", level=1, spans=((10.0, 20.0),), options=4, **changes):
    question = Question(f"{name}-{level}", name, "?", "when", tuple(f"o{i}" for i in range(options)), level=level)
    evidence = tuple(Span(*span) for span in spans)
    return replace(Verdict(question, True, "", 0.5, pseudo_evidence=evidence), **changes)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn_levels(curriculum, seed=0):
    verdicts = [verdict(f"{i}.mp4", level=1 + i % 4) for i in range(400)]
    chosen = curriculum.draw(verdicts, 100, Ceilings(), generator(seed), {f"{i}.mp4": 60.0 for i in range(400)})
    return Counter(verdicts[index].question.level for index in chosen)


def test_by_schedule_levels_open_at_their_round():
    curriculum = Curriculum(CurriculumConfig(opens="epoch", opens_at_round=(1, 2, 3, 5)))
    for level in (1, 2, 3, 4):
        curriculum.observe(level, 1.0, 1.0)
    assert [curriculum.level_ceiling(round) for round in (1, 2, 3, 4, 5)] == [1, 2, 3, 3, 4]
    assert curriculum.allowed_kinds(1) == ("when", "what")
    assert set(curriculum.allowed_kinds(2)) == {kind for kind, level in LEVELS.items() if level <= 2}
    assert set(curriculum.allowed_kinds(5)) == set(LEVELS)


def test_by_competence_a_level_opens_when_the_one_below_passes_its_bar():
    curriculum = Curriculum(CurriculumConfig(opens="competence", bar=0.6))
    assert curriculum.level_ceiling(4) == 1
    curriculum.observe(1, agreement=0.7, reward=0.4)
    assert curriculum.level_ceiling(4) == 1  # 0.55
    curriculum.observe(3, agreement=1.0, reward=1.0)
    assert curriculum.level_ceiling(4) == 1  # 3 is passed, 1 and 2 are not
    for _ in range(50):
        curriculum.observe(1, agreement=0.8, reward=0.6)
    assert curriculum.level_ceiling(4) == 2
    curriculum.observe(2, agreement=0.9, reward=0.9)
    assert curriculum.level_ceiling(4) == 4


def test_either_takes_the_higher_of_schedule_and_competence():
    curriculum = Curriculum(CurriculumConfig(opens="either", opens_at_round=(1, 3, 3, 9)))
    assert curriculum.level_ceiling(1) == 1
    curriculum.observe(1, 1.0, 1.0)
    assert curriculum.level_ceiling(1) == 2
    assert curriculum.level_ceiling(3) == 3


def test_a_rounds_ceiling_stands_once_the_round_began():
    curriculum = Curriculum(CurriculumConfig(opens="competence"))
    curriculum.start_round(1)
    curriculum.observe(1, 1.0, 1.0)
    curriculum.start_round(1)
    assert curriculum.level_ceiling(1) == 1
    assert curriculum.level_ceiling(2) == 2


@pytest.mark.parametrize(
    ("ceiling", "num_epochs", "levels"),
    [(1, 3, [1, 1, 1]), (2, 3, [1, 2, 2]), (4, 3, [2, 3, 4]), (4, 1, [4]), (3, 2, [2, 3])],
)
def test_the_solvers_level_rises_to_the_ceiling(ceiling, num_epochs, levels):
    assert [solver_level(ceiling, epoch, num_epochs) for epoch in range(num_epochs)] == levels


@LAW
@given(st.integers(1, 6), st.integers(1, 5), st.sampled_from(["competence", "epoch", "either"]))
def test_ceilings_only_ever_rise_and_the_solver_ends_at_the_questioners(round, num_epochs, opens):
    curriculum = Curriculum(CurriculumConfig(opens=opens))
    durations = [10.0, 20.0, 30.0, 90.0]

    def height(c):
        return (c.level, -c.min_evidence, c.max_spans, c.max_options, c.max_duration_s)

    steps = [height(curriculum.ceilings(round, epoch, num_epochs, durations)) for epoch in range(num_epochs)]
    questioner = height(curriculum.ceilings(round, durations_s=durations))
    later = height(curriculum.ceilings(round + 1, durations_s=durations))
    for lower, upper in zip(steps, [*steps[1:], questioner], strict=True):
        assert all(a <= b for a, b in zip(lower, upper, strict=True))
    assert steps[-1] == questioner
    assert all(a <= b for a, b in zip(questioner, later, strict=True))


def test_each_ceiling_keeps_its_own_kind_of_hard_question_out():
    ceilings = Ceilings(level=2, min_evidence=0.1, max_spans=2, max_options=4, max_duration_s=100.0)
    assert admits(verdict(), ceilings, 100.0)
    assert not admits(verdict(level=3), ceilings, 100.0)
    assert not admits(verdict(spans=((1.0, 10.0),)), ceilings, 100.0)
    assert not admits(verdict(spans=((0.0, 10.0), (20.0, 30.0), (40.0, 50.0))), ceilings, 100.0)
    assert not admits(verdict(options=5), ceilings, 100.0)
    assert not admits(verdict(spans=((10.0, 30.0),)), ceilings, 100.5)
    assert admits(verdict(spans=()), ceilings, 100.0)  # no evidence known: nothing to hold against it
    in_seconds = replace(ceilings, min_evidence=9.5, evidence_unit="seconds")
    assert admits(verdict(), in_seconds, 50.0)
    assert not admits(verdict(spans=((1.0, 10.0),)), in_seconds, 50.0)


def test_the_video_length_ceiling_is_a_share_of_the_videos():
    curriculum = Curriculum(CurriculumConfig(max_duration_share=(0.5, 1.0)))
    durations = [40.0, 10.0, 30.0, 20.0]
    assert curriculum.ceilings(1, durations_s=durations).max_duration_s == 20.0
    assert curriculum.ceilings(9, durations_s=durations).max_duration_s == 40.0
    assert curriculum.ceilings(1).max_duration_s == math.inf


def test_draw_is_without_replacement_within_the_ceilings_and_repeatable():
    curriculum = Curriculum()
    verdicts = [verdict(f"{i}.mp4", level=1 + i % 4) for i in range(200)]
    durations = {f"{i}.mp4": 60.0 for i in range(200)}
    chosen = curriculum.draw(verdicts, 40, Ceilings(level=2), generator(3), durations)
    assert len(set(chosen)) == len(chosen) == 40
    assert {verdicts[index].question.level for index in chosen} == {1, 2}
    assert chosen == curriculum.draw(verdicts, 40, Ceilings(level=2), generator(3), durations)
    assert chosen != curriculum.draw(verdicts, 40, Ceilings(level=2), generator(4), durations)
    everything = curriculum.draw(verdicts, None, Ceilings(level=2), generator(3), durations)
    assert len(everything) == 100
    assert everything[:40] == chosen


def test_ceilings_give_way_so_that_a_hard_pool_still_trains():
    curriculum = Curriculum(CurriculumConfig(min_admitted=0.3))
    verdicts = [verdict(f"{i}.mp4", level=3 if i < 4 else 4) for i in range(10)]
    durations = {f"{i}.mp4": 60.0 for i in range(10)}
    chosen = curriculum.draw(verdicts, None, Ceilings(level=1), generator(), durations)
    assert len(chosen) == 3
    assert {verdicts[index].question.level for index in chosen} == {3}  # the least hard
    assert curriculum.draw([], 5, Ceilings(), generator(), {}) == []


def test_what_is_half_mastered_is_drawn_most():
    curriculum = Curriculum()
    assert set(drawn_levels(curriculum)) == {1, 2, 3, 4}
    for level, figure in ((1, 1.0), (2, 0.5), (3, 0.5), (4, 0.0)):
        curriculum.observe(level, figure, figure)
    drawn = sum((drawn_levels(curriculum, seed) for seed in range(5)), Counter())
    assert min(drawn[2], drawn[3]) > 2 * max(drawn[1], drawn[4])
    assert drawn[1] > 0 and drawn[4] > 0


@LAW
@given(st.floats(0, 1), st.floats(0.01, 1))
def test_a_levels_weight_is_bounded_and_greatest_in_the_middle(competence, least):
    assert least <= level_weight(competence, least) <= level_weight(0.5, least) == 1.0
    assert level_weight(None, least) == 1.0


def test_competence_is_a_running_mean_that_ignores_what_is_not_a_number():
    curriculum = Curriculum(CurriculumConfig(momentum=0.5))
    assert curriculum.competence(1) is None
    curriculum.observe(1, 0.4, 0.8)
    assert curriculum.competence(1) == pytest.approx(0.6)
    curriculum.observe(1, 0.8, 5.0)  # clipped to 1
    assert curriculum.competence(1) == pytest.approx((0.6 + 0.9) / 2)
    curriculum.observe(1, math.nan, 0.9)
    assert curriculum.competence(1) == pytest.approx((0.6 + 0.9) / 2)
    with pytest.raises(ValueError, match=r"1\.\.4"):
        curriculum.observe(5, 0.5, 0.5)


def test_state_survives_json_and_goes_on_the_same():
    curriculum = Curriculum(CurriculumConfig(opens="competence"))
    curriculum.start_round(1)
    for step in range(7):
        curriculum.observe(1 + step % 3, step / 7, 0.3)
    other = Curriculum(CurriculumConfig(opens="competence"))
    other.load_state_dict(json.loads(json.dumps(curriculum.state_dict())))
    for one in (curriculum, other):
        one.observe(2, 0.9, 0.9)
    assert other.state_dict() == curriculum.state_dict()
    assert other.level_ceiling(1) == curriculum.level_ceiling(1) == 1
    assert drawn_levels(other) == drawn_levels(curriculum)


def test_without_curriculum_everything_is_open_and_nothing_preferred():
    curriculum = Curriculum(CurriculumConfig(enabled=False))
    curriculum.observe(1, 1.0, 1.0)
    assert set(curriculum.allowed_kinds(1)) == set(LEVELS)
    assert curriculum.ceilings(1, 0, 3, [1.0]) == Ceilings()
    assert {curriculum.weight(level) for level in (1, 2, 3, 4)} == {1.0}


@pytest.mark.parametrize(
    ("field", "value"), [("bar", 1.5), ("momentum", 1.0), ("min_weight", 0.0), ("opens_at_round", (1, 3, 2, 4))]
)
def test_a_config_that_cannot_be_is_refused(field, value):
    with pytest.raises(TevoError, match=field):
        CurriculumConfig(**{field: value})
