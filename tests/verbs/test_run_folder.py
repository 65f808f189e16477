"""Earlier runs are kept; checkpoints that are missing, damaged or a stranger's are refused in words."""

import os
from fractions import Fraction

import pytest
import torch

from tevo.errors import TevoError
from tevo.verbs.run_folder import check_checkpoint, find_checkpoint, move_aside


def run_in(folder, text):
    (folder / "logs").mkdir(parents=True)
    (folder / "config.yaml").write_text(text)
    return folder


def test_an_earlier_run_is_moved_aside_and_kept(tmp_path, capsys):
    for number in (1, 2):
        folder = run_in(tmp_path / "clip", f"run {number}")
        assert move_aside(folder) == tmp_path / f"clip.earlier-{number}"
        assert not folder.exists()
        assert (tmp_path / f"clip.earlier-{number}" / "config.yaml").read_text() == f"run {number}"
    assert "clip.earlier-2" in capsys.readouterr().err


def test_a_folder_without_a_run_stays(tmp_path):
    (tmp_path / "config.yaml").touch()  # some other program's
    assert move_aside(tmp_path) is None
    assert move_aside(tmp_path / "absent") is None
    assert (tmp_path / "config.yaml").exists()


def test_the_current_folder_is_never_moved(tmp_path, monkeypatch):
    folder = run_in(tmp_path / "clip", "a run")
    monkeypatch.chdir(folder)
    with pytest.raises(TevoError, match="--ckpt_path last"):
        move_aside(folder)
    assert (folder / "config.yaml").exists()


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "step.ckpt"
    torch.save({"state_dict": {"weight": torch.ones(3)}, "loops": {}}, path)
    return path


def test_good_checkpoints_pass(checkpoint):
    for path in (None, "last", "best", str(checkpoint)):
        check_checkpoint(path)


def test_a_missing_checkpoint_names_the_path(tmp_path):
    with pytest.raises(TevoError, match=r"no checkpoint at .*absent\.ckpt"):
        check_checkpoint(str(tmp_path / "absent.ckpt"))


def test_a_damaged_checkpoint_is_refused(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:200])
    with pytest.raises(TevoError, match="damaged"):
        check_checkpoint(str(checkpoint))


def test_weights_alone_are_refused(tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "weights.pt")
    with pytest.raises(TevoError, match="weights alone"):
        check_checkpoint(str(tmp_path / "weights.pt"))


def test_a_checkpoint_from_an_unknown_hand_is_not_unpickled(checkpoint):
    torch.save({"state_dict": {}, "loops": {}, "surprise": Fraction(1, 3)}, checkpoint)
    with pytest.raises(TevoError, match="tevo did not write it"):
        check_checkpoint(str(checkpoint))


def test_the_newest_of_a_word_is_found(tmp_path):
    assert find_checkpoint("last", tmp_path) is None
    (tmp_path / "checkpoints").mkdir()
    for age, name in enumerate(("last-v1.ckpt", "last.ckpt", "best.ckpt")):
        path = tmp_path / "checkpoints" / name
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    assert find_checkpoint("last", tmp_path).name == "last-v1.ckpt"
    assert find_checkpoint("best", tmp_path).name == "best.ckpt"
