"""The table of scorers, and the traps that a protocol has and ``tevo`` has not."""

import pytest

from tevo.errors import TevoError
from tevo.metrics.answered import Answered
from tevo.metrics.protocols import PROTOCOLS, SCORERS, protocols_of, scorer
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS

OPTIONS = ("a red car", "a blue bus", "a green bike", "a yellow van")


def asked(qid="q", row=None, truth="B", spans=((0.0, 10.0),), **more):
    return Answered(qid, f"{qid}.mp4", options=OPTIONS, truth=truth, true_spans=spans, duration_s=60.0, row=row, **more)


def pairs():
    return [(benchmark, protocol) for benchmark in SCORERS for protocol in protocols_of(benchmark)]


@pytest.mark.parametrize(("benchmark", "protocol"), pairs())
def test_every_scorer_counts_right_above_wrong(benchmark, protocol):
    """With the answers and spans of the truth every figure is at least what it is with wrong ones."""
    right = {"pred_answer": "B", "pred_relevant_windows": [[0.0, 10.0, 1.0]]}
    wrong = {"pred_answer": "C", "pred_relevant_windows": [[30.0, 40.0, 1.0]]}
    tables = []
    for row in (right, wrong):
        rows = [asked(f"sample_{index}", row, task="D") for index in range(4)]
        tables.append(scorer(benchmark, protocol)(rows).values())
    better, worse = tables
    assert set(better) == set(worse)
    comparable = [name for name in better if name != "parse_fail" and better[name] == better[name]]
    assert all(better[name] >= worse[name] for name in comparable)
    assert any(better[name] > worse[name] for name in comparable)


@pytest.mark.parametrize(("benchmark", "protocol"), pairs())
def test_columns_are_shares_one_a_unit(benchmark, protocol):
    rows = [
        asked(f"{i}_{i}", {"response": reply, "pred_relevant_windows": [[0.0, 5.0]]}, task="E")
        for i, reply in enumerate("AB")
    ]
    scored = scorer(benchmark, protocol)(rows)
    for column in scored.columns.values():
        assert len(column) == len(scored.units)
        assert all(value is None or 0 <= value <= 1 for value in column)


def test_names_of_parsers_and_protocols_belong_together():
    for name in (*LETTER_PARSERS, *SPAN_PARSERS):
        assert name.partition("/")[0] in PROTOCOLS


def test_an_unknown_pair_lists_what_there_is():
    with pytest.raises(TevoError, match=r"did you mean 'official'\? its protocols are official, video_zero"):
        scorer("nextgqa", "offical")
    with pytest.raises(TevoError, match="its protocols are tevo"):
        scorer("my_own_set", "official")
    assert scorer("my_own_set", "tevo") is scorer("youcook2", "tevo")


def test_a_missing_prediction_is_left_out_by_some_and_zero_for_tevo():
    rows = [asked("a", {"pred_answer": "B", "pred_relevant_windows": [[0.0, 10.0]]}), asked("b")]
    values = {name: scorer("nextgqa", name)(rows).values() for name in protocols_of("nextgqa")}
    assert values["official"]["mIoU"] == 100
    assert values["zoom_zero"]["mIoU"] == 1
    assert values["video_zero"]["mIoU"] == 0.5
    assert values["tevo"]["mIoU"] == values["tevo"]["acc"] == 50
    lvbench = {name: scorer("lvbench", name)(rows).values()["acc"] for name in ("official", "tevo")}
    assert lvbench == {"official": 1, "tevo": 50}


def test_a_point_wins_acc_gqa_officially_and_earns_nothing_with_tevo():
    rows = [asked("a", {"pred_answer": "B", "pred_relevant_windows": [[5.0, 5.0]]})]
    assert scorer("nextgqa", "official")(rows).values()["Acc&GQA"] == 100
    assert scorer("nextgqa", "tevo")(rows).values()["acc_gqa"] == 0


@pytest.mark.parametrize(
    ("benchmark", "protocol", "reply"),
    [
        ("mlvu", "zoom_zero", ""),
        ("nextgqa", "video_zero", "<answer>A. a bus, b</answer>"),
        ("videomme", "vlmevalkit", "By the way, I cannot see it"),
        ("lvbench", "official", "Bus"),
        ("mmvu", "onethinker", "Because it is blue"),
    ],
)
def test_replies_that_are_no_answer_are_credited_by_some_and_not_by_tevo(benchmark, protocol, reply):
    rows = [asked("a", {"response": reply})]
    assert max(scorer(benchmark, protocol)(rows).columns[("score" if protocol == "onethinker" else "acc")]) == 1
    assert scorer(benchmark, "tevo")(rows).values()["acc"] == 0


def test_a_hit_on_the_threshold_is_no_hit_where_thresholds_are_strict():
    rows = [asked("a", {"pred_relevant_windows": [[0.0, 5.0]]}, truth="")]
    assert scorer("tvgbench", "official")(rows).values()["R1@0.5"] == 0
    assert scorer("charades_sta", "official")(rows).values()["R1@0.5"] == 100
    assert scorer("tvgbench", "tevo")(rows).values()["R1@0.5"] == 100


def test_lmms_eval_reads_mlvus_test_tasks_by_name():
    dev = [asked("a", {"response": "B"}, task="plotQA")]
    test = [asked("a", {"response": "B"}, task="sportsQA")]
    assert scorer("mlvu", "lmms_eval")(dev).values()["M-Avg"] == pytest.approx(100 / 7)
    assert scorer("mlvu", "lmms_eval")(test).values()["M-Avg"] == pytest.approx(100 / 9)


def test_multi_binary_pairs_count_together():
    rows = [
        Answered(f"7_{n}", options=("yes", "no"), truth="A", extra={"question_id": "7"}, row={"response": reply})
        for n, reply in enumerate("AB")
    ]
    for protocol in ("lmms_eval", "tevo"):
        assert scorer("videomathqa", protocol)(rows).values()["Overall"] == 0
        assert scorer("videomathqa", protocol)(rows[:1]).values()["Overall"] == 100


def test_qvhighlights_refuses_a_query_without_window_and_tevo_counts_it_zero():
    rows = [asked("a", {"pred_relevant_windows": []}), asked("b", {"pred_relevant_windows": [[0.0, 10.0]]})]
    with pytest.raises(TevoError, match="--protocol tevo"):
        scorer("qvhighlights", "official")(rows)
    values = scorer("qvhighlights", "tevo")(rows).values()
    assert values["mAP"] == values["R1@0.7"] == 50
