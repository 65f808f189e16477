"""``tevo plan`` and ``tevo check-reward`` are built as a fit is, and take its options."""

import pytest

from tevo.cli import main
from tevo.verbs.rehearsal import rehearse


def test_what_is_built_is_the_fit_elsewhere_on_one_device(place):
    cli = rehearse(["plan", "--config", "own.yaml", "--trainer.devices", "3"], place / "aside")
    assert cli.evolution.schedule.rounds == 2 and cli.videos.videos_per_batch == 3
    assert cli.trainer.default_root_dir == str(place / "aside" / "run")
    assert cli.trainer.num_devices == 1
    assert not (place / "run").exists()


@pytest.mark.parametrize("verb", ["plan", "check-reward"])
def test_they_take_the_options_of_a_fit_and_no_others(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"usage: tevo {verb} [--config FILE ...]" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main([verb, "--model.round", "3"])
    assert end.value.code == 2
    assert "model.round" in capsys.readouterr().err
