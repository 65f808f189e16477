"""The card tells a stranger what the folder is, how to load it and what its training read."""

import json

import pytest

from tevo.tasks.card import plain, render_card

NAMED = {"name": "clip_tiny", "class_path": "tevo.backbones.clip.ClipBackbone", "fingerprint": "0123abcd"}
UNNAMED = {**NAMED, "name": None, "class_path": "mine.MyBackbone"}


def test_what_it_says():
    text = render_card("solver", NAMED, {"round": 3}, 123456, aligned=False)
    assert text.startswith("---\nlibrary_name: tevo\n")
    assert "# tevo solver, round 3\n" in text
    assert 'tevo.load("path/to/this/folder")' in text
    assert "123,456" in text and "`clip_tiny`" in text and "`0123abcd`" in text
    assert "No label, caption, subtitle or timestamp annotation was read in training" in text
    assert "phase 0" not in text


def test_an_unregistered_backbone_must_be_given():
    text = render_card("solver", UNNAMED, {}, 1, aligned=True)
    assert 'tevo.load("path/to/this/folder", backbone=the_backbone)' in text
    assert "`mine.MyBackbone`" in text and "phase 0" in text


def test_a_questioner_is_loaded_as_one():
    assert 'load_questioner("path/to/this/folder")' in render_card("questioner", NAMED, {}, 1, aligned=False)


@pytest.mark.parametrize("role", ["solver", "questioner"])
def test_its_snippet_is_python(role):
    text = render_card(role, UNNAMED, {}, 1, aligned=False)
    compile(text.split("```python\n")[1].split("```")[0], "README.md", "exec")


def test_figures_become_tables():
    card = {"seed": 0, "best": True, "metrics": {"test/mIoU": 41.256, "a|b": float("nan")}, "drops": {}}
    text = render_card("solver", NAMED, card, 1, aligned=False)
    assert "## Figures\n\n| | |\n|---|---|\n| seed | 0 |\n| best | true |\n" in text
    assert "## Metrics\n\n| | |\n|---|---|\n| test/mIoU | 41.26 |\n| a\\|b | - |\n" in text
    assert "Drops" not in text


def test_plain_values_survive_json():
    value = {1: (1, 2.5, float("inf")), "text": "a", "none": None, "path": NAMED.keys}
    assert json.loads(json.dumps(plain(value), allow_nan=False))["1"] == [1, 2.5, None]
