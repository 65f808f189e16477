"""Templates of a user's own: both roles and the judge ask with them, and they go where the role goes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tevo.data.views import ViewPlan
from tevo.prompts.templates import FOLDER
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.folders import Release, load_questioner, load_solver, save_questioner, save_solver
from tevo.tasks.language.questioner import LanguageQuestioner
from tevo.tasks.language.solver import LanguageSolver
from tevo.tasks.solving import SolverConfig
from tevo.tasks.words import Words

MINE = {
    "solver_choice": "Schau: {question}\n{options}",
    "solver_open": "Schau hin: {question}",
    "solver_when": "Wann? {question} ({duration} s)",
    "asker_full": "Frag etwas. {kinds}",
    "asker_window": "Frag etwas zu diesen {duration} Sekunden. {kinds}",
}
PLAN = ViewPlan(2.0, 64, 1, 0, torch.float16, 64)


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(MINE, allow_unicode=True))
    return Words(templates=str(path), max_new_tokens=8)


@pytest.fixture
def roles(model, words):
    return (
        LanguageQuestioner(model, QuestionerConfig(words=words, free_text=False)),
        LanguageSolver(model, SolverConfig(words=words)),
    )


def test_both_roles_and_the_judge_ask_with_them(roles, video, choice, when, written):
    questioner, solver = roles
    seen = []
    written(lambda prompt, member: seen.append(prompt.text) or "<glue>[(4.0, 8.0)]</glue>")
    questioner.write([video], ["when"], 1, torch.Generator(), "1")
    open_ = replace(choice, kind="open", options=(), text="What is it?")
    solver.judge(1, 1).answer([choice, when, open_], [video] * 3, [video.watched] * 3, 1, torch.Generator())
    assert re.fullmatch(r"Frag etwas zu diesen \d+\.\d Sekunden\. Kinds: when\.", seen[0])
    assert seen[1:] == [
        "Schau: What happens first?\nA) a dog\nB) a cat\nC) a cow\nD) a hen",
        "Wann? When does this happen: a dog? (20.0 s)",
        "Schau hin: What is it?",
    ]
    assert [prompt.text for prompt in solver.prompts([choice, when], [video] * 2)] == seen[1:3]
    questioner.config = replace(questioner.config, view="full")
    assert questioner.write([video], ["when"], 1, torch.Generator(), "1").prompts[0].text == "Frag etwas. Kinds: when."


def test_they_go_where_the_role_goes(roles, model, words, talking, tmp_path):
    questioner, solver = roles
    release = Release(model, {}, PLAN, ())
    save_questioner(tmp_path / "run" / "questioner", questioner, release)
    save_solver(tmp_path / "run" / "solver", solver, release)
    Path(words.templates).unlink()
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    for role, load in (("questioner", load_questioner), ("solver", load_solver)):
        again, _ = load(tmp_path / "elsewhere" / role, talking.talker("all"))
        assert again.templates.texts == MINE and again.config.words.max_new_tokens == 8
    again, _ = load_solver(tmp_path / "elsewhere" / "solver", talking.talker("all"))
    save_solver(tmp_path / "twice", again, release)  # once more, as an export of a loaded model would
    assert load_solver(tmp_path / "twice", talking.talker("all"))[0].templates.texts == MINE


def test_shipped_ones_are_named_and_not_copied(model, tmp_path):
    solver = LanguageSolver(model, SolverConfig(words=Words(templates="instruct")))
    save_solver(tmp_path / "solver", solver, Release(model, {}, PLAN, ()))
    assert not (tmp_path / "solver" / "templates.yaml").exists()
    assert '"templates": "instruct"' in (tmp_path / "solver" / "config.json").read_text()
    assert yaml.safe_load((FOLDER / "instruct.yaml").read_text()).keys() == MINE.keys()
