"""``tevo plan``: what a fit will read, hold and take; refused where the fit would be."""

import re

import pytest

from tevo.cli import main
from tevo.verbs.plan import spoken


def lines_of(printed):
    return {line.split()[0]: line for line in printed.splitlines() if line.strip()}


@pytest.mark.slow
def test_a_plan_says_what_will_be_read_held_and_taken(place, world, capsys):
    main(["plan", "--config", "own.yaml"])
    printed = capsys.readouterr().out
    said = lines_of(printed)
    number = len(list((world / "train").glob("*.mp4")))
    annotated = len((world / "test" / "annotations.jsonl").read_text().splitlines())
    assert f"videos  {number} to train on" in printed and f"({annotated} questions)" in printed
    frames = int(re.search(r"(\d+) frames", said["read"]).group(1))
    assert frames <= (number + 4) * 24 * 2  # the dense rate doubles the bound
    missing = len(list((world / "test").glob("*.mp4")))
    assert f"{missing} videos have not been looked at" in said["read"]  # those to train on it has looked at itself
    assert "2 rounds" in said["pool"] and float(re.search(r"about (\d+)", said["pool"]).group(1)) > 0
    assert said["tokens"].endswith("of 6 tried")
    assert re.search(r"\d+\.\d GB", said["memory"])
    assert said["time"].startswith("time    about ")
    assert not (place / "run").exists() and not list(place.glob("lightning_logs"))


@pytest.mark.slow
def test_a_plan_is_refused_where_the_fit_would_be(place, capsys):
    with pytest.raises(SystemExit) as end:
        main(["plan", "--config", "own.yaml", "--model.questioner.min_naming", "1.01"])
    assert end.value.code == 2
    assert "no question to train the Solver on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_video_that_does_not_decode_is_not_counted_on(place, world, capsys):
    """It looks well to the index, so the rehearsal finds out."""
    train = place / "train"
    train.mkdir()
    for path in sorted((world / "train").glob("*.mp4")):
        (train / path.name).symlink_to(path)
    words = ["--data.root", str(train), "--data.val_annotations", "null"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tevo.data.features.read_probed", failing_for("000001.mp4"))
        main(["plan", "--config", "own.yaml", *words, "--data.videos_per_batch", "4"])
    said = lines_of(capsys.readouterr().out)
    assert said["tokens"].endswith("of 7 tried")


def failing_for(name):
    from tevo.video.container import VideoError
    from tevo.video.frame_list import read_probed

    def read(video, *args):
        if video.path.endswith(name):
            raise VideoError(video.path, "cannot be decoded at 3.0 s")
        return read_probed(video, *args)

    return read


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (99.0, "99 s"), (150.0, "2 min"), (5900.0, "98 min"), (6000.0, "1.7 h"), (90000.0, "25.0 h")],
)
def test_time_in_the_unit_that_a_person_would_take(seconds, said):
    assert spoken(seconds) == said
