import re
from dataclasses import replace

from tevo.report.run import read_run
from tevo.report.sections import curves_section, heading, rounds_section


def words(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def without_labels(run):
    rounds = tuple(replace(entry, metrics={}) for entry in run.results.rounds)
    return replace(run, results=replace(run.results, rounds=rounds, controls={}))


def test_the_heading_says_what_ran_and_how_it_came_out(run_dir):
    text = words(heading(read_run(run_dir)))
    for said in ("clip_tiny on train", "The best is round 2", "160, 3 bad", "3 of 3", "official", "0.1.0"):
        assert said in text
    best = read_run(run_dir).results.rounds[2].metrics["test/mIoU"]
    assert f"{best:.1f} {best - 21.9:+.1f} mIoU" in text


def test_a_run_that_did_not_help_says_so(run_dir):
    run = read_run(run_dir)
    text = words(heading(replace(run, results=replace(run.results, best_round=0))))
    assert "no round beat the zero-shot backbone" in text


def test_without_labels_the_headline_figures_are_the_signals(run_dir):
    run = without_labels(read_run(run_dir))
    text = words(heading(run))
    assert "Dependency gap" in text and "mIoU" not in text
    assert "No labelled questions were given" in rounds_section(run)
    assert "Signals without labels" in curves_section(run)


def test_every_round_and_control_has_its_line_and_the_best_is_marked(run_dir):
    page = rounds_section(read_run(run_dir))
    test, ood = re.findall(r"<table.*?</table>", page)
    assert [words(row).split()[0] for row in re.findall(r"<tr.*?</tr>", test)[1:]] == [
        "0",
        "1",
        "2",
        "3",
        "shrunk",
        "centre",
    ]
    assert words(re.search(r"<tr class=.best.*?</tr>", test)[0]).startswith("2 best")
    assert "shrunk" not in ood  # it was measured on test only


def test_signals_are_drawn_for_both_judges(run_dir):
    page = curves_section(read_run(run_dir))
    assert page.count('<polyline class="s2"') == 5  # one a signal
    assert "frozen round-0 Solver" in page
