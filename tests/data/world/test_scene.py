"""Planned scenes: an event is a change of one thing, inside its span and nowhere else."""

from itertools import pairwise

import numpy as np
import pytest

from tevo.data.world.generate import CLIPS, OOD, TEST, TRAIN, make_scene
from tevo.data.world.scene import GROWTH, REPEATABLE, SIZES, STEP
from tevo.data.world.vocabulary import allowed
from tevo.prompts.phrases import COLOURS, FAMILY_OF

MOVES = {"moves left": (-2, 0), "moves right": (2, 0), "moves up": (0, -2), "moves down": (0, 2)}
EDGE_S = 0.75  # within this of either end something moves: a blink rests for half a second
COLUMNS = ("x", "y", "size", "alpha", "angle")


def rounding(scene):
    """At 8 frames a second spans fall exactly on frames; k / 12.5 * 12.5 may miss k by a bit, and a frame with it."""
    return 1e-6 if scene.fps == 8 else 1 / scene.fps + 1e-6


def looks(thing):
    """What can be seen of a thing in every frame: place, size, opacity, angle, colour."""
    tracks = thing.tracks
    colour = np.where(tracks["mix"] > 0.5, tracks["to"], tracks["from"])
    return np.stack([*(tracks[name] for name in COLUMNS), colour], -1)


def cases():
    for part in (CLIPS, TRAIN, TEST, OOD):
        for index in range(12):
            yield part, index


@pytest.fixture(scope="module")
def scenes():
    return [(part, make_scene(part, 1, index)[0]) for part, index in cases()]


def test_a_scene_depends_on_its_seed_alone():
    for part, index in ((CLIPS, 3), (TRAIN, 0), (OOD, 5)):
        first, again, other = (make_scene(part, seed, index)[0] for seed in (1, 1, 2))
        assert (first.events, first.duration_s, first.background_seed) == (
            again.events, again.duration_s, again.background_seed
        )  # fmt: skip
        for one, two in zip(first.things, again.things, strict=True):
            np.testing.assert_array_equal(looks(one), looks(two))
        assert first.events != other.events


def test_spans_are_inside_the_video_in_order_and_apart(scenes):
    for part, scene in scenes:
        frames = len(scene.things[0].tracks["x"])
        lead = 0.6 if part == CLIPS else 1.0
        ends = [(0.0, 0.0), *((event.start_s, event.end_s) for event in scene.events)]
        for (_, earlier), (start, end) in pairwise(ends):
            assert start - earlier >= lead - 1 / scene.fps
            assert 1.5 <= end - start <= 5.5
            assert start * scene.fps == pytest.approx(round(start * scene.fps), abs=1e-6)
        assert scene.events[-1].end_s <= frames / scene.fps
        assert frames == round(scene.duration_s * scene.fps)


def test_only_the_allowed_happens_and_only_spins_and_blinks_repeat(scenes):
    for part, scene in scenes:
        said = [event.phrase for event in scene.events]
        assert set(said) | {event.effect for event in scene.events if event.effect} <= allowed(part.share)
        assert len(said) == 1 if part == CLIPS else len(set(said)) >= 4
        for phrase in set(said):
            assert said.count(phrase) == 1 or phrase.split(" ", 3)[3] in REPEATABLE
            assert said.count(phrase) <= 4


def test_nothing_moves_outside_the_events_and_one_thing_inside(scenes):
    for _, scene in scenes:
        state = np.stack([looks(thing) for thing in scene.things])  # thing, frame, what can be seen
        times = np.arange(state.shape[1]) / scene.fps
        edges = [-1.0, *(edge for event in scene.events for edge in (event.start_s, event.end_s)), np.inf]
        late = rounding(scene) if scene.fps != 8 else -1e-6  # the frame at the end of an event is at rest again
        for rest_from, rest_to in zip(edges[::2], edges[1::2], strict=True):
            resting = state[:, (times > rest_from + late) & (times < rest_to - rounding(scene))]
            assert np.abs(resting - resting[:, :1]).max() < 1e-5
        for event in scene.events:
            inside = (times > event.start_s - 1e-6) & (times < event.end_s + 1e-6)
            before = state[:, np.flatnonzero(inside)[0] - 2]
            moving = np.abs(state[:, inside] - before[:, None]).max((1, 2)) > 1e-6
            assert moving.sum() == (2 if event.effect else 1)


def test_events_fill_their_spans(scenes):
    for _, scene in scenes:
        state = np.stack([looks(thing) for thing in scene.things])
        steps = np.abs(np.diff(state, axis=1)).max((0, 2)) > 1e-6
        changes = (np.flatnonzero(steps) + 1) / scene.fps  # times of frames that differ from the one before
        for event in scene.events:
            own = changes[(changes > event.start_s - 1e-6) & (changes < event.end_s + 1e-6)]
            assert own[0] - event.start_s <= EDGE_S
            assert event.end_s - own[-1] <= EDGE_S


