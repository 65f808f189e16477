"""What a run is served: the right videos, the same order ever again, and no batch lost or twice after a kill."""

import json
import shutil
from collections import Counter

import pytest

from tevo.data.curriculum import CurriculumConfig
from tevo.data.datamodule import VideoQuestions
from tevo.data.datasets import PooledBatch, QuestionBatch, VideoBatch
from tevo.errors import TevoError
from tevo.structures import Question, Span, Verdict


@pytest.fixture
def data(world, tmp_path):
    """A DataModule over the tiny world's train/; every test has a cache of its own unless it names one."""

    def make(root=world / "train", **settings):
        defaults = {"videos_per_batch": 3, "questions_per_batch": 6, "workers": 1, "progress": False}
        return VideoQuestions(str(root), cache_dir=str(tmp_path / "cache"), **(defaults | settings))

    return make


def ready(one, backbone, stage="fit"):
    one.prepare_data()
    one.setup(stage)
    one.attach(backbone)
    return one


def verdicts(videos, each=4, round=1):
    """Kept questions of all levels about every video, and one dropped."""
    made = []
    for name in videos:
        for number in range(each):
            question = Question(f"{round}-{name}-{number}", name, "?", "when", ("a", "b"), level=1 + number % 4)
            evidence = (Span(2.0, 9.0),)
            made.append(Verdict(question, True, "", 0.5, pseudo_answer="a", pseudo_evidence=evidence, round=round))
        made.append(Verdict(Question(f"{name}-x", name, "?", "when"), False, "tie", 0.2, round=round))
    return made


def ids(batch):
    return batch.names if isinstance(batch, VideoBatch) else [verdict.question.id for verdict in batch.verdicts]


# --- what is served ---


def test_the_questioner_sees_every_video_once_in_an_order_of_its_own_each_epoch(data, colours):
    one = ready(data(), colours())
    orders = []
    for round in (1, 2):
        one.set_phase("questioner", round)
        batches = list(one.train_dataloader())
        assert all(isinstance(batch, VideoBatch) and len(batch.names) <= 3 for batch in batches)
        orders.append([name for batch in batches for name in batch.names])
        assert sorted(orders[-1]) == sorted(one.videos) == [f"{index:06d}.mp4" for index in range(8)]
    assert orders[0] != orders[1]
    again = ready(data(), colours())
    again.set_phase("questioner", 1)
    assert [name for batch in again.train_dataloader() for name in batch.names] == orders[0]


def test_the_solver_sees_kept_questions_of_videos_that_are_not_held_out(data, colours):
    one = ready(data(curriculum=CurriculumConfig(enabled=False)), colours())
    one.pool.replace(1, verdicts(one.videos))
    one.set_phase("solver", 1)
    batches = list(one.train_dataloader())
    assert all(isinstance(batch, PooledBatch) and len(batch.verdicts) <= 6 for batch in batches)
    served = [verdict for batch in batches for verdict in batch.verdicts]
    assert all(verdict.kept for verdict in served)
    assert one.heldout and {v.question.video for v in served} == set(one.videos) - one.heldout
    assert Counter(v.question.id for v in served).most_common(1)[0][1] == 1
    for batch in batches:
        for verdict, row in zip(batch.verdicts, batch.rows.tolist(), strict=True):
            assert batch.videos.names[row] == verdict.question.video
    one.questions_per_epoch = 5
    one.set_phase("solver", 1)
    assert sum(len(batch.verdicts) for batch in one.train_dataloader()) == 5


def test_the_solvers_levels_rise_within_its_phase(data, colours):
    config = CurriculumConfig(opens="epoch", opens_at_round=(1, 1, 1, 1), min_admitted=0.01)
    one = ready(data(curriculum=config), colours())
    one.pool.replace(1, verdicts(one.videos))
    highest = []
    for epoch in range(3):
        one.set_phase("solver", 1, epoch, 3)
        highest.append(max(v.question.level for batch in one.train_dataloader() for v in batch.verdicts))
    assert highest == [2, 3, 4]


def test_an_epochs_draw_stands_while_competence_moves(data, colours):
    one = ready(data(questions_per_epoch=6), colours())
    one.pool.replace(1, verdicts(one.videos))
    one.set_phase("solver", 1)
    first = [ids(batch) for batch in one.train_dataloader()]
    for level in (1, 2, 3, 4):
        one.curriculum.observe(level, level / 4, 1.0)
    assert [ids(batch) for batch in one.train_dataloader()] == first


