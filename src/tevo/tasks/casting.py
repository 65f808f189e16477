"""Which classes play the roles on a backbone: the one place where the kind of backbone decides."""

from collections.abc import Mapping
from typing import Any

import torch

from tevo.backbones.base import Backbone
from tevo.backbones.language import LanguageModel
from tevo.objectives.registry import QuestionerFacts, Reward, SolverFacts, load_rewards
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.language.questioner import LanguageQuestioner
from tevo.tasks.language.solver import LanguageSolver
from tevo.tasks.matching import as_encoder
from tevo.tasks.questioner import Questioner
from tevo.tasks.role import Answers, Asks
from tevo.tasks.solver import Solver
from tevo.tasks.solving import SolverConfig


def cast_roles(
    backbone: Backbone, facts: Mapping[str, Any], questioner: QuestionerConfig, solver: SolverConfig, seed: int
) -> tuple[Asks, Answers]:
    """Both roles of a run, as they begin.

    Args:
        backbone: what they look through; a language model is what they are made of.
        facts: of the backbone (``describe_backbone``).
        questioner: how questions are made and rewarded.
        solver: how the Solver learns.
        seed: of the first weights, whoever builds them.

    Raises:
        TevoError: when a reward cannot be found, or a setting does not go with the backbone.
    """
    torch.manual_seed(seed)
    asked_for = load_rewards(questioner.rewards.extra, QuestionerFacts)
    asks = cast_questioner(backbone, facts, questioner, seed, asked_for)
    return asks, cast_solver(backbone, facts, solver, load_rewards(solver.rewards.extra, SolverFacts))


def cast_questioner(
    backbone: Backbone,
    facts: Mapping[str, Any],
    config: QuestionerConfig,
    seed: int,
    extra: Mapping[str, Reward] | None = None,
) -> Asks:
    """The Questioner, see :func:`cast_roles`."""
    if isinstance(backbone, LanguageModel):
        return LanguageQuestioner(backbone, config, seed, extra)
    return Questioner(facts["joint"], as_encoder(backbone), config, seed, extra)


def cast_solver(
    backbone: Backbone, facts: Mapping[str, Any], config: SolverConfig, extra: Mapping[str, Reward] | None = None
) -> Answers:
    """The Solver, see :func:`cast_roles`."""
    if isinstance(backbone, LanguageModel):
        return LanguageSolver(backbone, config, extra)
    return Solver(backbone.spec.dim, facts["joint"], as_encoder(backbone), config, extra)
