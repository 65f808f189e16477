import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tevo.video import worker
from tevo.video.prober import Prober


@pytest.fixture
def asking():
    """A prober that is closed at the end."""
    made = []

    def make(timeout_s=60.0):
        made.append(Prober(timeout_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Put other code in the place of the worker, under the same protocol."""

    def replace(body):
        (tmp_path / "stand_in.py").write_text(
            "import json, os, sys, time\nprint('ready', flush=True)\n"
            f"for line in sys.stdin:\n    path = json.loads(line)\n    {body}\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(worker, "__name__", "stand_in")

    return replace


def test_one_process_answers_many_files(asking, clips):
    one = asking()
    assert one.ask(str(clips / "moviepy/bitmap.mp4"))["info"]["num_frames"] == 5
    process = one._process
    assert one.ask(str(clips / "made/text_named.mp4")) == {"reason": "not a video"}
    assert one.ask(str(clips / "decord/video_0.mov"))["info"]["num_frames"] == 3
    assert one._process is process


def test_a_crash_is_named_and_the_next_file_gets_a_new_process(asking, stand_in):
    stand_in("os.abort() if 'crash' in path else print(json.dumps({'info': path}), flush=True)")
    one = asking()
    assert one.ask("crash.mp4") == {"reason": "decoder crashed"}
    assert one.ask("good.mp4") == {"info": "good.mp4"}


def test_a_process_that_died_between_two_files_is_replaced(asking, stand_in):
    stand_in("print(json.dumps({'info': path}), flush=True); os._exit(0)")
    one = asking()
    assert [one.ask(name) for name in ("a", "b", "c")] == [{"info": "a"}, {"info": "b"}, {"info": "c"}]


def test_a_process_that_hangs_is_killed(asking, stand_in):
    stand_in("time.sleep(600) if 'hang' in path else print(json.dumps({'info': path}), flush=True)")
    one = asking(0.5)
    assert one.ask("hang.mp4") == {"reason": "timeout"}
    assert one.ask("good.mp4") == {"info": "good.mp4"}


def test_a_process_that_cannot_start_says_why(asking, stand_in, tmp_path):
    stand_in("pass")
    (tmp_path / "stand_in.py").write_text("raise ImportError('no decoder here')")
    with pytest.raises(RuntimeError, match="no decoder here"):
        asking().ask("a.mp4")


def test_closing_leaves_no_process(asking, clips):
    one = asking()
    one.ask(str(clips / "moviepy/bitmap.mp4"))
    process = one._process
    one.close()
    assert process.returncode is not None


def test_a_worker_left_alone_ends_itself(tmp_path):
    """Its asker was killed and the file hangs: nobody else is there to end it."""
    pipe = tmp_path / "hangs.mp4"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "tevo.video.worker", "-4.5"]  # the watchdog fires after 2 * limit + 10 s
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline().strip() == worker.READY
        process.stdin.write(json.dumps(str(pipe)) + "\n")
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        ended = process.poll() is not None
        process.kill()
    assert ended


def test_a_worker_does_not_outlive_its_asker(tmp_path):
    pipe = tmp_path / "hangs.mp4"
    os.mkfifo(pipe)
    code = (
        "import sys, threading; from tevo.video.prober import Prober; one = Prober(600.0); process = one._running();"
        "print(process.pid, flush=True); one.ask(sys.argv[1])"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(pipe)], stdout=subprocess.PIPE, text=True) as asker:
        worker_pid = int(asker.stdout.readline())
        asker.kill()
    deadline = time.monotonic() + 60
    while _is_alive(worker_pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(worker_pid)


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_library_prints_is_no_answer(clips):
    code = (
        "import os; from tevo.video import worker; worker.answer = lambda path: os.write(1, b'noise\\n') and {'x': 1}"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; worker.main()", "60"],
        input='"a"\n',
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [worker.READY, '{"x": 1}']


def test_a_strange_failure_is_one_files_reason(monkeypatch):
    def fail(path):
        raise ZeroDivisionError("no time at all")

    monkeypatch.setattr(worker, "probe", fail)
    assert worker.answer("a.mp4") == {"reason": "probe failed (ZeroDivisionError: no time at all)"}