def resting(scene):
    """Frames in which nothing happens, to the frame."""
    times = np.arange(len(scene.things[0].tracks["x"])) / scene.fps
    edge = 1 / scene.fps + 1e-6
    return np.all([(times < e.start_s - edge) | (times > e.end_s + edge) for e in scene.events], axis=0)


def test_sizes_and_opacities_at_rest_are_anything_in_between(scenes):
    """Every eighth of either range is somewhere at rest, so that no size and few opacities mean a change."""
    sizes, opacities = [], []
    for _, scene in scenes:
        still = resting(scene)
        for thing in scene.things:
            alpha = thing.tracks["alpha"][still]
            sizes += [*thing.tracks["size"][still][alpha > 0]]
            opacities += [*alpha[alpha > 0]]
    for values, (low, high) in ((sizes, SIZES), (opacities, (0.35, 1.0))):
        assert low - 1e-6 <= min(values) and max(values) <= high + 1e-6
        shares = np.histogram(values, 8, (low, high))[0] / len(values)
        assert shares.min() > 0.02
        assert shares.max() < 0.3


def test_things_come_no_nearer_than_neighbours_at_rest(scenes):
    """Hits and moves too: nearness alone does not give them away."""
    neighbours = STEP - 2 * 0.03  # both centres may be off their cells' by 0.03
    nearest_hit = []
    for _, scene in scenes:
        at = np.stack([(thing.tracks["x"], thing.tracks["y"]) for thing in scene.things])  # thing, axis, frame
        gap = np.abs(at[:, None] - at[None]).max(2) + np.eye(len(at))[..., None]
        assert gap.min() >= neighbours - 1e-5
        for event in scene.events:
            if event.effect:
                nearest_hit.append(gap[..., round((event.start_s + event.end_s) / 2 * scene.fps)].min())
    assert max(nearest_hit) <= STEP + 2 * 0.03 + 0.05  # one comes up to the other; the contact may fall between frames


def test_the_parts_have_their_number_of_things(scenes):
    for part, scene in scenes:
        assert part.things[0] <= len(scene.things) <= part.things[1]
    assert {len(scene.things) for part, scene in scenes if part == CLIPS} >= {1, 5}


def test_what_happens_is_what_the_clause_says(scenes):
    seen = set()
    for _, scene in scenes:
        state = np.stack([looks(thing) for thing in scene.things])
        times = np.arange(state.shape[1]) / scene.fps
        for event in scene.events:
            inside = np.flatnonzero((times > event.start_s - 1e-6) & (times < event.end_s - 1e-6))
            before, after = state[:, inside[0] - 2], state[:, min(inside[-1] + 2, len(times) - 1)]
            names = [COLOURS[int(row[5])] for row in before]
            assert len(set(names)) == len(names)  # a clause names one thing
            _, subject, _, action = event.phrase.split(" ", 3)
            actor = names.index(subject)
            check_action(action, before[actor], state[actor, inside], after[actor])
            if event.effect:
                knocked = names.index(event.effect.split(" ")[1])
                assert np.hypot(*(after[knocked] - before[knocked])[:2]) == pytest.approx(STEP, abs=1e-5)
            seen.add(action)
    assert seen == set(FAMILY_OF) - {"is knocked away"}


def check_action(action, before, during, after):
    """The acting thing before, inside and after its event; columns as in :func:`looks`."""
    x, y, size, alpha, angle, colour = range(6)
    changed = {index for index in range(6) if abs(after[index] - before[index]) > 1e-6}
    if action in MOVES:
        wanted = np.array(MOVES[action]) * STEP
        np.testing.assert_allclose(after[:2] - before[:2], wanted, atol=1e-5)
    elif action == "hits another shape":
        assert changed <= {x, y} and changed
    elif action in ("appears", "disappears"):
        assert changed == {alpha}
        assert (before[alpha] == 0) == (action == "appears")
        assert (after[alpha] == 0) == (action == "disappears")
    elif action in ("grows", "shrinks"):
        assert changed == {size}
        assert after[size] / before[size] == pytest.approx(GROWTH if action == "grows" else 1 / GROWTH, rel=1e-5)
    elif action.startswith("turns "):
        assert changed == {colour}
        assert COLOURS[int(after[colour])] == action.split(" ")[1]
    elif action == "spins":
        assert changed == {angle}
    else:
        assert action == "blinks"
        assert not changed
        assert (during[:, alpha] == 0).any() and (during[:, alpha] > 0).any()
