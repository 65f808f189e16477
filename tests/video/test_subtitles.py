import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tevo.errors import TevoError
from tevo.structures import Span, TimedText
from tevo.video.subtitles import SUFFIXES, clean, clean_ass, parse_subtitles, read_text

# Made up, with the faults that files have: a byte order mark, CRLF, dots for commas, a cue that ends before it
# starts, a cue that lost its time line, seconds above 59.
BAD_SRT = (
    "\ufeff1\r\n00:00:02,000 --> 00:00:01,000\r\nend before start\r\n\r\n"
    "2\r\n00:00:01.500 --> 00:00:03.500\r\ndots not commas\r\n\r\n"
    "3\r\nno time line\r\n\r\n"
    "4\r\n00:00:03,000 --> 00:00:99,000 X1:100 X2:200\r\npast the end <i>é日本</i>\r\n"
)
VTT = """WEBVTT - a title
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000

NOTE
this is a comment --> not a cue

STYLE
::cue { color: red }

intro
00:01.500 --> 00:03.000 align:start position:0%
<v Bob>Fish &amp; <00:02.000>chips</v>

00:02.000 --> 00:04.000
Second line
and its end
"""
ASS = r"""[Script Info]
[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial
[Events]
Format: Layer, Start, End, Style, Text
Dialogue: 0,0:00:01.50,0:00:03.00,Default,{\an8}Hello,\Nworld
Comment: 0,0:00:01.50,0:00:03.00,Default,not said
Dialogue: 0,0:00:04.00,0:00:05.00,Default,{\p1}m 0 0 l 1 1{\p0}
Dialogue: 0,late,0:00:05.00,Default,when?
Dialogue: 0,0:00:06
"""


def cue(start_s, end_s, text):
    return TimedText(Span(start_s, end_s), text)


def test_a_damaged_subrip_file_loses_only_what_is_damaged():
    cues, damage = parse_subtitles(BAD_SRT, ".srt")
    assert cues == (cue(1.5, 3.5, "dots not commas"), cue(3.0, 99.0, "past the end é日本"))
    assert [(part.where, part.reason) for part in damage] == [
        ("line 2", "'end before start' ends at 1 s, before it starts at 2 s"),
        ("line 10", "no time line for 'no time line'"),
    ]


@pytest.mark.parametrize(
    "times",
    ["00:00:05,000 --> 00:00:06,500", "00:00:5,000-->00:00:6,500", "0:05.0 -> 0:06.5", " 00:05 --> 00:06.500 "],
)
def test_times_as_files_write_them(times):
    assert parse_subtitles(f"1\n{times}\nGreen!\n", ".srt") == ((cue(5.0, 6.5, "Green!"),), ())


def test_cues_without_an_empty_line_between_them():
    text = "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000 --> 00:00:04,000\ntwo"
    assert parse_subtitles(text, ".srt") == ((cue(1.0, 2.0, "one"), cue(3.0, 4.0, "two")), ())


def test_a_file_that_is_cut_off_keeps_what_came_before():
    cues, damage = parse_subtitles("1\n00:00:01,000 --> 00:00:02,000\none\n\n2\n00:00:03,000 --> 00:", ".srt")
    assert cues == (cue(1.0, 2.0, "one"),)
    assert [part.where for part in damage] == ["line 6"]
    cues, damage = parse_subtitles("1\n00:00:01,000 --> 00:00:02,000\n", ".srt")
    assert cues == ()
    assert [(part.where, part.reason) for part in damage] == [("line 2", "no words")]


def test_webvtt_has_notes_names_voices_and_entities():
    cues, damage = parse_subtitles(VTT, ".vtt")
    assert cues == (cue(1.5, 3.0, "Fish & chips"), cue(2.0, 4.0, "Second line and its end"))
    assert damage == ()
    cues, damage = parse_subtitles("00:01.000 --> 00:02.000\nno header", ".vtt")
    assert cues == (cue(1.0, 2.0, "no header"),)
    assert damage[0].where == "line 1"


def test_substation_has_its_columns_named_and_its_drawings_dropped():
    cues, damage = parse_subtitles(ASS, ".ass")
    assert cues == (cue(1.5, 3.0, "Hello, world"),)
    assert [part.where for part in damage] == ["line 9", "line 10", "line 11"]
    assert parse_subtitles(ASS, ".ssa") == (cues, damage)
    _, damage = parse_subtitles("Dialogue: 0,0:00:01.50,0:00:03.00,Default,words", ".ass")
    assert damage[0].reason.startswith("no start, end and text")


