import re
from dataclasses import replace

from tevo.report.pool import pool_section, time_section
from tevo.report.run import read_run
from tevo.report.sections import heading


def table(page, title):
    found = re.search(rf"<h3>{title}</h3>.*?</table>", page)[0]
    rows = re.findall(r'<tr[^>]*><th scope="row">(.*?)</th>(.*?)</tr>', found)
    return {name: [int(count) for count in re.findall(r"<b>(\d+)</b>", cells)] for name, cells in rows}


def test_what_became_of_the_questions_adds_up(run_dir):
    fates = table(pool_section(read_run(run_dir)), "What became of the questions asked")
    assert next(iter(fates)) == "kept"
    assert [sum(column) for column in zip(*fates.values(), strict=True)] == [2400] * 3
    assert fates["too easy"] == [520, 430, 340]


def test_tries_that_made_no_question_are_named_beside_what_was_asked(run_dir):
    run = read_run(run_dir)
    assert "Tries that made no question" not in pool_section(run)
    first, second, *others = run.results.rounds
    cut = replace(second, signals=second.signals | {"faults": {"cut off": 500, "no <type>": 100}})
    page = pool_section(replace(run, results=replace(run.results, rounds=(first, cut, *others))))
    assert table(page, "Tries that made no question") == {"cut off": [500, 0, 0], "no &lt;type&gt;": [100, 0, 0]}
    assert 'title="16.7 %"' in page  # 500 of 3000


def test_levels_come_in_order_and_a_round_without_pool_is_left_out(run_dir):
    page = pool_section(read_run(run_dir))
    assert list(table(page, "Kept, by level")) == ["level 1", "level 2", "level 3", "level 4"]
    assert "round 0" not in page


def test_what_round_0_asks_is_measured_on_and_not_pooled(run_dir):
    run = read_run(run_dir)
    first, *others = run.results.rounds
    probed = replace(first, signals=first.signals | {"asked": 50, "agreement_hist": [5] * 10})
    run = replace(run, results=replace(run.results, rounds=(probed, *others)))
    page = pool_section(run)
    assert 'scope="col">round 0' not in page and page.count('<div class="hist"') == 10
    kept = sum(entry.signals["kept"] for entry in others)
    assert f"{kept} of 7200" in heading(run)


def test_there_is_a_histogram_for_each_round_and_signal(run_dir):
    page = pool_section(read_run(run_dir))
    assert page.count('<div class="hist"') == 9


def test_time_is_shared_among_the_stages(run_dir):
    page = time_section(read_run(run_dir))
    assert page.count('<div class="stack">') == 4
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", page)]
    assert max(sum(widths[-6:]), 0) <= 100.001
    shares = [int(share) for share in re.findall(r"(\d+)%</span>", page)]
    assert abs(sum(shares) - 100) <= 3


def test_what_was_not_measured_is_a_sentence(run_dir):
    run = read_run(run_dir)
    rounds = tuple(replace(entry, signals={}, seconds={}) for entry in run.results.rounds)
    empty = replace(run, results=replace(run.results, rounds=rounds))
    assert "No round has reported its pool" in pool_section(empty)
    assert "No round has reported how long" in time_section(empty)


def test_the_shaded_band_is_the_one_that_ran(run_dir):
    run = read_run(run_dir)
    spec = run.results.spec | {"agreement_band": [0.5, 0.75]}
    page = pool_section(replace(run, results=replace(run.results, spec=spec)))
    assert page.count('class="band" x="50" y="0" width="25"') == 3


def test_nothing_is_shaded_where_no_band_was_in_force(run_dir):
    run = read_run(run_dir)
    spec = {name: value for name, value in run.results.spec.items() if name != "agreement_band"}
    page = pool_section(replace(run, results=replace(run.results, spec=spec)))
    assert 'class="band"' not in page and "Shaded" not in page
