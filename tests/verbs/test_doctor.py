"""``tevo doctor``: says what works, and of each thing that does not, why and what to do."""

import pytest
import torch

from tevo import build_backbone, register_backbone
from tevo.backbones import registry
from tevo.cli import main
from tevo.verbs import doctor


def of(findings):
    return {finding.what: finding for finding in findings}


@pytest.fixture
def light(monkeypatch):
    """Without the backbones, which have tests of their own below."""
    monkeypatch.setattr(doctor, "backbones", lambda named=None: [])


def test_a_machine_on_which_the_tests_run_is_well(light, tmp_path, capsys):
    main(["doctor", "--cache_dir", str(tmp_path)])
    printed = capsys.readouterr().out
    assert printed.endswith("tevo works on this machine\n")
    for area in ("versions", "devices", "readers", "caches"):
        assert f"\n{area}\n" in f"\n{printed}"
    assert f"torch {torch.__version__}" in " ".join(printed.split())
    assert "they came" in printed and "H.264" in printed
    assert f"{tmp_path}: 0 entries" in printed


def test_what_does_not_work_ends_with_status_1_and_is_named(light, tmp_path, monkeypatch, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(doctor, "version", lambda name: "0.1" if name == "av" else "99")
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--cache_dir", str(blocked / "cache")])
    assert end.value.code == 1
    printed = capsys.readouterr().out
    assert "NO  av" in printed and "0.1; wanted is >=15: pip install 'av>=15'" in printed
    assert "cannot be written to" in printed and "give --cache_dir FOLDER" in printed
    assert printed.splitlines()[-1].endswith("features") and " av, " in printed.splitlines()[-1]


def test_a_library_that_is_missing_is_named_with_its_bound(monkeypatch):
    def version(name):
        raise doctor.PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", version)
    found = of(doctor.versions())
    assert found["torch"] == ("NO", "torch", "not installed; pip install 'torch>=2.11'")


def test_frames_at_wrong_seconds_are_noticed(monkeypatch):
    from tevo.video import reader

    real = reader.read_frames
    monkeypatch.setattr(reader, "read_frames", lambda video, times: real(video, [time + 0.1 for time in times]))
    assert of(doctor.readers())["frames"].state == "NO"


def test_a_check_that_dies_is_a_finding(light, monkeypatch):
    def broken():
        raise OSError("no libavcodec.so")
        yield

    monkeypatch.setattr(doctor, "readers", broken)
    found = doctor.examine()
    assert found["readers"] == [("NO", "readers", "OSError: no libavcodec.so")]
    assert found["caches"]


@pytest.fixture
def only(monkeypatch):
    """A registry of two: one that works, and one that is named on demand."""
    monkeypatch.setattr(registry, "_BUILT_IN", {"clip_tiny": "tevo.backbones.clip:clip_tiny"})
    monkeypatch.setattr(registry, "_registered", {})


def test_tiny_backbones_are_tried_and_others_when_they_are_named(only):
    @register_backbone
    def big():
        backbone = build_backbone("clip_tiny")
        backbone.encode_text = lambda texts: torch.ones(len(texts), 3)
        return backbone

    found = of(doctor.backbones())
    assert found["clip_tiny"].state == "ok" and "keeps its promises" in found["clip_tiny"].detail
    assert found["big"].state == "--" and "tevo doctor --backbone big" in found["big"].detail
    tried = of(doctor.backbones("big"))["big"]
    assert tried.state == "NO" and "AssertionError" in tried.detail


def test_a_name_that_is_not_registered_is_answered_with_the_nearest(only):
    found = of(doctor.backbones("clip_tinny"))
    assert found["clip_tinny"].state == "NO" and "did you mean clip_tiny" in found["clip_tinny"].detail
