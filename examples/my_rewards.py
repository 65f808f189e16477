"""Rewards of your own: one function each, and one line of YAML with its weight.

model:
solver:
rewards:
extra: {my_rewards:narrow: 0.2}
questioner:
rewards:
extra: {my_rewards:has_options: 0.1}
"""

import torch
from torch import Tensor

from tevo.objectives import QuestionerFacts, SolverFacts


def narrow(facts: SolverFacts) -> Tensor:
    """1 for evidence of no length, 0 for the whole video; without any span 0."""
    seconds = ((facts.spans[..., 1] - facts.spans[..., 0]) * facts.span_mask).sum(-1)
    share = seconds / (facts.end_s - facts.start_s)[:, None]
    return torch.where(facts.span_mask.any(-1), 1 - share, 0.0).clamp(min=0)


def has_options(facts: QuestionerFacts) -> Tensor:
    """1 for multiple choice, 0 for questions without options."""
    return torch.tensor([float(bool(question.options)) for question in facts.questions]).to(facts.agreement)
