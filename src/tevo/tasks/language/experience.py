"""Rollouts of a language model's role on their way into an update."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.language import Completions, LanguageModel, Prompt
from tevo.errors import TevoError
from tevo.objectives.policy import PolicyRule
from tevo.tasks.role import Step
from tevo.tasks.words import Words


@dataclass(frozen=True, slots=True)
class Spoken:
    """Groups of completions with all that an update on them needs; nothing of it has a gradient."""

    prompts: list[Prompt]  # none where no group teaches anything
    drawn: Completions | None
    reference: Float[Tensor, "prompt group token"] | None  # log-probabilities under the base; None where beta is 0
    credit: Float[Tensor, "prompt group token"] | None
    figures: dict[str, float]  # to log


class Policy:
    """One role of a language model as what GRPO updates.

    Args:
        model: both roles' model.
        role: name of this one.
        weights: the role's own.
        rule: of the loss.
        kl: beta.
        words: temperature, length and tolerance.
    """

    def __init__(
        self, model: LanguageModel, role: str, weights: nn.Module, rule: PolicyRule, kl: float, words: Words
    ) -> None:
        self.model, self.role, self.weights = model, role, weights
        self.rule, self.kl, self.words = rule, kl, words
        self._checked = False  # the first update has shown that rollout and update agree
        self._acting = ExitStack()

    def act(self) -> None:
        """Let the role act from now on: a backward pass that computes activations again comes after the step."""
        self._acting.close()
        self._acting.enter_context(self.model.acting(self.role))

    @torch.no_grad()
    def gathered(
        self, prompts: Sequence[Prompt], drawn: Completions, credit: Tensor, figures: dict[str, float]
    ) -> Spoken:
        """Rollouts with their log-probabilities under the reference."""
        reference = None
        if self.kl:
            with self.model.acting(None):
                reference = self.model.log_probs(prompts, drawn, self.words.temperature).log_probs
        return Spoken(list(prompts), drawn, reference, credit, figures)

    def nothing(self, figures: dict[str, float]) -> Spoken:
        """What is gathered where no group teaches anything."""
        return Spoken([], None, None, None, figures)

    def update(self, spoken: Spoken, fresh: bool) -> Step:
        """The policy loss; 0 where nothing was gathered.

        Raises:
            TevoError: when the first update's log-probs differ from the rollout's: they would not be one policy.
        """
        self.act()
        if spoken.drawn is None or spoken.credit is None:
            weights = [parameter.sum() for parameter in self.weights.parameters()]
            return 0.0 * torch.stack(weights).sum(), spoken.figures
        drawn = spoken.drawn
        scores = self.model.log_probs(spoken.prompts, drawn, self.words.temperature)
        figures = dict(spoken.figures)
        if fresh:
            figures["mismatch"] = self._check((scores.log_probs.detach() - drawn.log_probs)[drawn.mask])
        result = self.rule.loss(
            scores.log_probs, None if fresh else drawn.log_probs, spoken.reference, spoken.credit, drawn.mask,
            self.kl, self.words.max_new_tokens,
        )  # fmt: skip
        return result.loss, figures | {
            "kl": float(result.kl),
            "ratio": float(result.ratio_mean),
            "clip_fraction": float(result.clip_fraction),
            "entropy": float(scores.entropy[drawn.mask].mean()),
        }

    def _check(self, difference: Float[Tensor, "token"]) -> float:
        mismatch = float(difference.abs().max())
        if not self._checked and mismatch > self.words.max_mismatch:
            raise TevoError(
                f"rollout and update differ by {mismatch:.3g} in the log-probability of a token, more than "
                f"words.max_mismatch {self.words.max_mismatch}: they are not one policy. In half precision raise the "
                "bound a little; otherwise something between sampling and scoring is wrong"
            )
        self._checked = True
        return mismatch


def widen(values: Sequence[Tensor]) -> Tensor:
    """Credit of several batches of groups as one, padded with zeros to the longest completion."""
    width = max(value.shape[-1] for value in values)
    return torch.cat([F.pad(value, (0, width - value.shape[-1])) for value in values])
