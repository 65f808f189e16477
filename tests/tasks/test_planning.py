"""The estimate is a sum of counts times paces; the paces are those of a real rehearsal."""

from dataclasses import replace

import pytest
import torch

from tevo.data.curriculum import CurriculumConfig
from tevo.structures import Question, Span, Verdict
from tevo.tasks.planning import PARTS, Pace, PaceKeeper, Work, estimate, solver_epoch_sizes
from tevo.tasks.schedule import Schedule

SCHEDULE = Schedule(rounds=2, questioner_epochs=1, pseudo_label_epochs=2, grpo_epochs=1)
WORK = Work(
    frames=1000, teacher_frames=500, aligned=10, videos=40, pooled=50, heldout=5, annotated=None, heldout_questions=30,
    questions=[100, 200, 300, 110, 210, 310],
)  # fmt: skip
PACE = Pace(
    frame_s=0.01, teacher_frame_s=0.02, aligned_s=0.1, questioner_s=0.5, pooled_s=0.2, pseudo_label_s=0.03, grpo_s=0.04,
    signals_s=1.0, answer_s=0.02, round_s=2.0, epoch_s=0.5,
)  # fmt: skip


def test_every_part_is_its_count_times_its_pace():
    seconds = estimate(WORK, PACE, SCHEDULE)
    assert tuple(seconds) == PARTS
    assert seconds == pytest.approx(
        {
            "look": 1000 * 0.01,
            "align": 500 * 0.02 + 10 * 0.1,
            "questioner": 2 * 1 * 40 * 0.5,
            "pool": 2 * 50 * 0.2,
            "pseudo_label": (100 + 200 + 110 + 210) * 0.03,
            "grpo": (300 + 310) * 0.04,
            "signals": 3 * 5 * 1.0,  # round 0 is measured too
            "answers": 2 * 30 * 0.02,  # ... but has no pool to be asked about
            "rest": 3 * 2.0 + 8 * 0.5,
        }
    )


def test_annotated_questions_are_answered_in_round_0_too():
    assert estimate(replace(WORK, annotated=600), PACE, SCHEDULE)["answers"] == pytest.approx(3 * 600 * 0.02)


def test_a_questioner_that_is_not_trained_takes_no_time():
    untrained = Schedule(rounds=2, questioner_epochs=0, pseudo_label_epochs=2, grpo_epochs=1)
    assert estimate(WORK, PACE, untrained)["questioner"] == 0.0


def verdict(number, level, kind):
    question = Question(str(number), f"{number % 4}.mp4", "?", kind, (), "", (Span(1.0, 3.0),), level=level)
    return Verdict(question, True, "", 0.5, pseudo_evidence=question.evidence)


def test_epochs_draw_what_the_curriculum_admits():
    """Of the sample a half is of level 2; the Solver's level rises within a round, the lengths with the rounds."""
    sample = [verdict(n, 1 + n % 2, ("when", "first")[n % 2]) for n in range(40)]
    durations = {f"{n}.mp4": 20.0 + n for n in range(4)}
    sizes = solver_epoch_sizes(SCHEDULE, CurriculumConfig(), sample, durations, 800.0, None)
    assert len(sizes) == 6 and all(0 < size <= 800 for size in sizes)
    assert sizes[0] <= sizes[2] and sizes[2] <= sizes[5] == 800
    everything = solver_epoch_sizes(SCHEDULE, CurriculumConfig(enabled=False), sample, durations, 800.0, None)
    assert everything == [800] * 6
    assert solver_epoch_sizes(SCHEDULE, CurriculumConfig(enabled=False), sample, durations, 800.0, 90) == [90] * 6


def test_the_first_step_of_a_kind_is_a_warm_up():
    keeper = PaceKeeper()
    keeper.steps["grpo"] += [(9.0, 10), (2.0, 10), (4.0, 20)]
    keeper.steps["questioner"] += [(3.0, 6)]
    assert keeper.per_item("grpo") == pytest.approx(0.2)
    assert keeper.per_item("questioner") == pytest.approx(0.5)
    assert keeper.in_steps == pytest.approx(18.0)
    assert keeper.per_item("pseudo_label") == 0.0


def test_it_sees_every_step_of_a_fit_and_what_it_works_on(model, data, trainer):
    keeper, one = PaceKeeper(), model(pseudo_label_epochs=2)
    videos = data(annotated=False)
    trainer(callbacks=[keeper]).fit(one, videos)
    sizes = {what: [size for _, size in steps] for what, steps in keeper.steps.items()}
    assert sizes.keys() == {"questioner", "pseudo_label", "grpo"}
    assert sum(sizes["questioner"]) == len(videos.videos)
    assert sum(sizes["pseudo_label"]) >= len(videos.training_verdicts()) and sizes["grpo"]
    parts = one.parts.seconds
    assert parts.keys() == {"pool", "round", "signals", "answers"}
    assert 0 < keeper.in_steps + sum(parts.values()) <= keeper.seconds


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