def test_the_json_of_longvideobench_in_both_its_forms():
    rows = [
        {"start": "00:00:01.500", "end": "00:00:03.000", "line": "one"},
        {"timestamp": [4.0, 5.5], "text": "two"},
        {"timestamp": [4.0, None], "text": "no end"},
        {"timestamp": [7.0, 6.0], "text": "reversed"},
        {"start": "soon", "end": "later", "line": "when"},
        5,
    ]
    cues, damage = parse_subtitles(json.dumps(rows), ".json")
    assert cues == (cue(1.5, 3.0, "one"), cue(4.0, 5.5, "two"))
    assert [part.where for part in damage] == ["row 3", "row 4", "row 5", "row 6"]
    with pytest.raises(TevoError, match="not complete JSON"):
        parse_subtitles('[{"start": ', ".json")


def test_another_kind_of_file_is_refused():
    with pytest.raises(TevoError, match=r"'\.sub' are not read; give one of \.srt, \.vtt"):
        parse_subtitles("", ".sub")


def test_words_are_cleaned():
    assert clean('<font color="red">a</font> <b>b</b>\n\n  {\\an8}c \x1b[2J\u202e') == "a b c [2J"
    assert clean("1 < 2 and 3 > 2, {braces} stay") == "1 < 2 and 3 > 2, {braces} stay"
    assert clean_ass(r"{\i1}one\Ntwo{\i0}\hthree {aside}") == "one two three {aside}"
    assert clean_ass(r"one {\an7\p1}m 0 0 l 1 1{\p0}two{\p2}m 1 1") == "one two"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_in_unicode(tmp_path, encoding):
    (tmp_path / "a.srt").write_bytes("ÁÉ日本".encode(encoding))
    assert read_text(tmp_path / "a.srt") == ("ÁÉ日本", ())


def test_files_in_other_letters_are_read_and_named(tmp_path):
    (tmp_path / "a.srt").write_bytes("café".encode("cp1252"))
    text, (damage,) = read_text(tmp_path / "a.srt")
    assert text == "café"
    assert "Windows-1252" in damage.reason


def test_files_that_are_no_subtitles_are_refused(tmp_path, monkeypatch):
    with pytest.raises(TevoError, match="cannot be read"):
        read_text(tmp_path / "nothing.srt")
    monkeypatch.setattr("tevo.video.subtitles.MAX_BYTES", 10)
    (tmp_path / "a.srt").write_text("x" * 11)
    with pytest.raises(TevoError, match="these are no subtitles"):
        read_text(tmp_path / "a.srt")


WORDS = st.text(alphabet="abc é", min_size=1, max_size=12).map(str.strip).filter(bool)
CUES = st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 9_999), WORDS), max_size=6)


def clock(milliseconds, comma):
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{comma}{rest:03}"


@settings(deadline=None, derandomize=True)
@given(CUES, st.sampled_from([(".srt", ","), (".vtt", ".")]))
def test_what_was_written_is_read_back(cues, kind):
    suffix, comma = kind
    blocks = [
        f"{number}\n{clock(start, comma)} --> {clock(start + length, comma)}\n{words}\n"
        for number, (start, length, words) in enumerate(cues, start=1)
    ]
    text = "\n".join([*(["WEBVTT\n"] if suffix == ".vtt" else []), *blocks])
    read, damage = parse_subtitles(text, suffix)
    assert [part.reason for part in damage] == ([] if cues else ["no cues in it"])
    wanted = [(start, start + length, words) for start, length, words in cues]
    found = [(round(c.span.start_s * 1000), round(c.span.end_s * 1000), c.text) for c in read]
    assert found == sorted(wanted, key=lambda cue: cue[:2])  # cues of the same time stay in the file's order


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet='01:,.->\n <i>{}\\N[]"aDialogue', max_size=80), st.sampled_from(SUFFIXES))
def test_no_text_makes_the_parser_trip(text, suffix):
    prefix = "WEBVTT\n" if suffix == ".vtt" else "Format: Start, End, Text\n" if suffix in (".ass", ".ssa") else ""
    try:
        cues, _ = parse_subtitles(prefix + text, suffix)
    except TevoError:
        assert suffix == ".json"
        return
    assert all(cue.text and cue.span.length_s > 0 for cue in cues)
