"""``tevo plan``: what a fit will read, hold and take; refused where the fit would be."""

import re
import time

import pytest
import yaml

from tevo.backbones.qwen_vl import QwenVL
from tevo.cli import main
from tevo.prompts.templates import FOLDER
from tevo.verbs.plan import make_plan, sized, spoken
from tevo.verbs.rehearsal import rehearse
from tevo.verbs.rehearsed import size_of

WRITES = """
seed_everything: 0
trainer: {{default_root_dir: run, accelerator: cpu, enable_progress_bar: false}}
model:
  backbone: {{class_path: tevo.backbones.qwen_vl.qwen2_5_vl_tiny, init_args: {{pretrained: false}}}}
  rounds: 2
  pseudo_label_epochs: 2
  votes: 3
  pool: {{agreement_low: 0.0, agreement_high: 1.0}}
  questioner: {{group: 2, per_video: 8, words: {{templates: mine.yaml, max_new_tokens: 40, control_votes: 2}}}}
  solver: {{group: 3, words: {{templates: mine.yaml, max_new_tokens: 30, control_votes: 2}}}}
data:
  root: {world}/train
  cache_dir: {cache}
  max_frames: 12
  max_tokens: 48
  heldout_share: 0.3
  videos_per_batch: 3
  workers: 1
  progress: false
"""


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


@pytest.fixture
def token_clock(monkeypatch):
    """A clock that tokens move, a millisecond each: what the language model reads and scores is all that takes time."""
    now = [0.0]

    def count(name, tokens):
        honest = getattr(QwenVL, name)

        def counted(self, *given, **named):
            now[0] += 1e-3 * tokens(*given)
            return honest(self, *given, **named)

        monkeypatch.setattr(QwenVL, name, counted)

    def of_prompts(prompts, *_):
        return sum(len(prompt.text) // 4 + (prompt.video.num_tokens if prompt.video else 0) for prompt in prompts)

    count("watch", lambda frames, *_: len(frames))
    count("log_probs", lambda prompts, given, *_: of_prompts(prompts) + int(given.mask.sum()))
    count("choose", of_prompts)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.slow
def test_the_plan_of_a_language_model_comes_true(place, world, dealt_words, token_clock, tmp_path):
    """Time within 30 %, by a clock that counts tokens; memory is left out, which other tests of this process share."""
    (place / "writes.yaml").write_text(WRITES.format(world=world, cache=place / "cache"))
    texts = yaml.safe_load((FOLDER / "instruct.yaml").read_text())
    (place / "mine.yaml").write_text(yaml.safe_dump({name: f"In my words. {text}" for name, text in texts.items()}))
    plan = make_plan(rehearse(["plan", "--config", "writes.yaml"], tmp_path), tmp_path)
    told = plan.render()
    assert all(0 < tokens <= 48 for tokens in plan.tokens) and "(its share of a prompt)" in told
    text = int(re.search(r"about (\d+) of a prompt's text", told)[1])
    assert 100 < text < 400  # the instruct template's 90 words, in pieces of a small vocabulary
    assert "replies of at most 40 (Questioner) and 30 (Solver)" in told
    began = token_clock[0]
    main(["fit", "--config", "writes.yaml"])
    spent = token_clock[0] - began
    assert 0.7 < plan.total_s / spent < 1.3, plan.seconds
    asked = [line for line in (place / "run" / "questions.jsonl").read_text().splitlines() if '"kept": true' in line]
    assert plan.questions == pytest.approx(len(asked) / 2, rel=0.3)
    own = [yaml.safe_load(path.read_text()) for path in (place / "run" / "hf").rglob("templates.yaml")]
    assert len(own) == 6 and all(text.startswith("In my words. ") for texts in own for text in texts.values())
    left = sum(size_of(place / "run" / name) for name in ("hf", "checkpoints"))
    assert plan.left_bytes == pytest.approx(left, rel=0.3)


@pytest.mark.parametrize(
    ("number", "said"), [(200_000, "0 MB"), (41_000_000, "41 MB"), (120_000_000, "0.1 GB"), (34 * 10**9, "34.0 GB")]
)
def test_bytes_in_the_unit_that_a_person_would_take(number, said):
    assert sized(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (99.0, "99 s"), (150.0, "2 min"), (5900.0, "98 min"), (6000.0, "1.7 h"), (90000.0, "25.0 h")],
)
def test_time_in_the_unit_that_a_person_would_take(seconds, said):
    assert spoken(seconds) == said