def test_all_videos_come_in_order_and_can_be_shared(data, colours, monkeypatch):
    one = ready(data(), colours())
    assert [name for batch in one.all_videos() for name in batch.names] == list(one.videos)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(VideoQuestions, "_place", (rank, 2))
        shares.append([name for batch in one.all_videos() for name in batch.names])
    assert sorted(shares[0] + shares[1]) == list(one.videos)


def test_ranks_take_the_same_number_of_steps_over_different_batches(data, colours, monkeypatch):
    one = ready(data(videos_per_batch=2), colours())
    seen = []
    for rank in (0, 1, 2):
        monkeypatch.setattr(VideoQuestions, "_place", (rank, 3))
        seen.append([tuple(batch.names) for batch in one.train_dataloader()])
    assert {len(batches) for batches in seen} == {2}
    assert {name for batches in seen for batch in batches for name in batch} == set(one.videos)


# --- evaluation ---


def test_annotated_questions_are_asked_with_their_own_videos(data, colours, world):
    one = ready(data(val_annotations=str(world / "test" / "annotations.jsonl")), colours())
    rows = [json.loads(line) for line in (world / "test" / "annotations.jsonl").read_text().splitlines()]
    batches = list(one.val_batches())
    assert all(isinstance(batch, QuestionBatch) and len(batch.questions) <= 6 for batch in batches)
    asked = [question for batch in batches for question in batch.questions]
    assert sorted(q.id for q in asked) == sorted(row["qid"] for row in rows)
    assert {q.id: q.video for q in asked} == {row["qid"]: row["vid"] for row in rows}
    assert one.val_questions == sorted(asked, key=lambda q: [row["qid"] for row in rows].index(q.id))
    assert len(one.videos) == 8  # test/000000.mp4 is not train/000000.mp4
    one = ready(one, colours(), "validate")
    assert [q for batch in one.val_dataloader() for q in batch.questions] == asked
    assert [q for batch in one.test_dataloader() for q in batch.questions] == asked


def test_without_annotations_the_pools_held_out_videos_are_asked_about(data, colours):
    one = ready(data(), colours())
    assert list(one.val_batches()) == [] and one.val_questions == []
    one.pool.replace(1, verdicts(one.videos))
    asked = [question for batch in one.val_batches() for question in batch.questions]
    assert {q.video for q in asked} == set(one.heldout)
    assert all(q.answer == "" and q.evidence == () for q in asked)  # a pseudo-label is not the truth


def test_annotated_videos_inside_the_root_are_not_trained_on(data, colours, world, tmp_path):
    root = tmp_path / "mixed"
    shutil.copytree(world / "test", root)
    shutil.copy(world / "train" / "000007.mp4", root / "own.mp4")
    shutil.copy(world / "train" / "000006.mp4", root / "other.mp4")
    one = ready(data(root, val_annotations=str(root / "annotations.jsonl")), colours())
    assert list(one.videos) == ["other.mp4", "own.mp4"]
    (root / "other.mp4").unlink()
    with pytest.raises(TevoError, match=r"holds 1 usable videos, at least 2 .*4 more belong to the evaluation"):
        data(root, val_annotations=str(root / "annotations.jsonl")).setup("fit")


def test_predict_answers_a_file_of_questions(data, colours, world, tmp_path):
    rows = [{"video": "000001.mp4", "question": "When does it spin?"}, {"video": "000000.mp4", "question": "What?"}]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one = ready(data(questions=str(tmp_path / "q.jsonl")), colours(), "predict")
    asked = [question for batch in one.predict_dataloader() for question in batch.questions]
    assert [q.text for q in asked] == ["When does it spin?", "What?"]
    assert one.videos == {}  # the folder is not looked through


@pytest.mark.parametrize(("stage", "option"), [("predict", "questions"), ("validate", "val_annotations")])
def test_a_verb_without_its_questions_is_refused(data, stage, option):
    with pytest.raises(TevoError, match=f"--data.{option}"):
        data().setup(stage)


# --- videos that cannot be used ---


def test_too_few_videos_are_refused_with_the_minimum_and_the_reasons(data, world, tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    shutil.copy(world / "train" / "000000.mp4", root / "good.mp4")
    (root / "bad.mp4").write_bytes(b"")
    with pytest.raises(TevoError, match=r"1 usable videos, at least 2 are needed .*bad\.mp4: empty file"):
        data(root).prepare_data()
    with pytest.raises(TevoError, match="at least 1"):
        data(root, videos_per_batch=0)


def test_before_a_backbone_is_attached_nothing_is_served(data):
    with pytest.raises(RuntimeError, match="attach"):
        data().train_dataloader()
    with pytest.raises(ValueError, match="questioner and solver"):
        data().set_phase("resolver", 1)
