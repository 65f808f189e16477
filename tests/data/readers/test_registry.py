from importlib.metadata import EntryPoint

import pytest

import tevo
from tevo.cli import main
from tevo.data.readers import Benchmark, Layout, get_benchmark, list_benchmarks, read_benchmark, register_benchmark
from tevo.data.readers import registry as module
from tevo.errors import TevoError

LAYOUT = Layout(video="clip", text="asked")
MINE = Benchmark(name="my_set", title="Mine", source="https://example.org/a", layouts=(LAYOUT,))


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(module, "_registered", {})


def offer(monkeypatch, **targets):
    """What pip would have put into the metadata."""
    points = [EntryPoint(name, target, "tevo.benchmarks") for name, target in targets.items()]
    monkeypatch.setattr(module, "entry_points", lambda group: [point for point in points if point.group == group])


def test_every_built_in_name_leads_to_a_declaration_of_that_name():
    names = list(list_benchmarks())
    assert len(names) >= 29
    for name in names:
        benchmark = get_benchmark(name)
        assert benchmark.name == name
        assert benchmark.title
        assert benchmark.layouts


def test_a_registered_benchmark_is_listed_and_read(tmp_path, capsys):
    tevo.register_benchmark(MINE)
    assert tevo.list_benchmarks()["my_set"] == "https://example.org/a (registered in this process)"
    file = tmp_path / "rows.csv"
    file.write_text("clip,asked\na.mp4,What falls?\n")
    (question,) = read_benchmark("my_set", file).questions
    assert (question.video, question.text) == ("a.mp4", "What falls?")
    main(["list"])
    printed = capsys.readouterr().out
    assert "my_set" in printed
    assert "nextgqa" in printed


def test_a_name_that_is_taken_is_refused():
    register_benchmark(MINE)
    register_benchmark(MINE)  # the same cell run twice
    with pytest.raises(TevoError, match=r"two benchmarks are called 'my_set': https://example\.org/a and elsewhere"):
        register_benchmark(Benchmark(name="my_set", title="Other", source="elsewhere", layouts=(LAYOUT,)))
    with pytest.raises(TevoError, match=r"'nextgqa': tevo\.data\.readers\.grounded_qa:NEXTGQA and"):
        register_benchmark(Benchmark(name="nextgqa", title="Other", source="elsewhere", layouts=(LAYOUT,)))


def test_a_package_offers_its_own(monkeypatch):
    offer(monkeypatch, their_set="tevo.data.readers.grounded_qa:NEXTGQA")
    assert list_benchmarks()["their_set"].startswith("tevo.data.readers.grounded_qa:NEXTGQA (an unnamed package")
    assert get_benchmark("their_set").title == "NExT-GQA"


def test_a_package_that_takes_a_name_or_offers_something_else_is_refused(monkeypatch):
    offer(monkeypatch, nextgqa="elsewhere:SET")
    with pytest.raises(TevoError, match=r"two benchmarks are called 'nextgqa'.*elsewhere:SET of an unnamed package"):
        list_benchmarks()
    offer(monkeypatch, their_set="tevo.data.readers.registry:GROUP")
    with pytest.raises(TevoError, match="is a str, wanted a tevo Benchmark"):
        get_benchmark("their_set")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(TevoError, match=r"did you mean nextgqa or nextqa.*`generic`"):
        get_benchmark("next-gqa")
