"""README and docs say what works: marked snippets run, commands parse, names and links are there."""

import re
import shlex
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from tevo.cli import main
from tevo.verbs.small import parser_of
from tevo.verbs.table import REHEARSAL_VERBS, SMALL_VERBS, TRAINER_VERBS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"<!-- run -->\n```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language):
    """Page and text of every marked block of a language."""
    return [(page, text) for page in PAGES for found, text in BLOCK.findall(page.read_text()) if found == language]


def commands():
    """Every marked command, one line each, without its comment."""
    lines = {
        line.split(" # ")[0].strip()
        for _, text in blocks("bash")
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip()
    }
    return sorted(lines)


def test_there_are_marked_snippets():
    """The marker is what the tests below go by; without it they would have nothing to do."""
    assert len(commands()) >= 12
    assert len({page for page, _ in blocks("python")}) >= 1
    unmarked = [page.name for page in PAGES if "```bash\ntevo" in BLOCK.sub("", page.read_text())]
    assert unmarked == []


@pytest.mark.parametrize("command", commands())
def test_commands_are_accepted(command, tmp_path, monkeypatch, capsys):
    shutil.copy(ROOT / "examples" / "my_backbone.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    program, *words = shlex.split(command)
    if program == "make":
        subprocess.run(["make", "--dry-run", *words], cwd=ROOT, check=True, capture_output=True)
    elif program == "pip":
        assert words == ["install", "."]
    elif words[0] in SMALL_VERBS:
        parser_of(words[0]).parse_args(words[1:])
    else:
        assert program == "tevo" and words[0] in TRAINER_VERBS | REHEARSAL_VERBS
        with pytest.raises(SystemExit) as end:  # a wrong key, file or value would end with 2
            main([*words, *([] if "--print_config" in words else ["--print_config"])])
        assert end.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", sorted({page for page, _ in blocks("python")}), ids=lambda page: page.name)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = "\n".join(text for other, text in blocks("python") if other == page)
    exec(compile(script, str(page), "exec"), {"__name__": "snippet"})


def names():
    """Every dotted name of tevo that a page writes as code."""
    return sorted({name for page in PAGES for name in re.findall(r"`(tevo(?:\.\w+)+)[`(]", page.read_text())})


@pytest.mark.parametrize("name", names())
def test_names_are_there(name):
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return
    pytest.fail(f"no module of {name}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = [link for link in re.findall(r"\]\(([^)#]+)", page.read_text()) if "://" not in link]
    assert [target for target in targets if not (page.parent / target).exists()] == []
