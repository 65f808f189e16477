"""``tevo check-reward``: every reward term on a few videos, and a stop with advice where nothing can be learnt."""

import re

import pytest

from tevo.cli import main
from tevo.verbs.check_reward import histogram


def test_rewards_are_checked_and_said_to_teach_something(place, capsys):
    main(["check-reward", "--config", "own.yaml"])
    printed = capsys.readouterr().out
    assert "could be put into words" in printed and "would be kept in the pool" in printed
    said = {line.split()[0]: line for line in printed.splitlines() if line.strip()}
    for term in ("learnability", "dependency", "evidence", "answer", "iou", "zoom", "reward"):
        assert re.search(r"mean +-?\d\.\d{3} +-?\d\.\d{3} \|.{10}\| -?\d\.\d{3}$", said[term]), term
    assert printed.count("are all paid alike") == 2 and printed.count("Questioner: ") >= 3
    assert not (place / "run").exists()


def test_a_run_that_could_learn_nothing_is_stopped_with_advice(place, capsys):
    with pytest.raises(SystemExit) as end:
        main(["check-reward", "--config", "own.yaml", "--model.questioner.min_naming", "1.01"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "nothing can be learnt with these settings" in said
    assert "0 of 24 questions could be put into words (0%)" in said
    assert "- no question can be asked" in said and "min_naming (1.01)" in said


def test_a_histogram_of_ten_bars():
    assert histogram([0.0] * 8 + [1.0] * 4 + [0.5]) == "█    ▁   ▄"
    assert histogram([0.3, 0.3]) == "█         "
