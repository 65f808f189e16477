"""One spec for all, held fast beside the predictions; a suite of benchmarks in a file."""

import json

import pytest
import torch

from tevo.errors import TevoError
from tevo.evaluation import BenchmarkChoice, EvalSpec, agreed_spec, read_suite
from tevo.evaluation.spec import FROZEN_FILE, freeze

ENCODER = {"fps": 2.0, "max_frames": 512, "dense_factor": 2, "dtype": torch.float16}


def test_models_that_agree_need_no_word_and_others_name_what_they_do_not_agree_on():
    assert agreed_spec({"a": ENCODER, "b": ENCODER}).fps == 2.0
    other = ENCODER | {"fps": 1.0}
    with pytest.raises(TevoError, match=r"another fps each \(a 2\.0, b 1\.0\): give --fps"):
        agreed_spec({"a": ENCODER, "b": other})
    assert agreed_spec({"a": ENCODER, "b": other}, fps=0.5).fps == 0.5
    with pytest.raises(TevoError, match=r"another dense_factor each .*one by one"):
        agreed_spec({"a": ENCODER, "b": ENCODER | {"dense_factor": 1}})


def test_what_a_model_has_not_got_it_does_not_disagree_about():
    speaks = {"fps": 2.0, "max_frames": 512, "max_tokens": 4096}
    spec = agreed_spec({"encoder": ENCODER, "speaks": speaks}, max_tokens=1024)
    assert (spec.max_tokens, spec.dense_factor) == (1024, 2)
    assert agreed_spec({"encoder": ENCODER}, max_tokens=1024).max_tokens is None


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"answering": "twice"}, "no way to answer is called 'twice'"),
        ({"limit": 0}, "--limit is 0, wanted a number of questions"),
        ({"fps": 0.0}, "above 0 a second"),
    ],
)
def test_a_spec_that_makes_no_sense(parts, said):
    with pytest.raises(TevoError, match=said):
        EvalSpec(**{"fps": 1.0, "max_frames": 8} | parts)


def test_a_spec_is_held_fast(tmp_path, spec):
    row = spec().to_row() | {"questions": "abc"}
    freeze(tmp_path / "m", row)
    freeze(tmp_path / "m", row)
    assert json.loads((tmp_path / "m" / FROZEN_FILE).read_text())["questions"] == "abc"
    with pytest.raises(TevoError, match=r"under another spec: fps 1\.0, here 2\.0; questions 'abc', here 'abd'\. "):
        freeze(tmp_path / "m", spec(fps=2.0).to_row() | {"questions": "abd"})
    (tmp_path / "m" / FROZEN_FILE).write_text("{")
    with pytest.raises(TevoError, match="cannot be read"):
        freeze(tmp_path / "m", row)


def test_a_benchmark_is_scored_as_published_and_as_we_do(tmp_path):
    assert BenchmarkChoice("nextgqa", tmp_path, tmp_path).protocols == ("official", "tevo")
    assert BenchmarkChoice("generic", tmp_path, tmp_path).protocols == ("tevo",)
    assert BenchmarkChoice("nextgqa", tmp_path, tmp_path, ("zoom_zero",)).protocols == ("zoom_zero",)
    with pytest.raises(TevoError, match="not scored under 'mine'"):
        BenchmarkChoice("nextgqa", tmp_path, tmp_path, ("mine",))


def test_a_suite_names_files_beside_itself(tmp_path):
    file = tmp_path / "suite.yaml"
    file.write_text("- {benchmark: nextgqa, annotations: gqa, videos: v}\n"
                    "- {benchmark: generic, annotations: a.jsonl, videos: /v, protocols: [tevo]}\n")  # fmt: skip
    one, two = read_suite(file)
    assert (one.name, one.annotations, one.protocols) == ("nextgqa", tmp_path / "gqa", ("official", "tevo"))
    assert str(two.videos) == "/v"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("benchmark: nextgqa", "holds a dict, wanted a YAML list"),
        ("- nextgqa", r"entry 1 is 'nextgqa', wanted"),
        ("- {benchmark: a, annotations: b}", "entry 1 is .*wanted"),
        ("- {benchmark: generic, annotations: b, videos: c, protocol: tevo}", "did you mean 'protocols'"),
        ("- {benchmark: generic, annotations: b, videos: c, protocols: tevo}", "wanted a list of names"),
        ("- {", "cannot be read as YAML"),
    ],
)
def test_a_suite_that_is_none(text, said, tmp_path):
    (tmp_path / "suite.yaml").write_text(text)
    with pytest.raises(TevoError, match=said):
        read_suite(tmp_path / "suite.yaml")
