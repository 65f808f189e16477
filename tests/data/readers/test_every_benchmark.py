"""What holds for every benchmark, on files in its authors' layout: nothing is lost, leads out or crashes."""

import csv
import io
import json
import shutil
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tevo.data.readers import Reason, list_benchmarks, read_benchmark
from tevo.errors import TevoError

ANNOTATIONS = Path(__file__).parents[1] / "annotations"
FOLDERS = {"videomme_long": "videomme"}  # benchmarks whose rows stand in another one's files
NAMES = [name for name, origin in list_benchmarks().items() if origin.startswith("tevo.")]
HOSTILE = [None, True, -1, 0, 10**30, float("nan"), float("inf"), "", "nan", "../../../etc/passwd", "/etc/passwd", "A",
           "\ud800", "<script>alert(1)</script>", [], {}, [[2, 1]], ["a"], {"A": "a"}, "\x1b[2J"]  # fmt: skip


def folder_of(name):
    return ANNOTATIONS / FOLDERS.get(name, name)


@cache
def texts_of(name):
    """Every annotation file of a benchmark, by its place."""
    files = [file for file in sorted(folder_of(name).rglob("*")) if file.is_file() and file.name != "LICENSE"]
    return {file.relative_to(folder_of(name)): file.read_text(encoding="utf-8") for file in files}


def write(root, texts):
    shutil.rmtree(root, ignore_errors=True)
    for place, content in texts.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return root


def check(found):
    """Every row is a question or has one note that says why not; every video lies inside its folder."""
    report = found.report
    assert len(found.questions) + report.left_out == report.rows - report.elsewhere
    assert len({question.id for question in found.questions}) == len(found.questions)
    for question in found.questions:
        names = [question.video, *(question.frames.paths if question.frames else ())]
        for name in map(PurePosixPath, names):
            assert not name.is_absolute()
            assert ".." not in name.parts
        assert question.answer_index < max(1, len(question.options)) or not question.options
    json.dumps(report.to_row())
    assert "\x1b" not in str(report)


@pytest.mark.parametrize("name", NAMES)
def test_the_authors_own_file_is_read_whole(name):
    found = read_benchmark(name, folder_of(name))
    assert found.questions
    assert found.report.left_out == 0
    assert found.report.unread_columns == {}
    check(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_byte_order_mark_and_other_line_ends_make_no_difference(name, tmp_path):
    changed = {place: "\ufeff" + text.replace("\n", "\r\n") for place, text in texts_of(name).items()}
    found = read_benchmark(name, write(tmp_path / "changed", changed))
    assert found.questions == read_benchmark(name, folder_of(name)).questions


@pytest.mark.parametrize("name", NAMES)
def test_missing_videos_are_named_one_by_one(name, tmp_path):
    questions = read_benchmark(name, folder_of(name)).questions
    first = questions[0].frames.paths if questions[0].frames else [questions[0].video]
    for video in first:
        path = tmp_path / "videos" / (video if "." in PurePosixPath(video).name[-5:] else f"{video}.mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = read_benchmark(name, folder_of(name), tmp_path / "videos")
    assert questions[0].id in {question.id for question in found.questions}
    missing = {note.id for note in found.report.about(Reason.MISSING_VIDEO)}
    assert missing == {question.id for question in questions} - {question.id for question in found.questions}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_cut_off_is_refused_or_says_what_is_lost(name, tmp_path):
    whole = len(read_benchmark(name, folder_of(name)).questions)
    place, text = max(texts_of(name).items(), key=lambda item: len(item[1]))
    raw = text.rstrip().encode()
    for share in (0.3, 0.6, 0.9, 0.999):
        cut = write(tmp_path / "cut", texts_of(name) | {place: raw[: int(len(raw) * share)]})
        try:
            found = read_benchmark(name, cut)
        except TevoError as error:
            assert str(error).strip()
            continue
        check(found)
        assert len(found.questions) < whole or found.report.is_partial


def places_in(content, path=()):
    """The path of every value in a JSON document that is not a container."""
    if isinstance(content, (dict, list)) and content:
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from places_in(value, (*path, key))
    else:
        yield path


def put(content, path, value):
    if not path:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = put(content[path[0]], path[1:], value)
    return copy


def spoilt(text, suffix, draw):
    """The text of a file with one value replaced by something that does not belong there."""
    value = draw(st.sampled_from(HOSTILE))
    if suffix == ".json":
        content = json.loads(text)
        return json.dumps(put(content, draw(st.sampled_from(list(places_in(content)))), value))
    if suffix == ".jsonl":
        lines = text.splitlines()
        number = draw(st.integers(0, len(lines) - 1))
        content = json.loads(lines[number])
        lines[number] = json.dumps(put(content, draw(st.sampled_from(list(places_in(content)))), value))
        return "\n".join(lines)
    if suffix == ".csv":
        rows = list(csv.reader(io.StringIO(text)))
        number, cell = draw(st.integers(1, len(rows) - 1)), draw(st.integers(0, len(rows[0]) - 1))
        rows[number][cell] = str(value)
        written = io.StringIO()
        csv.writer(written).writerows(rows)
        return written.getvalue()
    place = draw(st.integers(0, len(text) - 1))
    return text[:place] + str(value) + text[place + 1 :]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_wrong_value_costs_its_row_and_no_other(name, tmp_path, data):
    place = data.draw(st.sampled_from(sorted(texts_of(name))))
    text = spoilt(texts_of(name)[place], place.suffix, data.draw)
    try:
        found = read_benchmark(name, write(tmp_path / "spoilt", texts_of(name) | {place: text}))
    except TevoError as error:
        assert str(error).strip()
    else:
        check(found)
