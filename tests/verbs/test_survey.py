"""What lies before a fit: videos by their paths, a bounded look at those nobody has seen, and a choice of others."""

from dataclasses import replace

import pytest

from tevo.errors import TevoError
from tevo.verbs import survey
from tevo.verbs.rehearsal import rehearse


@pytest.fixture
def cli(place):
    found = rehearse(["plan", "--config", "own.yaml"], place / "aside")
    found.videos.prepare_data()
    found.videos.setup("fit")
    return found


@pytest.fixture
def store(cli):
    return cli.videos.looking.store(cli.evolution.backbone)


def test_videos_to_measure_with_may_bear_the_names_of_those_to_train_on(cli, store):
    seen = survey.survey_of(cli, store)
    assert set(seen.videos) & set(seen.asked)
    assert len(seen.frames) == len(seen.videos) + len(seen.asked) == len(seen.missing)
    assert seen.annotated == len(cli.videos.val_questions)


def test_what_was_looked_at_is_in_the_cache_and_the_rest_is_still_missing(cli, store, monkeypatch):
    monkeypatch.setattr(survey, "LOOK_S", 0.0)
    new = list(survey.survey_of(cli, store).videos.values())
    frame_s, paths = survey.look(store, new)
    assert frame_s > 0 and len(paths) == 2  # one to see how long it takes, and one more
    after = survey.survey_of(cli, store)
    assert after.missing == set(after.frames) - paths
    assert survey.look(store, []) == (0.0, frozenset())


def test_the_rehearsal_is_of_videos_that_have_been_looked_at(cli, store):
    before = survey.survey_of(cli, store)
    names = sorted(before.videos)
    paths = {before.videos[name].path for name in names[:3]}
    part = replace(before, missing=before.missing - paths)
    assert sorted(survey.choose(part, 10, seed=0)) == names[:3]
    assert len(survey.choose(part, 2, seed=0)) == 2
    with pytest.raises(TevoError, match="a plan needs two videos that can be read, and 0"):
        survey.choose(before, 10, seed=0)
