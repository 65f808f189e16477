"""tests/run_vectors.py as it is called: the published answers are reproduced, and a difference is an error."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tevo

TESTS = Path(__file__).parent
VECTORS = TESTS / "data" / "vectors"
OTHER_NAMES = {"nextgqa": "nextgqa2", "charades_synth": "charades_other", "videomme": "videomme_b"}
FEW = ("longvideobench_gt", "longvideobench_pred", "longvideobench_expected", "nextgqa_corner_cases")


def python(*words):
    """A Python of its own: there the shapes and types of the functions are not checked, and integers are numbers."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(tevo.__file__).parents[1]), str(TESTS)])}
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, env=environment)


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def another_prediction(folder):
    changed(folder / "longvideobench_pred.json", lambda content: content.__setitem__(0, "E"))


def nudged(folder):
    changed(folder / "nextgqa_corner_cases.json", lambda content: content[0].update(IoU=content[0]["IoU"] + 2e-6))


def another_column(folder):
    changed(folder / "multi_span_iou_expected.json", lambda content: content[0].update(some_other_iou=0.5))


def renamed(folder):
    """Vectors of the same layouts under names of their own, variants among them."""
    for path in VECTORS.glob("*.json"):
        name = next((old for old in OTHER_NAMES if path.stem.startswith(old)), None)
        if name is not None and "corner" not in path.stem:
            shutil.copy(path, folder / path.name.replace(name, OTHER_NAMES[name], 1))


def file_of(name, text):
    return lambda folder: (folder / name).write_text(text)


# name: what is done to a folder of three good vectors, exit status, what is printed
FOLDERS = {
    "good": (lambda folder: None, 0, "3 vectors, all agree"),
    "other names": (renamed, 0, "8 vectors, all agree"),
    "another prediction": (another_prediction, 1, "DIFFERS lmms_eval_overall: ours"),
    "a difference in the sixth place": (nudged, 1, "greatest difference 2e-06"),
    "another evaluator's column": (another_column, 0, "not reproduced: some_other_iou"),
    "unknown": (file_of("mystery_expected.json", "{}"), 1, "not a vector that is known"),
    "incomplete": (file_of("vnbench_expected.json", "{}"), 1, "cannot be compared: FileNotFoundError"),
    "nothing in it": (file_of("strip_reasoning_expected.json", "[]"), 1, "holds nothing to compare"),
    "empty": (lambda folder: [path.unlink() for path in folder.iterdir()], 1, "0 vectors, NOT ALL AGREE"),
    "absent": (shutil.rmtree, 2, ""),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Exit status and output for every folder, from one process: its imports take seconds."""
    script = (
        "import contextlib, io, json, sys, run_vectors\n"
        "for folder in sys.argv[1:]:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):\n"
        "        status = run_vectors.main([folder])\n"
        "    print(json.dumps([status, out.getvalue()]))\n"
    )
    folders = []
    for change, _, _ in FOLDERS.values():
        folder = tmp_path_factory.mktemp("vectors")
        for name in (*FEW, "multi_span_iou_expected"):
            shutil.copy(VECTORS / f"{name}.json", folder)
        change(folder)
        folders.append(folder)
    done = python("-c", script, *folders)
    assert done.returncode == 0, done.stderr
    return dict(zip(FOLDERS, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", FOLDERS)
def test_other_files_of_the_same_layout_are_compared(name, outcomes):
    _, status, said = FOLDERS[name]
    assert outcomes[name][0] == status
    assert said in outcomes[name][1]


def test_every_published_answer_is_reproduced():
    done = python(TESTS / "run_vectors.py", VECTORS)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    count = len([*VECTORS.glob("*_expected.json"), *VECTORS.glob("*_cases.json")])
    assert count == 25
    assert lines[-1] == "25 vectors, all agree"
    assert sum("figures, greatest difference" in line for line in lines) == 25
    assert "not reproduced" not in done.stdout
