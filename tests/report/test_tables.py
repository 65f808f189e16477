import math

from tevo.metrics import RoundResult, RunResults
from tevo.report import rounds_table

RESULTS = RunResults(
    {"protocol": "official"},
    (
        RoundResult(0, {"test/mIoU": 21.94, "test/acc_gqa": 4.4, "ood/mIoU": 11.0}, {"necessity": 0.2}),
        RoundResult(
            1,
            {"test/mIoU": 30.0, "test/acc_gqa": math.nan, "ood/mIoU": 12.0},
            {"necessity": 0.284, "kept": 3, "asked": 9},
        ),
    ),
    {"shrunk_spans": {"test/acc_gqa": 7.1, "factor": 0.4}},
    best_round=1,
)


def test_the_table_has_a_line_a_round_and_a_line_a_control():
    test, ood, signals = rounds_table(RESULTS).split("\n\n")
    assert [line.split() for line in test.splitlines()] == [
        ["test,", "points,", "protocol", "official"],
        ["round", "mIoU", "Acc@GQA"],
        ["0", "zero-shot", "21.9", "4.4"],
        ["1", "best", "30.0", "-"],
        ["shrunk", "spans", "×", "0.4", "-", "7.1"],
    ]
    assert ood.splitlines()[-1].split() == ["1", "best", "12.0"]
    assert [line.split() for line in signals.splitlines()[1:]] == [
        ["round", "necessity", "kept/asked"],
        ["0", "zero-shot", "20.0", "-"],
        ["1", "best", "28.4", "3/9"],
    ]


def test_columns_line_up():
    for block in rounds_table(RESULTS).split("\n\n"):
        head, *rows = block.splitlines()[1:]
        assert {len(row) for row in rows} == {len(head)}


def test_a_run_without_labels_has_its_signals_only():
    results = RunResults({}, (RoundResult(0, {}, {"dependency_gap": 0.187}),))
    assert rounds_table(results).splitlines()[0] == "signals without labels, points"


def test_nothing_measured_is_said():
    assert rounds_table(RunResults({})) == "no round was measured"
