"""What both roles of a language model share: weights of their own on one base, a policy over text, templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from tevo.backbones.language import LanguageModel
from tevo.prompts.templates import load_templates
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.language.experience import Policy
from tevo.tasks.language.export import export_role
from tevo.tasks.role import Learner, ParameterGroup
from tevo.tasks.solving import SolverConfig


class LanguageRole(Learner):
    """A role as weights of its own on a language model.

    Args:
        model: both roles' model.
        name: of the role, for the model.
        config: of the role: learning rate, loss and words.
    """

    def __init__(self, model: LanguageModel, name: str, config: QuestionerConfig | SolverConfig) -> None:
        super().__init__()
        self.name = name
        self.lr = config.lr
        self.words = config.words
        self.weights = model.add_role(name).train()
        self._model = (model,)  # in a tuple: the base is no submodule here, its weights are not in a checkpoint
        self.policy = Policy(model, name, self.weights, config.policy, config.kl, config.words)
        self.templates = load_templates(config.words.templates)

    def parts(self) -> dict[str, nn.Module]:
        """See :meth:`Learner.parts`."""
        return {"weights": self.weights}

    def groups(self) -> list[ParameterGroup]:
        """See :meth:`Learner.groups`."""
        return [{"params": list(self.weights.parameters()), "lr": self.lr, "name": self.name}]

    def export(self, folder: Path, card: Mapping[str, Any]) -> None:
        """See :meth:`Learner.export`: peft's layout of the adapter, transformers' of the merged model."""
        export_role(folder, self._model[0], self.name, card, self.words.merged)
