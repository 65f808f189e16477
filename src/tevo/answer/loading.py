"""A model to be asked, out of what a person has: a run, a role's folder, a language model, or a backbone's name."""

import json
import os
from pathlib import Path

import torch

from tevo.answer.answerer import Answerer
from tevo.backbones.base import Backbone
from tevo.backbones.language import LanguageModel
from tevo.backbones.registry import build_backbone, list_backbones
from tevo.data.features import MAX_TOKENS
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.metrics.results import read_results
from tevo.prompts.phrases import load_phrases
from tevo.tasks.casting import cast_solver
from tevo.tasks.folders import CONFIG, Release, is_solver, load_solver
from tevo.tasks.matching import describe_backbone, teacher_of
from tevo.tasks.solving import SolverConfig
from tevo.tasks.words import Words

ZERO_SHOT_FRAMES = 512  # assumed, as in data.max_frames
ADAPTER = "adapter_config.json"  # of peft
WANTED = "give a run, its hf/round-N/solver, a language model's folder, or the name of a backbone (`tevo list`)"


def load(
    folder: str | os.PathLike[str],
    backbone: Backbone | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    max_cache_gb: float = 20.0,
    device: torch.device | str | None = None,
) -> Answerer:
    """A model, ready to be asked.

    Args:
        folder: a run, whose best round is taken (the last, where none was measured); ``hf/round-N`` or
            ``hf/round-N/solver`` of one; a folder with a language model in the hub's layout; or the registered name of
            a backbone, which then answers zero-shot.
        backbone: the one that a run's Solver was trained on, needed where that has no registered name. What phase 0
            fitted is written into it.
        cache_dir: of the index and the features, as ``--data.cache_dir``; ~/.cache/tevo when not given. What a run
            has looked at with the same cache is not decoded again.
        max_cache_gb: bound of the feature cache, in 10^9 bytes, as ``--data.max_cache_gb``.
        device: where the model is put; where the backbone is when not given.

    Raises:
        TevoError: what is none of these, or missing, damaged, or of another role or version; a backbone that differs.
    """
    name = os.fspath(folder)
    if not Path(name).is_dir() and name in list_backbones():
        return _zero_shot(build_backbone(name), name, cache_dir, max_cache_gb, device)
    if not Path(name).exists() and os.sep not in name:
        raise TevoError(f"{name!r} is no folder and no backbone: {WANTED}")
    path = solver_folder(Path(name))
    if _is_language_model(path):
        from tevo.backbones.qwen_vl.adapter import QwenVL  # which brings transformers

        return _zero_shot(QwenVL(str(path)), str(path), cache_dir, max_cache_gb, device)
    if (path / ADAPTER).is_file() and not (path / CONFIG).is_file():
        raise _adapter_alone(path)
    solver, release = load_solver(path, backbone)
    return Answerer(solver, release, cache_dir, max_cache_gb, device)


def solver_folder(folder: Path) -> Path:
    """The Solver's own folder in a run, a round or itself.

    Raises:
        TevoError: for a run without a finished round.
    """
    if (folder / CONFIG).is_file() or not folder.is_dir():
        return folder
    if (folder / "solver").is_dir():
        return folder / "solver"
    rounds = sorted((folder / "hf").glob("round-*/solver"), key=lambda path: int(path.parent.name.partition("-")[2]))
    if not rounds:
        return folder
    best = read_results(folder).best_round if (folder / "metrics.json").is_file() else None
    return next((path for path in rounds if path.parent.name == f"round-{best}"), rounds[-1])


def _is_language_model(folder: Path) -> bool:
    """Whether a folder is in the hub's layout, with a model_type; tevo's own folders have none."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # the Solver's reader says what is wrong
    return isinstance(config, dict) and "model_type" in config


def _adapter_alone(folder: Path) -> TevoError:
    """What to do with a folder of peft's, which tells neither how tevo is to look nor what it is to ask."""
    try:
        base = json.loads((folder / ADAPTER).read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        base = None
    said = f"{folder} holds a peft adapter alone, and its base ({base or 'which it does not name'}) is not in it"
    if is_solver(folder.parent):
        return TevoError(f"{said}. It belongs to a Solver of tevo, which loads it with its base: give {folder.parent}")
    return TevoError(
        f"{said}. Put them together and give that folder: PeftModel.from_pretrained(base, {str(folder)!r})"
        ".merge_and_unload().save_pretrained(whole), and the base's processor.save_pretrained(whole)"
    )


def _zero_shot(
    backbone: Backbone,
    name: str,
    cache_dir: str | os.PathLike[str] | None,
    max_cache_gb: float,
    device: torch.device | str | None,
) -> Answerer:
    """Round 0: the backbone by itself, which a Solver is before it learns."""
    facts = describe_backbone(backbone)
    tiny, writes = name.endswith("_tiny"), isinstance(backbone, LanguageModel)
    if teacher_of(backbone) is not None:
        raise TevoError(
            f"{name} has no words of its own before a run has fitted its projection (phase 0): give a run of it, such "
            "as runs/videomae, or another backbone"
        )
    config = SolverConfig(words=Words("tiny" if tiny else "instruct"))
    plan = ViewPlan(backbone.spec.fps, ZERO_SHOT_FRAMES, 2, 0, torch.float16, MAX_TOKENS if writes else None)
    phrases = () if writes else load_phrases("world" if tiny else "general")
    solver = cast_solver(backbone, facts, config)
    return Answerer(solver, Release(backbone, {}, plan, phrases), cache_dir, max_cache_gb, device)
