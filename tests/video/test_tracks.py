import shutil
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tevo.errors import TevoError
from tevo.structures import Span, TimedText
from tevo.video import VideoError, read_subtitle_file, read_subtitles

CLIPS = Path(__file__).parents[1] / "data" / "videos"
SRT = "1\n00:00:00,500 --> 00:00:01,000\nA door opens.\n\n2\n00:00:02,000 --> 00:00:03,500\nIt <i>falls</i> shut.\n"
VTT = "WEBVTT\n\n00:00.500 --> 00:01.000\nA door opens.\n\n00:02.000 --> 00:03.500\nIt falls shut.\n"
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.50,0:00:01.00,Default,,0,0,0,,{\\an8}A door\\Nopens.
Dialogue: 0,0:00:02.00,0:00:03.50,Default,,0,0,0,,It falls shut.
"""
CUES = (TimedText(Span(0.5, 1.0), "A door opens."), TimedText(Span(2.0, 3.5), "It falls shut."))


def embed(text, path):
    """Put a subtitle file's cues into a container, as FFmpeg would."""
    path.write_text(text)
    video = path.with_suffix(".mkv")
    with av.open(str(path)) as source, av.open(str(video), "w") as out:
        stream = out.add_stream_from_template(source.streams.subtitles[0])
        stream.metadata["language"] = "eng"
        for packet in source.demux(source.streams.subtitles[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    path.unlink()
    return video


@pytest.mark.parametrize(("text", "name"), [(SRT, "a.srt"), (VTT, "a.vtt"), (ASS, "a.ass")])
def test_tracks_inside_a_video(tmp_path, text, name):
    video = embed(text, tmp_path / name)
    track = read_subtitles(video)
    assert track.cues == CUES
    assert (track.source, track.language, track.damage) == (f"{video}, stream 0", "eng", ())
    assert read_subtitles(video, language="en").cues == CUES
    assert read_subtitles(video, language="de") is None


def test_the_tracks_of_mp4_and_cues_that_say_no_end(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mov_text")
        stream.codec_context.subtitle_header = b""
        for start_ms, length_ms, words in ((0, 800, b"one"), (1000, 0, b"two"), (3000, 500, b"\xc3\xa9t\xe9")):
            packet = av.Packet(len(words).to_bytes(2, "big") + words + b"\x00\x00\x00\x0cstyl")
            packet.stream, packet.pts, packet.dts, packet.duration = stream, start_ms, start_ms, length_ms
            packet.time_base = Fraction(1, 1000)
            out.mux(packet)
    assert read_subtitles(path).cues == (
        TimedText(Span(0.0, 0.8), "one"),
        TimedText(Span(1.0, 3.0), "two"),  # until the next
        TimedText(Span(3.0, 3.5), "ét\ufffd"),  # one bad letter costs no cue
    )


def test_a_container_that_is_cut_off_gives_the_cues_before_the_cut(tmp_path):
    lines = "\n".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},500\n{'word ' * 40}{n}\n" for n in range(1, 50))
    video = embed(lines, tmp_path / "a.srt")
    whole = read_subtitles(video).cues
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    cut = read_subtitles(video).cues
    assert 0 < len(cut) < len(whole) == 49
    assert cut[:-1] == whole[: len(cut) - 1]


def test_a_file_beside_the_video_comes_first(tmp_path):
    video = tmp_path / "clip [1].webm"
    shutil.copy(CLIPS / "androidx-media" / "bear-vp9-odd-dimensions.webm", video)
    assert read_subtitles(video) is None
    (tmp_path / "clip [1].de.srt").write_text(SRT.replace("A door opens.", "Eine Tür geht auf."))
    (tmp_path / "clip [1].en.srt").write_text(SRT)
    (tmp_path / "clip [1].extra.en.srt").write_text("not its own")
    (tmp_path / "clip 1.srt").write_text("another video's")
    assert read_subtitles(video).language == "de"
    track = read_subtitles(video, language="eng")
    assert (track.source, track.language, track.cues) == (str(tmp_path / "clip [1].en.srt"), "en", CUES)
    assert read_subtitles(video, language="fr") is None


def test_a_file_beside_the_video_counts_from_where_playback_begins(tmp_path):
    """This stream's first picture has the pts 1.4667 s; its subtitles begin at 0."""
    video = tmp_path / "late.ts"
    shutil.copy(CLIPS / "androidx-media" / "sample_h264_mpeg_audio.ts", video)
    (tmp_path / "late.srt").write_text(SRT)
    first = read_subtitles(video).cues[0]
    assert first.span.start_s == pytest.approx(1.9667, abs=1e-3)
    assert first.span.length_s == pytest.approx(0.5)


def test_cues_before_a_cut_are_dropped_and_the_others_moved(tmp_path):
    (tmp_path / "film.vtt").write_text(VTT)
    track = read_subtitle_file(tmp_path / "film.vtt", shift_s=-1.5)
    assert track.cues == (TimedText(Span(0.5, 2.0), "It falls shut."),)


def test_what_is_said_in_a_stretch_of_time(tmp_path):
    (tmp_path / "film.srt").write_text(SRT)
    track = read_subtitle_file(tmp_path / "film.srt")
    assert track.within(Span(1.0, 2.0)) == ()
    assert track.within(Span(0.9, 2.1)) == CUES


def test_damage_travels_with_the_track(tmp_path):
    (tmp_path / "film.srt").write_bytes(SRT.replace("door", "t\xfcr").encode("latin-1") + b"\n\nlost words\n")
    track = read_subtitle_file(tmp_path / "film.srt")
    assert [cue.text for cue in track.cues] == ["A tür opens.", "It falls shut."]
    assert [part.where for part in track.damage] == ["the file", "line 10"]


def test_what_is_no_video_or_no_subtitle_file_is_refused(tmp_path):
    with pytest.raises(VideoError, match="file not found"):
        read_subtitles(tmp_path / "nothing.mp4")
    with pytest.raises(TevoError, match="are not read"):
        (tmp_path / "a.txt").write_text("x")
        read_subtitle_file(tmp_path / "a.txt")
