"""Planned videos: scenes and questions without a pixel drawn."""

import pytest

from tevo.data.world.generate import OOD, TEST, TRAIN, make_scene
from tevo.data.world.questions import ask_about


def plan(part, number):
    """(scene, rows) of the first videos of a part of the world of seed 0."""
    videos = []
    for index in range(number):
        scene, rng = make_scene(part, 0, index)
        videos.append((scene, ask_about(rng, scene, 6)))
    return videos


@pytest.fixture(scope="session")
def planned():
    """100 videos of test/, 100 of ood/ and 200 of train/, by the name of the part."""
    return {"test": plan(TEST, 100), "ood": plan(OOD, 100), "train": plan(TRAIN, 200)}
