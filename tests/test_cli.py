"""The command line as a user meets it: verbs, help, and one clear message for what is theirs to mend."""

import pytest

from tevo import TevoError, __version__
from tevo.cli import main
from tevo.verbs.table import REHEARSAL_VERBS, SMALL_VERBS, TRAINER_VERBS


def refusal(words, capsys):
    """What is printed for words that tevo refuses."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.err


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(words, capsys):
    main(words)
    printed = capsys.readouterr().out
    for verb in (*TRAINER_VERBS, *REHEARSAL_VERBS, *SMALL_VERBS):
        assert f"\n  {verb} " in printed


def test_version(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"tevo {__version__}\n"


def test_unknown_verb_names_the_closest(capsys):
    assert "'fitt' is not a verb of tevo" in (message := refusal(["fitt"], capsys))
    assert "did you mean 'fit'?" in message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["world"], "required: out"),
        (["world", "somewhere", "--size", "huge"], "'tiny', 'small', 'full'"),
        (["world", "somewhere", "--sizes", "small"], "unrecognized arguments: --sizes"),
        (["world", "somewhere", "--seed", "one"], "int"),
    ],
)
def test_bad_option_of_a_small_verb_is_one_message(words, said, capsys):
    message = refusal(words, capsys)
    assert message.startswith("tevo: error: ")
    assert said in message
    assert message.endswith("`tevo world --help` lists the options.\n")


@pytest.mark.parametrize("verb", SMALL_VERBS)
def test_help_of_a_small_verb(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"usage: tevo {verb}" in capsys.readouterr().out


def test_debug_shows_the_traceback():
    with pytest.raises(TevoError, match="not a verb"):
        main(["fitt", "--debug"])


def test_debug_by_environment(monkeypatch):
    monkeypatch.setenv("TEVO_DEBUG", "1")
    with pytest.raises(TevoError, match="not a verb"):
        main(["fitt"])


def test_world_and_index_and_list(tmp_path, capsys):
    root = tmp_path / "world"
    main(["world", str(root), "--size", "tiny", "--workers", "1"])
    assert str(root / "test" / "annotations.jsonl") in capsys.readouterr().out
    (root / "train" / "broken.mp4").write_bytes(b"")

    main(["index", str(root / "train"), "--manifest", str(tmp_path / "manifest.jsonl"), "--workers", "1"])
    printed = capsys.readouterr().out
    assert "broken.mp4: empty file" in printed
    assert f"{len(list((root / 'train').glob('*.mp4'))) - 1} videos" in printed
    assert "1 bad files" in printed


def test_list_says_where_each_comes_from(capsys):
    main(["list"])
    printed = capsys.readouterr().out
    assert "clip_tiny" in printed
    assert "videomae.yaml" in printed
    assert "rewards (" in printed and "module:function" in printed


def test_report_of_a_folder_without_a_run(tmp_path, capsys):
    assert str(tmp_path) in refusal(["report", str(tmp_path)], capsys)
