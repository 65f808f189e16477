"""Annotation files in the layouts of their authors, and rows written to read them back."""

import json
from pathlib import Path

import pytest

from tevo.data.readers import read_benchmark

ANNOTATIONS = Path(__file__).parents[1] / "annotations"


@pytest.fixture
def annotations():
    """The folder with one folder a benchmark; see SOURCES.md there."""
    return ANNOTATIONS


@pytest.fixture
def published(annotations):
    """Read a benchmark's file as its authors publish it, and return its questions by id."""

    def published(name, file=""):
        found = read_benchmark(name, annotations / name / file)
        assert found.report.left_out == 0
        return {question.id: question for question in found.questions}

    return published


@pytest.fixture
def read_rows(tmp_path):
    """Write rows (or raw lines) as JSON lines and read them as a benchmark's."""

    def read_rows(name, *rows, videos=None):
        file = tmp_path / "rows.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        file.write_text("\n".join(lines), encoding="utf-8")
        return read_benchmark(name, file, videos)

    return read_rows


@pytest.fixture
def videos(tmp_path):
    """Make empty video files, and return their folder."""

    def videos(*names):
        for name in names:
            path = tmp_path / "videos_of_the_test" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "videos_of_the_test"

    return videos
