import pytest
import yaml

from tevo.errors import TevoError
from tevo.prompts.templates import FOLDER, load_templates, shipped


def written(tmp_path, **changes):
    texts = yaml.safe_load((FOLDER / "tiny.yaml").read_text()) | changes
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({name: text for name, text in texts.items() if text is not None}))
    return str(path)


def test_shipped_ones_load():
    assert shipped() == ("instruct", "tiny")
    assert all(load_templates(name).name == name for name in shipped())


def test_a_users_file_is_used_as_it_stands(tmp_path):
    mine = load_templates(written(tmp_path, solver_open="Q: {question} {{braces}}"))
    assert mine.fill("solver_open", question="why?", duration="3.0") == "Q: why? {braces}"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"solver_open": "Q: {what}"}, r"solver_open knows no \['what'\]"),
        ({"solver_open": "Answer!"}, r"solver_open needs \['question'\]"),
        ({"solver_choice": "{question}"}, r"solver_choice needs \['options'\]"),
        ({"solver_open": "{question"}, "write a brace twice"),
        ({"solver_open": 3}, "must be a text"),
        ({"solver_open": None}, "must hold exactly the texts"),
        ({"more": "text"}, "must hold exactly the texts"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path, changes, told):
    with pytest.raises(TevoError, match=told):
        load_templates(written(tmp_path, **changes))


def test_a_name_that_is_none_lists_those_there_are():
    with pytest.raises(TevoError, match="instruct, tiny"):
        load_templates("fancy")


def test_what_is_no_yaml_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("a: [")
    with pytest.raises(TevoError, match="no YAML"):
        load_templates(str(tmp_path / "x.yaml"))
