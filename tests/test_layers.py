"""The house: arrows point down, no circle, short functions, one room that knows third-party models."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tevo"
PYPROJECT = str(ROOT / "pyproject.toml")
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FUNCTION = 60
MODEL_LIBRARIES = {"open_clip", "transformers", "timm", "peft"}


def modules_named_by(file):
    """Every module an import statement of the file names, wherever in the file it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_import_contracts_hold():
    """In a process of its own: import-linter configures logging, which would silence the loggers of other tests."""
    code = f"from importlinter.cli import lint_imports; raise SystemExit(lint_imports({PYPROJECT!r}, no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_import_circle():
    graph = grimp.build_graph("tevo", cache_dir=None)
    arrows = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    arrows["tevo"] = set()  # the lazy face looks into every room when asked, not when imported
    assert len(arrows) == len(FILES)
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as circle:
        pytest.fail(f"import circle: {' -> '.join(circle.args[1])}")


def test_functions_are_short():
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_stubs():
    stubs = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert stubs == []


def test_only_the_backbones_room_names_a_model_library():
    namers = {
        file.relative_to(SOURCE).parts[0]
        for file in FILES
        for module in modules_named_by(file)
        if module.split(".")[0] in MODEL_LIBRARIES
    }
    assert namers == {"backbones"}


def test_shapes_are_checked_at_run_time():
    """`from __future__ import annotations` would turn the shape annotations into strings nobody checks."""
    assert [file for file in FILES if "__future__" in modules_named_by(file)] == []
