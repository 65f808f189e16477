import importlib
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from tevo.backbones import registry
from tevo.backbones.base import Backbone
from tevo.backbones.registry import build_backbone, list_backbones, register_backbone
from tevo.errors import TevoError


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


def test_the_room_loads_no_model_library():
    heavy = "{'open_clip', 'transformers', 'timm', 'torchvision', 'lightning'}"
    code = f"import sys, tevo.backbones as b; b.list_backbones(); print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    # the development environment's torchvision hook may load torchvision by itself at start-up
    assert found.strip() in ("[]", "['torchvision']"), found


def test_every_built_in_name_leads_to_a_function_of_that_name():
    for name, target in registry._BUILT_IN.items():
        module, function = target.split(":")
        assert function == name
        assert callable(getattr(importlib.import_module(module), function))


def test_a_registered_function_is_listed_and_built_with_its_arguments():
    seen = []

    @register_backbone
    def my_tiny(pretrained: str | None = "x") -> Backbone:
        seen.append(pretrained)
        return build_backbone("clip_tiny", pretrained=pretrained)

    assert "my_tiny" in list_backbones()
    assert "registered in this process" in list_backbones()["my_tiny"]
    assert isinstance(build_backbone("my_tiny", pretrained=None), Backbone)
    assert seen == [None]


def test_a_name_taken_by_tevo_or_by_another_function_is_refused():
    def clip_tiny() -> Backbone:
        raise AssertionError("never built")

    with pytest.raises(TevoError, match=r"two backbones are called 'clip_tiny'.*tevo\.backbones\.clip:clip_tiny"):
        register_backbone(clip_tiny)

    def mine() -> Backbone:
        raise AssertionError("never built")

    register_backbone(mine)
    register_backbone(mine)  # the same cell run twice
    mine.__qualname__ = "elsewhere.mine"
    with pytest.raises(TevoError, match="rename one"):

        def other() -> Backbone:
            raise AssertionError("never built")

        other.__name__ = "mine"
        register_backbone(other)


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(TevoError, match=r"did you mean videomae_tiny.*clip_vit_b32.*class_path"):
        build_backbone("videomae-tiny")


def test_an_argument_the_builder_does_not_take_is_named():
    with pytest.raises(TevoError, match=r"clip_tiny takes .*pretrained.*colour"):
        build_backbone("clip_tiny", colour="red")


def test_a_builder_of_something_else_is_refused():
    @register_backbone
    def wrong() -> Backbone:
        return 3  # type: ignore[return-value]

    registry._registered["wrong"] = lambda: 3
    with pytest.raises(TevoError, match="returned a int, not a tevo Backbone"):
        build_backbone("wrong")


def test_an_installed_package_adds_a_name_and_may_not_take_one(monkeypatch):
    point = EntryPoint("clip_extra", "tevo.backbones.clip:clip_tiny", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])
    assert "tevo.backbones.clip:clip_tiny" in list_backbones()["clip_extra"]
    assert build_backbone("clip_extra", pretrained=None).spec.frames_per_clip == 1

    thief = EntryPoint("clip_tiny", "their.module:build", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [thief])
    with pytest.raises(TevoError, match=r"their\.module:build.*uninstall or rename"):
        list_backbones()
