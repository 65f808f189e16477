"""A probing process and the hand that kills it: started once, asked for many files, replaced when it dies."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from tevo.video import worker

START_LIMIT_S = 120.0  # assumed: a cold disk and a busy machine


class Prober:
    """One worker process at a time; for use by one thread at a time.

    Args:
        timeout_s: seconds allowed for one file.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[bytes] | None = None
        self._closed = False
        self._starting = threading.Lock()

    def ask(self, path: str) -> dict[str, object]:
        """What :func:`tevo.video.worker.answer` says of a file, or the reason "timeout" / "decoder crashed"."""
        for _ in range(2):  # a process may die without the file's fault, so a crash counts when it repeats
            process = self._running()
            begun = time.monotonic()
            line = _exchange(process, path, self._timeout_s)
            if line.endswith("\n"):
                answer: dict[str, object] = json.loads(line)
                return answer
            self._stop()
            if time.monotonic() - begun >= self._timeout_s:
                return {"reason": "timeout"}
            if self._closed:
                break
        return {"reason": "decoder crashed"}

    def close(self) -> None:
        """End the process, also while another thread waits for its answer; no new one is started."""
        with self._starting:
            self._closed = True
        self._stop()

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        # Not multiprocessing: its children import the user's script again, and with it torch.
        package_root = str(Path(worker.__file__).parents[2])
        paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
        with self._starting:
            if self._closed:
                raise RuntimeError("this prober is closed")
            self._complaints = complaints = tempfile.TemporaryFile()
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", worker.__name__, str(self._timeout_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
        if _read_line(process, START_LIMIT_S).strip() != worker.READY and not self._closed:
            complaints.seek(0)
            raise RuntimeError(f"the probing process did not start: {complaints.read().decode(errors='replace')}")
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # unsent bytes to a process that is gone
                        pipe.close()
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None


def _exchange(process: "subprocess.Popen[str]", path: str, limit_s: float) -> str:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(path) + "\n")
        process.stdin.flush()
    except OSError:
        return ""
    return _read_line(process, limit_s)


def _read_line(process: "subprocess.Popen[str]", limit_s: float) -> str:
    """A line of the process; whatever came of it ("" mostly) when it was killed at the limit or died."""
    assert process.stdout is not None
    timer = threading.Timer(limit_s, process.kill)
    timer.daemon = True
    timer.start()
    try:
        return process.stdout.readline()
    except (OSError, ValueError):  # closed by another thread
        return ""
    finally:
        timer.cancel()
