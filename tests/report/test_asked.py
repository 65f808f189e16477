"""The page of one answer: what it says, in its own seconds, with whatever text as text."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tevo.answer import Answer, Look
from tevo.report.asked import Asked, render_asked
from tevo.report.asked_picture import WIDTH_PX, draw_asked
from tevo.structures import Span, TimedText
from tevo.video.info import probe

VIDEO = Path(__file__).parents[1] / "data" / "videos" / "made" / "events7_vfr.mp4"  # 23.4 s
OPTIONS = ("a door opens", "a pan falls", "a dog barks")
ALL, FOUND = (Span(0.0, 23.4),), (Span(6.0, 9.0),)
EVIL = '<script>alert("x")</script><img src=https://example.invalid/x.png>'


def look(name, answer="a pan falls", spans=FOUND, shown=ALL, sure=0.7):
    probs = {option: sure if option == answer else (1 - sure) / 2 for option in OPTIONS}
    return Look(name, shown, answer, spans, (0.5,) * len(spans), sure, probs, 31)


def asked(question="What happens first?", options=OPTIONS, looks=None, **changes):
    looks = looks or (look("whole video"), look("closer", shown=(Span(0.0, 19.0),), sure=0.9))
    last = looks[-1]
    facts = {"path": "coarse to fine: the closer look", "looks": looks} | changes
    answer = Answer(last.answer, last.spans, last.span_scores, last.confidence, last.option_probs, **facts)
    return Asked(probe(VIDEO), question, options, answer, "runs/x/hf/round-2/solver", 1.25)


@pytest.fixture(scope="module")
def page():
    return render_asked(asked())


def test_question_answer_confidence_path_and_cost_are_told(page):
    assert "<h1>What happens first?</h1>" in page and '<p class="said">a pan falls</p>' in page
    assert "<b>90%</b>" in page and "6.0–9.0 s" in page and "<b>62</b>" in page and "1.2 s" in page
    assert "coarse to fine: the closer look" in page
    assert re.findall(r'<span class="who">([^<]+)</span>', page)[:3] == ["Evidence", "Whole video", "Closer"]


def test_bars_stand_at_their_seconds(page):
    (left, width) = re.search(r'class="bar prediction" style="left:min\(([\d.]+)%.*?max\(([\d.]+)%', page).groups()
    length_s = probe(VIDEO).duration_s
    assert float(left) == pytest.approx(100 * 6 / length_s, abs=0.1)
    assert float(width) == pytest.approx(100 * 3 / length_s, abs=0.1)


def test_options_keep_their_letters_and_show_their_probabilities(page):
    rows = re.findall(r'<span class="letter">(.)</span><span class="text">([^<]+)', page)
    assert rows == [("A", "a door opens"), ("B", "a pan falls"), ("C", "a dog barks")]
    assert page.count("chosen") == 1


def test_of_a_bank_the_likeliest_are_shown():
    bank = {f"phrase {n}": n / 500 for n in range(30)}
    page = render_asked(asked(options=(), looks=(look("whole video"),), path="single pass"))
    assert "No options were given; the likeliest of 3 are shown" in page
    answer = Answer("phrase 29", (Span(1.0, 2.0),), (0.5,), 0.1, bank, looks=(look("whole video"),))
    page = render_asked(Asked(probe(VIDEO), "what", (), answer, "m", 1.0))
    assert page.count('<span class="letter">') == 8 and "phrase 29" in page and "phrase 3<" not in page


def test_whatever_is_asked_is_text():
    page = render_asked(asked(EVIL, (EVIL, "b", "c"), notes=(EVIL,), completion=EVIL, path=EVIL))
    assert "<script" not in page and "<img src=https" not in page and page.count("&lt;script&gt;") >= 5


def test_nothing_is_fetched_and_nothing_runs(page):
    assert "default-src 'none'" in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []


def test_no_spans_an_unread_reply_and_subtitles():
    none = Look("whole video", (Span(0.0, 23.4),), None, (), (), 0.0, {}, 31, False, "hm")
    page = render_asked(asked("why", (), (none,), parsed=False, completion="hm"))
    assert "The model&#x27;s reply could not be read" in page and "nowhere" in page and "<pre>hm</pre>" in page
    cues = (TimedText(Span(5.0, 8.0), "mind <b>the pan</b>"), TimedText(Span(15.0, 16.0), "gone"))
    page = render_asked(asked(subtitles=cues))
    assert "“mind &lt;b&gt;the pan&lt;/b&gt;”" in page and "Subtitles" in page


@pytest.mark.parametrize("question", ["What happens first?", "W" * 400, "why " * 200])
def test_the_picture_is_a_png_of_one_width(question):
    picture = Image.open(io.BytesIO(draw_asked(asked(question))))
    assert (picture.format, picture.width) == ("PNG", WIDTH_PX) and 200 < picture.height < 800
    assert len(picture.getcolors(2**20)) > 100  # frames are in it


def test_the_picture_shows_the_evidence_where_it_is():
    early, late = (
        Image.open(io.BytesIO(draw_asked(asked(looks=(look("whole video", spans=(Span(start, start + 2.0),)),)))))
        for start in (2.0, 18.0)
    )
    row = early.height - 40 - 70 + 10  # in the lane

    def blue(picture):
        near = range(row - 40, row + 10)
        return [x for x in range(WIDTH_PX) if any(picture.getpixel((x, y)) == (47, 111, 224) for y in near)]

    assert blue(early) and blue(late) and max(blue(early)) < min(blue(late))
