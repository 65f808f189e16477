"""Prompts as lmms-eval's own tasks write them become questions, and answers what their scorers read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tevo.answer import Answer
from tevo.errors import TevoError
from tevo.integrations.lmms_eval.benchmarks import messages_of
from tevo.integrations.lmms_eval.chat import read_request, write_answer
from tevo.prompts.grammar import parse
from tevo.prompts.replies import LETTER_PARSERS, SPAN_PARSERS, plain_letter, plain_spans
from tevo.structures import Span

CLIP = str(Path(__file__).parents[2] / "data" / "videos" / "made" / "events7_vfr.mp4")
SPANS = (Span(2.5, 7.123456), Span(11.0, 12.0))
CHARADES = (
    "Please find the visual event described by a sentence in the video, determining its starting and ending times. "
    "The format should be: 'The event happens in the start time - end time'. For example, The event 'person turn a "
    "light on' happens in the 24.3 - 30.4 seonds. Now I will give you the textual sentence: {}. "
    "Please return its start time and end time."
)
VIDEOMME = (
    "Select the best answer to the following multiple-choice question based on the video and the subtitles. Respond "
    "with only the letter (A, B, C, or D) of the correct option.\n{}\nAnswer with the option's letter from the given "
    "choices directly."
)


CHOICE = "Who cooks?\n(A) a man.\n(B) a dog."


def chat(text, video=CLIP, **more):
    return [{"role": "user", "content": [{"type": "video", "url": video, **more}, {"type": "text", "text": text}]}]


def said(answer=None, spans=SPANS):
    return Answer(answer, spans, (0.5,) * len(spans), 0.5, {})


# --- what is asked ---


@pytest.mark.parametrize(
    ("prompt", "row"),
    [
        (VIDEOMME.format("Who cooks?\nA. a man.\nB. a dog.\n"), {"question": "Who cooks?"}),
        ("Question:Who cooks?\nOption:\n(A) a man.\n(B) a dog.\nBest option only.", {"question": "Who cooks?"}),
        ("Question: Who cooks?\nA. a man.\nB. a dog.\nSelect the best answer.", {"Question": "Who cooks?", "id": 3}),
        (f"{CHOICE}\nAnswer with the letter.", {"question": CHOICE}),
        ("Who cooks?\nA. a man.\nB. a dog.", {"doc": 1}),
    ],
    ids=["videomme", "mvbench", "video_holmes", "lvbench", "no such column"],
)
def test_a_multiple_choice(prompt, row):
    request = read_request(chat(prompt), row, "task row 0")
    assert request.question.text == "Who cooks?"
    assert request.question.options == request.options == ("a man.", "a dog.")
    assert (request.question.video, request.question.shown, request.form) == (CLIP, None, "letter")
    assert write_answer(said("a dog."), request) == "B"
    assert write_answer(said(), request) == ""


def test_options_that_read_alike_keep_their_letters():
    request = read_request(chat("How is she?\nA. sad\nB. happy\nC. happy\nD. cold"), {}, "task row 0")
    assert request.question.options == ("sad", "happy", "cold")
    assert write_answer(said("cold"), request) == "D"


def test_a_moment():
    request = read_request(chat(CHARADES.format("a person opens a box")), {"caption": "a person opens a box"}, "t")
    assert request.question.text == "When does this happen: a person opens a box?"
    assert (request.question.kind, request.question.options, request.form) == ("when", (), "moment")
    assert write_answer(said(), request) == "The event happens in the 2.5 - 7.123456 seconds."
    assert write_answer(said(spans=()), request) == ""


def test_an_open_question():
    asked = "What does the man start to do?"
    request = read_request(chat(f"{asked}\nShort answer:"), {"question": asked}, "t")
    assert (request.question.text, request.question.kind, request.form) == (asked, "open", "text")
    assert write_answer(said("he cooks"), request) == "he cooks"


@pytest.mark.parametrize(
    "more",
    [{"start_time": 2, "end_time": 5.5}, {"url": {"url": CLIP, "video_start": 2, "video_end": 5.5}}],
)
def test_a_part_of_a_video(more):
    assert read_request(chat("Who cooks?", **more), {}, "t").question.shown == Span(2.0, 5.5)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (chat("Who cooks?", "nowhere.mp4"), "charades row 3: there is no video file at nowhere.mp4"),
        (chat("  "), "charades row 3 asks nothing"),
        (chat("Who cooks?", start_time=2), "wanted are both bounds"),
        ([{"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]}], "shows nothing; tevo answers"),
        ([{"role": "user", "content": [{"type": "image", "url": "a"}] * 2}], "shows image and image"),
    ],
)
def test_what_cannot_be_asked_is_said(messages, reason):
    with pytest.raises(TevoError, match="charades row 3") as error:
        read_request(messages, {}, "charades row 3")
    assert reason in str(error.value)


# --- what the scorers read in the reply ---


@pytest.mark.parametrize("parser", sorted(name for name in LETTER_PARSERS if not name.startswith("zoom_zero/")))
def test_every_parser_reads_the_letter(parser):
    options = ("a man", "a dog", "nobody", "a cat")
    request = read_request(chat("Who cooks?\nA. a man\nB. a dog\nC. nobody\nD. a cat"), {}, "t")
    for option, letter in zip(options, "ABCD", strict=True):
        assert LETTER_PARSERS[parser](write_answer(said(option), request), options) == letter


@given(st.floats(0, 4000), st.floats(0.01, 4000))
def test_the_harness_reads_the_seconds_of_a_moment(start, length):
    request = read_request(chat(CHARADES.format("a person opens a box")), {"caption": "a person opens a box"}, "t")
    reply = write_answer(said(spans=(Span(start, start + length),)), request)
    for name in ("lmms_eval/charades_sta", "lmms_eval/timelens", "lmms_eval/extremewhenbench", "tevo"):
        ((low, high),) = SPAN_PARSERS[name](reply, 9000.0)
        assert (low, high) == pytest.approx((start, start + length), abs=1e-6)


@pytest.mark.parametrize("name", ["nextgqa", "rextime", "qvhighlights", "tvgbench", "vnbench", "anet_rtl"])
def test_the_shipped_tasks_read_back_what_is_written(name, rows_of, prompts_of):
    for row in rows_of(name):
        request = read_request(messages_of(row, prompts_of(name)), row, "t")
        assert request.question.kind == parse(request.question.text).kind
        assert (request.question.kind == "when") != bool(row["options"])
        assert request.options == tuple(row["options"])
        reply = write_answer(said(row["options"][-1] if row["options"] else None), request)
        if row["options"]:
            assert plain_letter(reply, row["options"]) == "ABCDEFGH"[len(row["options"]) - 1]
        if name != "vnbench":
            found = [(2.5, 7.123456), (11.0, 12.0)]
            assert plain_spans(reply, 23.0) == (found[:1] if name in ("tvgbench", "anet_rtl") else found)
