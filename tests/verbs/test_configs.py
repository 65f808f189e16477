"""The shipped configs are found from any directory, say so, and can be copied out."""

import pytest

from tevo.cli import main
from tevo.errors import TevoError
from tevo.verbs.configs import shipped_configs, with_shipped_configs


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["conf/clip.yaml", "./conf/clip.yaml", "clip.yaml", "clip"])
@pytest.mark.parametrize("flag", ["--config", "-c"])
def test_a_config_that_is_not_here_is_the_shipped_one(name, flag, capsys):
    words = with_shipped_configs(["fit", flag, name, "--model.rounds", "1"])
    assert words == ["fit", flag, str(shipped_configs()["clip.yaml"]), "--model.rounds", "1"]
    assert f"no {name} here; using the one shipped with tevo" in capsys.readouterr().err


def test_the_equals_form():
    assert with_shipped_configs(["--config=conf/clip.yaml"]) == [f"--config={shipped_configs()['clip.yaml']}"]


def test_a_config_that_is_here_is_used_and_nothing_is_said(elsewhere, capsys):
    (elsewhere / "conf").mkdir()
    (elsewhere / "conf" / "clip.yaml").write_text("model: {}\n")
    words = ["fit", "--config", "conf/clip.yaml"]
    assert with_shipped_configs(words) == words
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("inline", ['{"model": {}}', "model:\n  rounds: 1\n"])
def test_an_inline_config_is_left_alone(inline):
    assert with_shipped_configs(["--config", inline]) == ["--config", inline]


def test_other_options_are_left_alone():
    words = ["fit", "--data.root", "conf/clip.yaml"]
    assert with_shipped_configs(words) == words


def test_an_unknown_config_names_the_path_and_the_shipped_ones(elsewhere):
    with pytest.raises(TevoError, match=r"conf/quickstart\.yaml") as error:
        with_shipped_configs(["--config", "conf/nothing.yaml"])
    assert str(elsewhere / "conf" / "nothing.yaml") in str(error.value)


def test_init_copies_every_shipped_config(elsewhere, capsys):
    main(["init", "mine"])
    folder = elsewhere / "mine" / "conf"
    copied = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.yaml")}
    assert copied == {name: path.read_text() for name, path in shipped_configs().items()}
    assert len(capsys.readouterr().out.splitlines()) == len(copied)


def test_init_overwrites_only_when_told(elsewhere, capsys):
    main(["init"])
    (edited := elsewhere / "conf" / "clip.yaml").write_text("mine\n")
    with pytest.raises(SystemExit):
        main(["init"])
    assert "clip.yaml" in capsys.readouterr().err
    assert edited.read_text() == "mine\n"
    main(["init", "--force", "true"])
    assert edited.read_text() == shipped_configs()["clip.yaml"].read_text()
