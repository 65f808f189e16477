"""The ways to answer, with a model that says what it is told to: who decides, what is shown, what it costs."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tevo.answer.answers import Answer, Look
from tevo.answer.looker import Looker, Request
from tevo.answer.ways import WAYS, Answering, answer_requests, around
from tevo.errors import TevoError
from tevo.structures import Question, Span
from tevo.video.decoder import VideoError
from tevo.video.info import VideoInfo

OPTIONS = ("a dog", "a cat", "a cow")
LENGTH_S, START_S, FPS, BUDGET = 600.0, 100.0, 2.0, 300


def info(path="v.mp4"):
    return VideoInfo(path, START_S, START_S + LENGTH_S, LENGTH_S, 25.0, 15000, 64, 64, "h264", 0, path, (START_S,))


def request(text="What happens first?", options=OPTIONS, path="v.mp4"):
    kind = "when" if text.startswith("When") else "first"
    video = info(path)
    return Request(Question("q", path, text, kind, options), video, (Span(video.start_s, video.end_s),))


def look(answer="a dog", spans=((200.0, 205.0),), confidence=0.5, tokens=7, parsed=True):
    found = tuple(Span(*span) for span in spans)
    probs = {option: confidence if option == answer else (1 - confidence) / 2 for option in OPTIONS} if answer else {}
    return Look("?", (), answer, found, (0.5,) * len(found), confidence, probs, tokens, parsed)


class Told(Looker):
    """Says what a function of the request says, and keeps what was shown."""

    def __init__(self, say):
        self.say, self.shown = say, []

    def look(self, requests, progress=False):
        self.shown += [(one.name, one.shown) for one in requests]
        said = [self.say(one) for one in requests]
        return [
            one if isinstance(one, VideoError) else replace(one, name=asked.name, shown=asked.shown)
            for one, asked in zip(said, requests, strict=True)
        ]

    def detail(self, video, shown):
        return min(FPS, BUDGET / sum(span.length_s for span in shown))

    def chunk_s(self, video, num_frames):
        return num_frames / FPS


def ask(say, way, *requests, **settings):
    looker = Told(say)
    (outcome, *more) = answer_requests(looker, requests or (request(),), Answering(way, **settings))
    return (outcome, looker) if not more else ([outcome, *more], looker)


def test_single_is_one_look_at_all_of_it():
    answer, looker = ask(lambda _: look(), "single")
    assert looker.shown == [("whole video", (Span(100.0, 700.0),))]
    assert (answer.answer, answer.path, answer.token_forwards) == ("a dog", "single pass", 7)


@pytest.mark.parametrize(("sure", "decides"), [(0.9, "a cat"), (0.4, "a dog"), (0.5, "a dog")])
def test_the_more_confident_of_two_looks_decides(sure, decides):
    def say(asked):
        return look() if asked.name == "whole video" else look("a cat", ((201.0, 203.0),), sure, 11)

    answer, looker = ask(say, "coarse_to_fine")
    assert looker.shown[1] == ("closer", (Span(190.0, 215.0),))
    assert answer.answer == decides
    assert answer.spans == (Span(201.0, 203.0) if decides == "a cat" else Span(200.0, 205.0),)
    assert ("closer look" in answer.path, answer.token_forwards) == (True, 18)
    assert [one.name for one in answer.looks] == ["whole video", "closer"]


def test_there_is_no_second_look_where_it_would_show_no_more():
    """No spans to look at, or spans as long as the video."""
    for spans in ((), ((100.0, 700.0),)):
        answer, looker = ask(lambda _, spans=spans: look(spans=spans), "coarse_to_fine")
        assert len(looker.shown) == len(answer.looks) == 1
        assert answer.answer == "a dog"


def test_an_unread_look_loses_and_stays_unread():
    def say(asked):
        return look(None, parsed=False, confidence=0.0) if asked.name == "whole video" else look("a cat")

    answer, _ = ask(say, "coarse_to_fine")
    assert (answer.answer, answer.parsed) == ("a cat", True)
    answer, _ = ask(lambda _: look(None, (), 0.0, parsed=False), "coarse_to_fine")
    assert (answer.answer, answer.parsed) == (None, False)


def test_a_closer_look_that_fails_leaves_the_first():
    def say(asked):
        return look() if asked.name == "whole video" else VideoError("v.mp4", "damaged")

    answer, _ = ask(say, "coarse_to_fine")
    assert answer.answer == "a dog" and "could not be taken" in answer.path


def test_chunks_cover_the_video_and_the_majority_of_the_surest_decides():
    """Five chunks of 128 s at most; the two unsure ones do not vote among three."""

    def say(asked):
        number = int(asked.name.split()[1])
        middle = asked.shown[0].start_s + 60
        sure = {1: 0.9, 2: 0.8, 3: 0.7, 4: 0.3, 5: 0.2}[number]
        return look("a cat" if number in (2, 3) else "a dog", ((middle, middle + 4),), sure)

    answer, looker = ask(say, "divide_and_conquer", top_chunks=3)
    shown = [spans[0] for _, spans in looker.shown]
    assert len(shown) == 5 and shown[0].start_s == 100 and shown[-1].end_s == 700
    assert all(one.end_s == other.start_s for one, other in pairwise(shown))
    assert answer.answer == "a cat" and answer.path == "divide and conquer: 2 of 3 chunks agree"
    assert answer.spans == (Span(280.0, 284.0),)  # the surest that agrees
    assert answer.confidence == pytest.approx((0.05 + 0.8 + 0.7) / 3)
    assert answer.token_forwards == 5 * 7


def test_where_no_majority_agrees_the_spans_are_looked_at_together():
    def say(asked):
        if asked.name == "chunks together":
            return look("a cow", ((232.0, 234.0),), 0.6, 11)
        number = int(asked.name.split()[1])
        middle = asked.shown[0].start_s + 60
        return look(OPTIONS[number % 3], ((middle, middle + 4),), 0.5)

    answer, looker = ask(say, "divide_and_conquer")
    name, shown = looker.shown[-1]
    assert name == "chunks together" and len(shown) == 5 and shown[0] == Span(150.0, 174.0)
    assert (answer.answer, answer.spans) == ("a cow", (Span(232.0, 234.0),))
    assert answer.token_forwards == 5 * 7 + 11
    assert answer.path == "divide and conquer: 5 chunks disagree, their spans together"


def test_spans_that_are_the_answer_never_vote():
    def say(asked):
        if asked.name == "chunks together":
            return look(None, ((300.0, 301.0),), 0.6)
        return look(None, ((asked.shown[0].start_s, asked.shown[0].start_s + 2),), 0.5)

    answer, _ = ask(say, "divide_and_conquer", request("When does this happen: a dog?", ()))
    assert answer.answer is None and answer.spans == (Span(300.0, 301.0),)


def test_chunks_that_cannot_hold_the_seconds_named_are_not_looked_at():
    answer, looker = ask(lambda _: look(), "divide_and_conquer", request("What happens between 210 s and 230 s?"))
    assert looker.shown == [("chunk 1 of 5", (Span(100.0, 220.0),)), ("chunk 2 of 5", (Span(220.0, 340.0),))]
    assert answer.path == "divide and conquer: 2 of 2 chunks agree"


def test_failures_are_named_and_their_neighbours_answered():
    def say(asked):
        return VideoError(asked.video.path, "damaged") if asked.video.path == "bad.mp4" else look()

    for way in WAYS:
        outcomes, _ = ask(say, way, request(), request(path="bad.mp4"), request())
        assert [isinstance(one, Answer) for one in outcomes] == [True, False, True]
        assert outcomes[1].reason == "damaged"


def test_chunks_of_which_none_says_anything():
    answer, _ = ask(lambda _: look(None, (), 0.0, parsed=False), "divide_and_conquer")
    assert (answer.parsed, answer.answer) == (False, None)
    assert answer.path == "divide and conquer: none of 5 chunks gave an answer"


def test_questions_are_answered_apart_and_in_order():
    def say(asked):
        return look(asked.question.options[int(asked.question.id)], confidence=0.9)

    requests = [replace(request(), question=replace(request().question, id=str(number))) for number in (2, 0, 1)]
    for way in WAYS:
        outcomes, _ = ask(say, way, *requests)
        assert [one.answer for one in outcomes] == ["a cow", "a dog", "a cat"]


@given(
    st.lists(st.tuples(st.floats(100, 700), st.floats(0, 50)), min_size=1, max_size=8),
    st.floats(0, 30),
)
def test_what_is_shown_around_spans_holds_them_in_order_and_apart(pairs, pad_s):
    spans = [Span(start, min(700.0, start + length)) for start, length in pairs]
    shown = around(spans, (Span(100.0, 700.0),), pad_s)
    assert all(any(one.start_s <= s.start_s and s.end_s <= one.end_s for one in shown) for s in spans)
    assert all(one.end_s < other.start_s for one, other in pairwise(shown))
    assert shown[0].start_s >= 100 and shown[-1].end_s <= 700


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"way": "guess"}, "no way to answer is called 'guess': choose one of single, coarse_to_fine"),
        ({"pad_s": -1.0}, "needs pad_s >= 0"),
        ({"top_chunks": 0}, "at least 1 chunk_frames and top_chunks"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(TevoError, match=said):
        Answering(**settings)
