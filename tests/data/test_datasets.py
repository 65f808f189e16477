"""Batches hold each video once, whatever is asked about it, and their rows say which."""

import pytest
import torch

from tevo.data.datasets import (
    GroupedDataset,
    PooledBatch,
    VideoDataset,
    collate_pooled,
    collate_questions,
    collate_videos,
)
from tevo.data.features import FeatureStore
from tevo.structures import Question, Verdict


@pytest.fixture
def store(colours, tmp_path, train_videos):
    made = FeatureStore(colours(), tmp_path)
    made.encode_all(train_videos, progress=False)
    return made


def question(id, video):
    return Question(id, video, "?", "when")


def verdict(id, video):
    return Verdict(question(id, video), True, "", 0.5)


def test_videos_of_different_length_are_padded_and_masked(store, train_videos):
    names = list(train_videos)[:4]
    dataset = VideoDataset(store, train_videos, names)
    batch = collate_videos([dataset[index] for index in range(4)])
    assert batch.names == names
    for row, name in enumerate(names):
        alone = store.get(train_videos[name])
        for part in ("tokens", "shuffled", "dense"):
            padded, own = getattr(batch, part), getattr(alone, part)
            num = own.values.shape[1]
            assert int(padded.mask[row].sum()) == num
            assert torch.equal(padded.values[row, :num], own.values[0])
            assert not padded.values[row, num:].any()
        assert batch.start_s[row] == alone.start_s and batch.end_s[row] == pytest.approx(alone.end_s)
    assert batch.dense.values.shape[1] > 1.8 * batch.tokens.values.shape[1]


def test_questions_of_a_video_come_together_and_its_features_once(store, train_videos):
    a, b = list(train_videos)[:2]
    dataset = GroupedDataset(store, train_videos, [verdict("1", b), verdict("2", a), verdict("3", b)], most=8)
    assert dataset.labels == ["1 3", "2"]
    batch = collate_pooled([dataset[0], dataset[1]])
    assert batch.videos.names == [b, a]
    assert [v.question.id for v in batch.verdicts] == ["1", "3", "2"]
    assert batch.rows.tolist() == [0, 0, 1]
    for row, one in zip(batch.rows.tolist(), batch.verdicts, strict=True):
        assert batch.videos.names[row] == one.question.video


def test_a_video_with_too_many_questions_is_there_again(store, train_videos):
    name = next(iter(train_videos))
    dataset = GroupedDataset(store, train_videos, [question(str(i), name) for i in range(5)], most=2)
    assert dataset.labels == ["0 1", "2 3", "4"]
    batch = collate_questions([dataset[2]])
    assert [q.id for q in batch.questions] == ["4"] and batch.rows.tolist() == [0]


def test_a_batch_moves_to_a_device_as_a_whole(store, train_videos):
    from lightning.fabric.utilities import move_data_to_device

    name = next(iter(train_videos))
    dataset = GroupedDataset(store, train_videos, [verdict("1", name)], most=2)
    moved = move_data_to_device(collate_pooled([dataset[0]]), torch.device("meta"))
    assert isinstance(moved, PooledBatch)
    assert moved.verdicts[0].question.id == "1"
    assert moved.rows.is_meta and moved.videos.start_s.is_meta and moved.videos.end_s.is_meta
    for tokens in (moved.videos.tokens, moved.videos.shuffled, moved.videos.dense):
        assert tokens.values.is_meta and tokens.spans.is_meta and tokens.mask.is_meta
