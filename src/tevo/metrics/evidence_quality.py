"""How good predicted evidence is, asked of a model instead of labels (the metric that Video-Zero's write-up lacks).

Everything is a difference to random places as long as the evidence in the same video, so that spans which tell nothing
of the question score about 0, whatever the judge makes of the video as a whole. A place is worth

- **necessity**: how much less probable the answer is with the evidence hidden than with as much hidden elsewhere;
- **sufficiency**: how much more probable it is from the evidence alone than from as much elsewhere alone;
- **stability**: how much more often the evidence is found again than the places are, when the video is sampled again;
- **localisation**: 1 where the evidence is well-formed (:func:`tevo.objectives.rewards.localisation`), else 0.

``quality = localisation (necessity + sufficiency + stability) / 3``, -1..1. The terms are those of the Questioner's
reward (ALGORITHM 3; their forms are assumed) without its clamps at 0, which would pay noise, and centred.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

TERMS = ("quality", "necessity", "sufficiency", "stability", "localisation")


class Probes(NamedTuple):
    """What a judge said of each claim, 0..1; "elsewhere" is said of random places as long as its evidence."""

    hidden: Float[Tensor, "question"]  # probability of the answer with the evidence hidden
    hidden_elsewhere: Float[Tensor, "question place"]
    alone: Float[Tensor, "question"]  # ... from the evidence alone
    alone_elsewhere: Float[Tensor, "question place"]
    again: Float[Tensor, "question"]  # probability that the judge points there when the video is sampled again
    again_elsewhere: Float[Tensor, "question place"]
    well_formed: Float[Tensor, "question"]  # 1 or 0


def necessity_margin(
    hidden: Float[Tensor, "question"], hidden_elsewhere: Float[Tensor, "question place"]
) -> Float[Tensor, "question"]:
    """``mean_r p(y | r hidden) - p(y | evidence hidden)``, -1..1."""
    return hidden_elsewhere.mean(-1) - hidden


def margin(own: Float[Tensor, "question"], elsewhere: Float[Tensor, "question place"]) -> Float[Tensor, "question"]:
    """``own - mean_r elsewhere_r``, -1..1: sufficiency of what is seen alone, stability of what is found again."""
    return own - elsewhere.mean(-1)


def quality_terms(probes: Probes) -> dict[str, Float[Tensor, "question"]]:
    """Every term of every claim, by its name in :data:`TERMS`."""
    terms = {
        "necessity": necessity_margin(probes.hidden, probes.hidden_elsewhere),
        "sufficiency": margin(probes.alone, probes.alone_elsewhere),
        "stability": margin(probes.again, probes.again_elsewhere),
    }
    mean = torch.stack(list(terms.values())).mean(0)
    terms |= {"localisation": probes.well_formed, "quality": probes.well_formed * mean}
    return {name: terms[name] for name in TERMS}


class EvidenceQuality(Metric):
    """Mean of every term over the claims seen; shares and differences of shares, not points."""

    full_state_update = False
    higher_is_better = True
    total: Tensor
    num_questions: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros(len(TERMS)), dist_reduce_fx="sum")
        self.add_state("num_questions", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probes: Probes) -> None:
        """Add a batch of claims."""
        terms = quality_terms(probes)
        self.total += torch.stack([terms[name].sum() for name in TERMS])
        self.num_questions += len(probes.hidden)

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        """By name in :data:`TERMS`; NaN before the first claim."""
        return dict(zip(TERMS, self.total / self.num_questions, strict=True))
