"""A user's own templates lie beside a role's weights, so that its folder is read where their file is not."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import yaml

from tevo.prompts.templates import shipped
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.language.role import LanguageRole
from tevo.tasks.role import Learner
from tevo.tasks.solving import SolverConfig

TEMPLATES = "templates.yaml"
C = TypeVar("C", QuestionerConfig, SolverConfig)


def own_templates(role: Learner) -> bytes | None:
    """The file of the texts that a role is asked with; None where they are shipped, or it does not write."""
    if not isinstance(role, LanguageRole) or role.templates.name in shipped():
        return None
    text: str = yaml.safe_dump(role.templates.texts, allow_unicode=True, sort_keys=False)
    return text.encode()


def with_own_templates(folder: Path, config: C) -> C:
    """Settings of a role that was saved: with the folder's templates, where it has any."""
    if config.words.templates != TEMPLATES:
        return config
    return replace(config, words=replace(config.words, templates=str(folder / TEMPLATES)))
