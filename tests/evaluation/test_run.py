"""Models times benchmarks: files that tevo score reads, differences, what is missing, and going on."""

import json
from pathlib import Path

import pytest

from tevo.data.readers import read_benchmark
from tevo.errors import TevoError
from tevo.evaluation import BenchmarkChoice, agreed_spec, evaluate, find_contestants
from tevo.metrics import read_predictions, score_predictions
from tevo.report.evaluation import eval_table

CLIPS = Path(__file__).parents[1] / "data" / "videos"


@pytest.fixture
def contestants(runs):
    return find_contestants(["base", str(runs / "run")])


@pytest.fixture
def run(contestants, cache, tmp_path):
    def make(choices, models=contestants, **parts):
        how = {name: parts.pop(name) for name in ("limit", "seed", "fps") if name in parts}
        spec = agreed_spec({one.label: one.looks for one in models}, **how)
        return evaluate(models, choices, spec, tmp_path / "out", cache_dir=cache, progress=False, **parts)

    return make


def test_two_models_side_by_side_and_the_files_they_leave(run, choice, tmp_path):
    results = run([choice()], evidence=3)
    (one,) = results["benchmarks"]
    assert (one["scored"], one["answered_by_all"], one["not_put"], one["not_answered"]) == (4, 4, {}, {})
    models = one["protocols"]["tevo"]["models"]
    assert list(models) == ["base", "round-1"]
    gap = one["protocols"]["tevo"]["differences"]["round-1"]
    for name in ("IoU", "acc"):
        means = [models[label]["intervals"][name]["mean"] for label in models]
        assert gap[name]["mean"] == pytest.approx(means[1] - means[0])
    out = tmp_path / "out"
    assert json.loads((out / "results.json").read_text())["spec"]["fps"] == 1.0
    for label in models:
        folder = out / "generic" / label
        names = {"predictions.jsonl", "spec.json", "score-generic-tevo.json", "evidence.jsonl"}
        assert {path.name for path in folder.iterdir()} == names
        questions = read_benchmark("generic", choice().annotations).questions
        again = score_predictions("generic", "tevo", questions, read_predictions(folder / "predictions.jsonl"))
        assert again["figures"] == models[label]["figures"]
        assert json.loads((folder / "score-generic-tevo.json").read_text())["spec"]["prompt"]["when"].startswith("When")
    assert one["evidence"]["judge"] == "base"
    counts = {found["questions"] for found in one["evidence"]["models"].values()}
    assert counts == {3} or counts == {4}


def test_a_part_of_a_benchmark_says_so_and_keeps_its_denominator(run, choice, rows, row):
    odd = [row("e", "gone.mp4"), row("f", "made/text_named.mp4")]
    results = run([choice([*rows, *odd])])
    (one,) = results["benchmarks"]
    assert (one["scored"], one["answered_by_all"]) == (6, 4)
    assert one["not_put"] == {"e": "missing video: 'gone.mp4' is not there"}
    assert one["not_answered"] == {"base": {"f": "not a video"}, "round-1": {"f": "not a video"}}
    score = one["protocols"]["tevo"]["models"]["base"]
    assert score["counts"]["missing"] == 2
    assert float(score["answered_only"]["acc"]) * 3 == pytest.approx(score["figures"]["acc"] * 5, abs=0.5)
    table = eval_table(results)
    assert "6 questions, PARTIAL: 2 without an answer" in table
    assert "base, answered" in table
    assert "     1 not put to any model: e (missing video" in table
    assert "     1 not answered by base: f (not a video)" in table
    assert "in the denominator" in table


def test_a_limit_is_no_result_of_the_benchmark(run, choice):
    results = run([choice()], limit=1)
    (one,) = results["benchmarks"]
    assert one["scored"] + one["outside"] == 4 and one["outside"]
    assert "no result of the benchmark" in eval_table(results)


def test_several_benchmarks_each_in_its_own_folder(run, choice, tmp_path):
    charades = tmp_path / "charades_sta_test.txt"
    charades.write_text("events7_vfr 2.0 6.0##a person opens a door.\nevents7_vfr 9.0 12.0##a dog barks\n")
    results = run([choice(), BenchmarkChoice("charades_sta", charades, CLIPS / "made", ("tevo",))])
    assert [one["benchmark"] for one in results["benchmarks"]] == ["generic", "charades_sta"]
    rows = [
        json.loads(line)
        for line in (tmp_path / "out" / "charades_sta" / "base" / "predictions.jsonl").read_text().splitlines()
    ]
    assert rows[0]["query"] == "When does this happen: a person opens a door?"
    table = eval_table(results)
    assert "charades_sta, protocol tevo" in table and "round-1 - base" in table


def test_it_goes_on_and_takes_more_models_but_no_other_spec(run, choice, contestants, monkeypatch):
    one = choice()
    first = run([one], contestants[:1])
    asked = []
    monkeypatch.setattr("tevo.evaluation.run.predict", spy(asked))
    both = run([one])
    assert asked == [("generic, base", 0), ("generic, round-1", 4)]
    figures = [result["benchmarks"][0]["protocols"]["tevo"]["models"]["base"]["figures"] for result in (first, both)]
    assert figures[0] == figures[1]
    with pytest.raises(TevoError, match=r"under another spec: fps 1\.0, here 0\.5"):
        run([one], fps=0.5)


def spy(asked):
    from tevo.evaluation.predicting import predict

    def watched(model, some, spec, folder, title, progress):
        done = predict(model, some, spec, folder, title, progress)
        asked.append((title, done.new))
        return done

    return watched


@pytest.mark.parametrize(
    ("what", "said"),
    [("none", "at least one benchmark"), ("twice", "generic is there twice"), ("sure", "--confidence is 95")],
)
def test_what_cannot_be_evaluated(run, choice, what, said):
    choices = {"none": [], "twice": [choice(), choice()], "sure": [choice()]}[what]
    with pytest.raises(TevoError, match=said):
        run(choices, confidence=95.0 if what == "sure" else 0.95)
