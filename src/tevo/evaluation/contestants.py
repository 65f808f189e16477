"""Which models are evaluated: what runs made, language models, and backbones as they are before they learn anything."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tevo.answer import Answerer, load
from tevo.answer.loading import solver_folder
from tevo.backbones.base import Backbone
from tevo.backbones.language import LanguageModel
from tevo.backbones.registry import list_backbones
from tevo.backbones.tuning import TowerConfig
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.evaluation.spec import EvalSpec
from tevo.tasks.casting import cast_solver
from tevo.tasks.folders import WEIGHTS, Release, is_solver, read_plan
from tevo.tasks.matching import describe_backbone, rebuild_backbone
from tevo.tasks.role import Answers

BASE = "base"
"""The word for the backbone of the run beside it, zero-shot: what its round 0 was."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model to be evaluated.

    Attributes:
        label: what its column is called.
        source: a folder, or the name of a backbone.
        trained: whether the weights of the source are used, not the zero-shot ones.
        looks: how it was made to look at a video; names and units as in :class:`EvalSpec`.
        weights: a name for what it has learnt: a digest of its weights, and what it is zero-shot of.
        built: the model, where it had to be built to know the above; else it is not in memory yet.
    """

    label: str
    source: str
    trained: bool
    looks: Mapping[str, Any]
    weights: str
    built: Answerer | None = field(default=None, repr=False)

    def open(self, spec: EvalSpec, cache_dir: Path | None = None, device: str | None = None) -> Answerer:
        """The model, made to look as the spec says.

        Raises:
            TevoError: a folder that is damaged.
        """
        model = self.built or load(self.source, cache_dir=cache_dir)
        solver, backbone = (model.solver, model.store.backbone) if self.trained else _untrained(model, self.source)
        release = Release(backbone, {}, spec.plan(model.store.plan), model.phrases)
        return Answerer(solver, release, cache_dir, device=device)


def find_contestants(sources: Sequence[str], cache_dir: Path | None = None) -> list[Contestant]:
    """Models by what a user calls them.

    Args:
        sources: runs, their ``hf/round-N/solver`` folders, folders of language models, names of registered backbones,
            or ``base`` for the backbone of the first run among them, zero-shot; each may be labelled: ``label=source``.
        cache_dir: of the index and the features, as ``--data.cache_dir``.

    Raises:
        TevoError: something that is none of these, two models with one label, ``base`` without a run.
    """
    pairs = [_labelled(source) for source in sources]
    runs = [solver_folder(Path(source)) for _, source in pairs if source != BASE and Path(source).is_dir()]
    found = [_contestant(label, source, [run for run in runs if is_solver(run)], cache_dir) for label, source in pairs]
    labels = [contestant.label for contestant in found]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise TevoError(f"two models are called {twice!r}: give each a label of its own, LABEL=MODEL")
    return found


def _labelled(source: str) -> tuple[str, str]:
    label, equals, rest = source.partition("=")
    if not equals or "/" in label or "\\" in label:
        return "", source
    if not label.strip() or not rest:
        raise TevoError(f"{source!r} names no model: give LABEL=MODEL, or MODEL alone")
    return label, rest


def _contestant(label: str, source: str, runs: Sequence[Path], cache_dir: Path | None) -> Contestant:
    if source == BASE and not runs:
        raise TevoError(
            f"`{BASE}` is the backbone of a run beside it, before it learnt: give the hf/round-N/solver folder of one "
            f"too, or the name of a backbone ({', '.join(list_backbones())})"
        )
    folder = runs[0] if source == BASE else solver_folder(Path(source))
    if not is_solver(folder):
        return _built(label or Path(source).name, source, cache_dir)
    looks = _looks(read_plan(folder))
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:16]
    if source == BASE:
        return Contestant(label or BASE, str(folder), False, looks, f"zero-shot of {digest}")
    return Contestant(label or _name(folder, runs), str(folder), True, looks, digest)


def _built(label: str, source: str, cache_dir: Path | None) -> Contestant:
    """A backbone's name, or a language model's folder: built to see what it is."""
    model = load(source, cache_dir=cache_dir)
    weights = f"zero-shot of {model.store.backbone.spec.fingerprint}"
    return Contestant(label, source, True, _looks(model.store.plan), weights, model)


def _looks(plan: ViewPlan) -> dict[str, Any]:
    """What of a plan the spec speaks of: a language model has a budget of tokens, an encoder a view to learn from."""
    names = ("dense_factor", "dtype") if plan.max_tokens is None else ("max_tokens",)
    return {name: getattr(plan, name) for name in ("fps", "max_frames", *names)}


def _name(folder: Path, runs: Sequence[Path]) -> str:
    """``round-3`` of ``runs/quickstart/hf/round-3/solver``; with the run's name where several runs are there."""
    parts = [part for part in folder.absolute().parts if part not in ("hf", "solver")]
    several = len({run.absolute().parent.parent for run in runs}) > 1
    return "-".join(parts[-2 if several else -1 :])


def _untrained(model: Answerer, folder: str) -> tuple[Answers, Backbone]:
    """The Solver as it was before it learnt, and its backbone."""
    backbone, config = model.store.backbone, model.solver.config
    facts = describe_backbone(backbone)
    if isinstance(backbone, LanguageModel):  # the one at hand carries what was learnt
        backbone = rebuild_backbone(Path(folder), facts)
    torch.manual_seed(0)  # of the heads' first weights, which no zero-shot answer depends on
    return cast_solver(backbone, facts, replace(config, tower=TowerConfig())), backbone
