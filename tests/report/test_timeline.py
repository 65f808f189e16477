import re

import pytest

from tevo.report.cards import Card
from tevo.report.lanes import axis
from tevo.report.timeline import timeline
from tevo.structures import Span

OPTIONS = ["grows", "blinks", "turns"]
ASKED = {
    "id": "q1",
    "video": "000000.mp4",
    "text": "What <b>does</b> it do?",
    "kind": "what",
    "level": 2,
    "options": OPTIONS,
    "answer": "grows",
    "evidence": [[6.0, 12.0]],
    "window": [3.0, 15.0],
    "votes": {"grows": 6, "blinks": 3, "none": 1},
    "agreement": 0.6,
    "pseudo_answer": "grows",
    "pseudo_evidence": [[12, 18]],
    "round": 2,
    "kept": False,
    "reason": "spans disagree",
}
ANSWERED = {
    "qid": "t1",
    "vid": "000000.mp4",
    "query": "What does it do?",
    "options": OPTIONS,
    "pred_answer": "blinks",
    "pred_answer_confidence": 0.5,
    "pred_relevant_windows": [[0, 6, 0.9]],
    "answer": "grows",
    "relevant_windows": [[0, 12]],
    "kind": "what",
    "family": "size",
}


@pytest.fixture
def spec(world):
    root = world / "world"
    return {"data_root": str(root / "train"), "annotations": str(root / "test" / "annotations.jsonl")}


def bars(card, style):
    """(left, width) in per cent of a row's bars."""
    found = re.findall(rf'<i class="{style}" style="left:min\(([\d.]+)%[^"]*width:max\(([\d.]+)%', card)
    return [(float(left), float(width)) for left, width in found]


def option(card, text):
    """The line of one option, without tags."""
    (line,) = [li for li in re.findall(r"<li>.*?</li>", card) if f'<span class="text">{text}<' in li]
    return re.sub(r"<[^>]+>", " ", line).split()


def test_bars_stand_at_their_seconds(spec):
    """The video is 24 s long: 6 to 12 s is from a quarter to a half."""
    asked = timeline(Card("000000.mp4", ASKED, {}), spec)
    assert bars(asked, "bar questioner") == [(25, 25)]
    assert bars(asked, "window") == [(12.5, 50)]
    assert bars(asked, "bar pseudo") == [(50, 25)]
    assert bars(asked, "bar prediction") == bars(asked, "bar truth") == []
    answered = timeline(Card("000000.mp4", {}, ANSWERED, True), spec)
    assert bars(answered, "bar prediction") == [(0, 25)]
    assert bars(answered, "bar truth") == [(0, 50)]


def test_votes_and_marks_stand_beside_their_option(spec):
    asked = timeline(Card("000000.mp4", ASKED, {}), spec)
    assert option(asked, "grows") == ["A", "grows", "Questioner", "pseudo-label", "6"]
    assert option(asked, "blinks") == ["B", "blinks", "3"]
    assert option(asked, "none") == ["–", "none", "1"]  # a vote for no option is shown, too
    answered = timeline(Card("000000.mp4", {}, ANSWERED, True), spec)
    assert option(answered, "blinks") == ["B", "blinks", "chosen,", "50%", "sure"]
    assert option(answered, "grows") == ["A", "grows", "truth"]


def test_the_head_says_how_it_came_out(spec):
    answered = timeline(Card("000000.mp4", {}, ANSWERED, True), spec)
    assert "wrong answer" in answered and "IoU 0.50" in answered
    unparsed = timeline(Card("000000.mp4", {}, ANSWERED | {"pred_answer": ""}, True), spec)
    assert "no answer parsed" in unparsed
    assert "dropped: spans disagree" in timeline(Card("000000.mp4", ASKED, {}), spec)
    assert "kept in the pool" in timeline(Card("000000.mp4", ASKED | {"kept": True}, {}), spec)


def test_texts_are_shown_as_they_are_not_run(spec):
    card = timeline(Card("000000.mp4", ASKED, {}), spec)
    assert "What &lt;b&gt;does&lt;/b&gt; it do?" in card


def test_a_video_that_is_gone_leaves_a_sentence_and_the_bars(spec):
    card = timeline(Card("gone.mp4", ASKED, {}), spec)
    assert "gone.mp4 was not found" in card
    assert "<img" not in card
    assert len(bars(card, "bar questioner")) == 1


def test_a_damaged_video_leaves_its_reason_and_the_bars(tmp_path):
    (tmp_path / "noise.mp4").write_bytes(b"\x00\x01" * 500)
    card = timeline(Card("noise.mp4", ASKED, {}), {"data_root": str(tmp_path)})
    assert "The frames could not be read: " in card
    assert len(bars(card, "bar questioner")) == 1


def test_spans_past_the_end_are_cut_or_said_to_be_outside(spec):
    row = ANSWERED | {"pred_relevant_windows": [[18, 90]], "relevant_windows": [[100, 110]]}
    card = timeline(Card("000000.mp4", {}, row, True), spec)
    assert bars(card, "bar prediction") == [(75, 25)]
    assert bars(card, "bar truth") == []
    assert "outside the video" in card


def test_a_prediction_without_spans_is_shown_as_none(spec):
    card = timeline(Card("000000.mp4", {}, ANSWERED | {"pred_relevant_windows": []}, True), spec)
    assert '<span class="none">none</span>' in card


def test_an_open_question_lists_its_answers(spec):
    card = timeline(Card("000000.mp4", ASKED | {"options": [], "votes": {}, "pseudo_answer": "shrinks"}, {}), spec)
    assert option(card, "grows") == ["–", "grows", "Questioner"]
    assert option(card, "shrinks") == ["–", "shrinks", "pseudo-label"]


def test_a_when_question_shows_how_many_votes_agreed(spec):
    asked = ASKED | {
        "kind": "when",
        "options": [],
        "answer": "",
        "pseudo_answer": "",
        "votes": {"agree": 7, "elsewhere": 3},
    }
    card = timeline(Card("000000.mp4", asked, {}), spec)
    assert option(card, "agree") == ["–", "agree", "7"]
    assert option(card, "elsewhere") == ["–", "elsewhere", "3"]


def test_what_the_questioner_said_is_never_called_the_truth(spec):
    card = timeline(Card("000000.mp4", ASKED, ANSWERED), spec)
    assert bars(card, "bar truth") == []
    assert option(card, "grows") == ["A", "grows", "Questioner", "pseudo-label", "6"]
    assert len(bars(card, "bar prediction")) == 1


@pytest.mark.parametrize(
    ("start_s", "end_s", "wanted"),
    [(0.0, 381.0, "0:00 1:00 2:00 3:00 4:00 5:00 6:00"), (1.4, 130.0, "0:30 1:00 1:30 2:00"), (0.0, 9.0, "0 s")],
)
def test_a_long_video_is_marked_in_round_minutes(start_s, end_s, wanted):
    words = re.findall(r">([^<>]+)</span>", axis(Span(start_s, end_s)))
    assert words == wanted.split() if ":" in wanted else words[0] == wanted
