"""The face of the package: lazy, complete, and typed as it behaves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tevo

HEAVY = ("torch", "torchvision", "lightning", "transformers", "open_clip", "timm", "av", "torchmetrics", "matplotlib")


def modules_loaded_by(statement):
    """The heavy top-level modules that a fresh interpreter has loaded after the statement."""
    script = f"import sys\n{statement}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def test_import_loads_nothing_heavy():
    assert modules_loaded_by("import tevo") == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["world", "--help"], ["index", "--help"]])
def test_light_verbs_load_nothing_heavy(words):
    call = f"from tevo.cli import main\ntry:\n    main({words!r})\nexcept SystemExit:\n    pass"
    assert modules_loaded_by(call) == []


@pytest.mark.parametrize("name", sorted(tevo._ROOM_OF))
def test_every_public_name_is_there(name):
    assert getattr(tevo, name).__module__.startswith("tevo.")
    assert name in dir(tevo)


def test_type_checkers_see_the_names_that_are_there():
    tree = ast.parse(Path(tevo.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname: statement.module for statement in block.body for alias in statement.names}
    assert typed == tevo._ROOM_OF


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no public name 'Spam'; it has: .*Span"):
        _ = tevo.Spam
