"""Tokens without a backbone: random unit vectors at half-second steps, and questions about them."""

import pytest
import torch

from tevo.heads.queries import Queries
from tevo.prompts.grammar import KINDS
from tevo.structures import VideoTokens

JOINT = 12


def unit(*shape, seed=0):
    values = torch.randn(*shape, JOINT, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(values, dim=-1)


@pytest.fixture
def make_tokens():
    """Videos of the given numbers of tokens, padded to ``width``; all of them seen."""

    def make(lengths, width=None, seed=0):
        width = width or max(lengths)
        start = torch.arange(width).float() / 2 + 1.4
        rows = []
        for row, length in enumerate(lengths):
            values = torch.zeros(width, JOINT)
            values[:length] = unit(length, seed=1000 * seed + row)
            spans = torch.zeros(width, 2)
            spans[:length] = torch.stack([start, start + 0.5], -1)[:length]
            rows.append((values, spans, torch.arange(width) < length))
        return VideoTokens(*(torch.stack(part) for part in zip(*rows, strict=True)))

    return make


@pytest.fixture
def make_queries():
    """One question a given row: kinds in turn, random clauses and four options."""

    def make(rows, kinds=None, seed=0):
        number = len(rows)
        kinds = kinds or [KINDS[index % len(KINDS)] for index in range(number)]
        return Queries(
            rows=torch.tensor(rows, dtype=torch.long),
            kind=torch.tensor([KINDS.index(kind) for kind in kinds]),
            phrase=unit(number, seed=seed + 1),
            within=torch.tensor([[-torch.inf, torch.inf]]).repeat(number, 1),
            options=unit(number, 4, seed=seed + 2),
            option_mask=torch.ones(number, 4, dtype=torch.bool),
            max_spans=torch.tensor([4 if kind == "count" else 1 for kind in kinds]),
        )

    return make


@pytest.fixture
def shaken():
    """Moves every weight away from its initial value: the last layers are no longer zero."""

    def shake(module, seed=0, scale=0.3):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
        return module.eval()

    return shake
