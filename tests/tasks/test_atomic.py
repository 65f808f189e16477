"""Whole or not at all: writers are killed at every step."""

import shutil
import subprocess
import sys

import pytest

from tevo.tasks.atomic import write_folder

WRITER = """
import os, pathlib, sys
from tevo.tasks.atomic import write_folder
folder, left, content = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()

def deadly(real):
    def call(*args):
        global left
        left -= 1
        if left == 0:
            os._exit(9)
        return real(*args)
    return call

os.fsync, pathlib.Path.rename = deadly(os.fsync), deadly(pathlib.Path.rename)
write_folder(folder, {"a": content, "b": content})
"""


def write(folder, killed_at, content):
    return subprocess.run([sys.executable, "-c", WRITER, str(folder), str(killed_at), content]).returncode


def test_a_writer_killed_anywhere_leaves_the_old_folder_the_new_one_or_none(tmp_path):
    folder = tmp_path / "round-1" / "solver"
    seen, ended = [], 9
    while ended:
        shutil.rmtree(folder.parent, ignore_errors=True)
        write_folder(folder, {"a": b"old", "b": b"old", "c": b"old"})
        ended = write(folder, len(seen) + 1, "new")
        inside = {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}
        assert inside in ({}, dict.fromkeys("abc", "old"), dict.fromkeys("ab", "new"))
        seen.append(inside.get("a", ""))
        # the next writer does not stumble over what the killed one left, and sweeps it away
        assert write(folder, 0, "next") == 0
        assert [path.name for path in folder.parent.iterdir()] == ["solver"]
        assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys("ab", "next")
    assert seen == ["old", "old", "old", "old", "", "new", "new"]


def test_a_failure_while_writing_leaves_what_was_there(tmp_path, monkeypatch):
    write_folder(tmp_path / "solver", {"a": b"old"})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_folder(tmp_path / "solver", {"a": b"new"})
    assert (tmp_path / "solver" / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["solver"]
