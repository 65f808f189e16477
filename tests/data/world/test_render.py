"""Pixels: an event can be seen inside its span and nowhere before it."""

import copy

import numpy as np
import pytest

from tevo.data.world.generate import OOD, TEST, make_scene
from tevo.data.world.render import draw, write_video
from tevo.video.info import probe
from tevo.video.reader import read_frames

SIDE = 32
REACH = 1.3  # of a square's corner, in radii
MARGIN = 0.08  # share of the frame: antialiasing and camera drift


def frames(scene, side=SIDE):
    return np.stack(list(draw(scene, side))).astype(np.int16)


def frozen(scene, event):
    """The same scene, same ground and noise, in which whatever the event moves stays as it was before it."""
    still = copy.deepcopy(scene)
    first = int(np.floor(event.start_s * scene.fps + 1e-6)) - 1
    last = int(np.ceil(event.end_s * scene.fps - 1e-6)) + 1
    moved = []
    for index, thing in enumerate(still.things):
        moving = any(np.ptp(track[first : last + 1]) > 1e-6 for track in thing.tracks.values())
        if moving:
            moved.append(index)
            for track in thing.tracks.values():
                track[first:] = track[first]
    return still, moved, first


@pytest.fixture(scope="module")
def scene():
    return make_scene(TEST, 0, 2)[0]


@pytest.fixture(scope="module")
def drawn(scene):
    return frames(scene)


def test_frames_are_rgb_bytes_one_for_each_time(scene):
    images = list(draw(scene, SIDE))
    assert len(images) == round(scene.duration_s * scene.fps)
    assert {(image.shape, image.dtype) for image in images} == {((SIDE, SIDE, 3), np.dtype(np.uint8))}


def test_drawing_is_the_same_every_time(scene, drawn):
    np.testing.assert_array_equal(frames(scene), drawn)


def test_every_event_shows_near_its_thing_and_never_before_its_span(scene, drawn):
    for event in scene.events:
        still, moved, first = frozen(scene, event)
        gap = np.abs(frames(still) - drawn).max(-1)
        assert moved
        assert not gap[: first + 1].any()
        start, end = round(event.start_s * scene.fps), round(event.end_s * scene.fps)
        assert gap[start : end + 1].max() > 40  # the noise has a deviation of 4
        where = np.argwhere(gap[start : end + 1].max(0) > 0) / SIDE
        tracks = [scene.things[index].tracks for index in moved]
        for axis, name in ((1, "x"), (0, "y")):
            radius = REACH * max(track["size"].max() for track in tracks) + MARGIN
            low = min(track[name][start - 1 : end + 1].min() for track in tracks) - radius
            high = max(track[name][start - 1 : end + 1].max() for track in tracks) + radius
            assert low <= where[:, axis].min() and where[:, axis].max() <= high


def test_between_events_only_the_camera_specks_and_noise_move(scene, drawn):
    """With the drift of the ground taken out (every thing hidden), rest looks the same from event to event."""
    hidden = copy.deepcopy(scene)
    for thing in hidden.things:
        thing.tracks["alpha"][:] = 0
    gap = np.abs(drawn - frames(hidden)).max(-1) > 40  # where a thing is
    times = np.arange(len(drawn)) / scene.fps
    edges = [0.0, *(edge for event in scene.events for edge in (event.start_s, event.end_s)), np.inf]
    areas = [gap[(times >= a) & (times < b)].mean((1, 2)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    for area in areas:
        assert np.ptp(area) < 0.02
    every = gap.mean((1, 2))
    assert np.ptp(every) > 3 * max(np.ptp(area) for area in areas)


@pytest.mark.parametrize("part", [TEST, OOD])
def test_the_file_has_the_frames_and_the_times(part, tmp_path):
    scene = make_scene(part, 0, 1)[0]
    path = tmp_path / "video.mp4"
    write_video(scene, path, SIDE)
    info = probe(str(path))
    images = list(draw(scene, SIDE))
    assert info.num_frames == len(images)
    assert info.fps == pytest.approx(scene.fps, rel=1e-3)
    assert (info.start_s, info.width, info.height) == (0.0, SIDE, SIDE)
    assert info.duration_s == pytest.approx(len(images) / scene.fps, abs=2e-3)
    for index in (0, 33, len(images) - 1):
        batch = read_frames(str(path), [index / scene.fps + 1e-3], None)
        assert float(batch.times_s[0]) == pytest.approx(index / scene.fps, abs=2e-3)
        decoded = batch.frames[0].permute(1, 2, 0).numpy().astype(int)
        assert np.abs(decoded - images[index]).mean() < 12
