import base64
import io

import pytest
from PIL import Image

from tevo.report.strip import HEIGHT_PX, make_strip
from tevo.video import VideoError


def picture_of(strip):
    head, _, data = strip.uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_every_piece_shows_the_middle_of_its_part_of_the_video(world):
    """The disc of the made-up video crosses the picture as time goes by."""
    strip = make_strip(world / "world" / "train" / "000000.mp4")
    picture = picture_of(strip)
    number = len(strip.times_s)
    assert strip.span.start_s == 0 and strip.span.end_s == pytest.approx(24)
    assert strip.times_s == pytest.approx([24 * (index + 0.5) / number for index in range(number)])
    width = picture.width / number
    assert width / HEIGHT_PX == pytest.approx(160 / 90, rel=0.02)
    for index, time in enumerate(strip.times_s):
        row = [picture.getpixel((int(index * width) + x, HEIGHT_PX // 2))[0] for x in range(int(width))]
        bright = [x for x, red in enumerate(row) if red > 160]
        assert sum(bright) / len(bright) / width == pytest.approx(time / 24, abs=0.06)


def test_a_portrait_video_gives_more_and_narrower_pieces(world):
    wide, tall = (make_strip(world / "world" / "train" / f"00000{index}.mp4") for index in (0, 3))
    assert len(tall.times_s) > 2 * len(wide.times_s)
    assert tall.aspect == pytest.approx(wide.aspect, rel=0.2)


def test_what_is_no_video_raises_with_its_reason(tmp_path):
    (tmp_path / "noise.mp4").write_bytes(b"\x00\x01" * 500)
    with pytest.raises(VideoError):
        make_strip(tmp_path / "noise.mp4")
