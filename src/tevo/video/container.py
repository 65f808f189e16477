"""Opening a video file, and the names for what is wrong with one. Free of torch."""

import os

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from tevo.errors import TevoError

av.logging.set_level(None)  # FFmpeg's complaints about damaged files become one VideoError, not a page of stderr


class VideoError(TevoError):
    """A video that cannot be read, or not up to where it was asked for.

    Attributes:
        path: the file.
        reason: short and stable, fit for counting: "not a video", "decode error at 10.4 s", ...
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"cannot read the video {path!r}: {reason}. Wanted a complete file that FFmpeg can decode; "
            "fetch or re-encode it again, or leave it out (`tevo index` lists every such file with its reason)"
        )
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["VideoError"], tuple[str, str]]:  # survives the way out of a worker process
        return type(self), (self.path, self.reason)


def open_container(path: str, timeout_s: float | None) -> InputContainer:
    """Open a local file for demuxing; the caller closes it.

    Raises:
        VideoError: "file not found", "a folder, not a file", "not readable (...)", "empty file", "no moov atom",
            "not a video", "timeout".
    """
    if os.path.isdir(path):
        raise VideoError(path, "a folder, not a file")
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except FileNotFoundError as error:
        raise VideoError(path, "file not found") from error
    except OSError as error:
        raise VideoError(path, f"not readable ({error.strerror})") from error
    if not head:
        raise VideoError(path, "empty file")
    try:
        # "file:" keeps a colon in a name from being read as a protocol; the whitelist keeps a playlist that
        # is named like a video from opening addresses.
        options = {"protocol_whitelist": "file"}
        return av.open("file:" + os.path.abspath(path), container_options=options, timeout=timeout_s)
    except av.error.ExitError as error:
        raise VideoError(path, "timeout") from error
    except OSError as error:  # a full table of open files, a lost disk
        raise VideoError(path, f"not readable ({error.strerror})") from error
    except av.FFmpegError as error:
        # An MP4 that was cut off before its index was written can be mended; a text file cannot.
        raise VideoError(path, "no moov atom" if head[4:8] == b"ftyp" else "not a video") from error


def first_video(path: str, container: InputContainer) -> VideoStream:
    """The first stream that moves. The container's order decides, not FFmpeg's guess of the "best" one.

    Raises:
        VideoError: "no video stream" (a cover picture is none), "unknown codec".
    """
    streams = [s for s in container.streams.video if "attached_pic" not in (s.disposition.name or "")]
    if not streams:
        raise VideoError(path, "no video stream")
    if streams[0].codec_context is None:
        raise VideoError(path, "unknown codec")
    return streams[0]
