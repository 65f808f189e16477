"""A linear map from one backbone's tokens to another's space, fitted in closed form."""

import torch
from jaxtyping import Float, Float64, Int
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


def video_means(rows: Float[Tensor, "token dim"], videos: Int[Tensor, "token"]) -> Float[Tensor, "token dim"]:
    """For each row the mean of the rows of its video (numbered from 0)."""
    total = rows.new_zeros(int(videos.max()) + 1, rows.shape[1]).index_add(0, videos, rows)
    return total[videos] / videos.bincount()[videos][:, None]


def stress_change(
    rows: Float[Tensor, "token dim"], videos: Int[Tensor, "token"], still: float
) -> Float[Tensor, "token dim"]:
    """The rows with each video's mean drawn towards the mean of all: at ``still`` times its distance.

    Least squares on such rows counts what differs between videos ``still**2`` times as much as what changes within one.
    """
    means = video_means(rows, videos)
    return rows - (1 - still) * (means - rows.mean(dim=0))


def change_explained(
    projected: Float[Tensor, "token joint"], targets: Float[Tensor, "token joint"], videos: Int[Tensor, "token"]
) -> float:
    """Share of the targets' variance within videos that the projected tokens follow: 1 at best, 0 for a constant."""
    goal = targets.double() - video_means(targets.double(), videos)
    rest = projected.double() - video_means(projected.double(), videos) - goal
    return 1 - float(rest.square().sum() / goal.square().sum().clamp(min=1e-12))


def mean_cosine(first: Float[Tensor, "row dim"], second: Float[Tensor, "row dim"]) -> float:
    """Mean cosine similarity of paired rows."""
    return float(F.cosine_similarity(first.double(), second.double(), dim=-1).mean())
