"""A linear map from one backbone's tokens to another's space, fitted in closed form."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn import functional as F


def fit_ridge(
    values: Float[Tensor, "token dim"], targets: Float[Tensor, "token joint"], ridge: float
) -> tuple[Float64[Tensor, "dim"], Float64[Tensor, "dim joint"], Float64[Tensor, "joint"]]:
    """Mean-centred ridge regression, in float64 and without randomness.

    Minimises ``|(values - center) @ weight + bias - targets|^2 + penalty * |weight|^2`` with the means of both
    sides as ``center`` and ``bias``.

    Args:
        values: inputs.
        targets: what they should become.
        ridge: penalty in units of the inputs' mean variance, so that it does not depend on their scale or
            number.

    Returns:
        center, weight and bias.
    """
    inputs, outputs = values.double(), targets.double()
    center, bias = inputs.mean(dim=0), outputs.mean(dim=0)
    inputs = inputs - center
    gram = inputs.T @ inputs
    penalty = ridge * gram.diagonal().mean() + torch.finfo(gram.dtype).tiny
    gram.diagonal().add_(penalty)
    return center, torch.linalg.solve(gram, inputs.T @ (outputs - bias)), bias


def mean_cosine(first: Float[Tensor, "row dim"], second: Float[Tensor, "row dim"]) -> float:
    """Mean cosine similarity of paired rows."""
    return float(F.cosine_similarity(first.double(), second.double(), dim=-1).mean())
