"""A trained role as a folder: its weights, all that is needed to use them, and a card that says what they are.

``model.safetensors`` (the role's own weights, those of a video tower that learnt, and what phase 0 fitted in the
backbone), ``config.json``, ``phrases.txt`` (the phrase bank of the run), ``README.md``, a language model's
``templates.yaml`` where its user wrote them. The backbone's frozen weights are not in it: a registered name builds
them again, and a fingerprint makes sure that they are the same.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tevo import __version__
from tevo.backbones.base import Backbone
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.prompts.phrases import load_phrases
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.atomic import write_folder
from tevo.tasks.card import plain, render_card
from tevo.tasks.casting import cast_questioner, cast_solver
from tevo.tasks.language.texts import TEMPLATES, own_templates, with_own_templates
from tevo.tasks.matching import check_same, describe_backbone, rebuild_backbone
from tevo.tasks.role import Answers, Asks, Learner
from tevo.tasks.solving import SolverConfig

FORMAT = 1  # of the folder; raised when an older tevo could not read it
WEIGHTS, CONFIG, PHRASES, CARD = "model.safetensors", "config.json", "phrases.txt", "README.md"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Release:
    """What leaves a run with a role, besides the role.

    Attributes:
        backbone: what the role looks through and reads with.
        alignment: entries of the backbone's state dict that phase 0 wrote; empty where there was none.
        plan: which frames of a video were looked at.
        phrases: the phrase bank, over which open questions are answered.
        card: what the model card tells of the round: plain values; a nested mapping becomes a table.
    """

    backbone: Backbone
    alignment: Mapping[str, Tensor]
    plan: ViewPlan
    phrases: tuple[str, ...]
    card: Mapping[str, Any] = field(default_factory=dict)


class _Content(NamedTuple):
    """What lies in a folder, checked; the backbone is aligned."""

    release: Release
    config: dict[str, Any]
    weights: dict[str, dict[str, Tensor]]  # of what was trained, by the names of the role's parts


def save_solver(folder: Path, solver: Answers, release: Release) -> None:
    """Write a Solver's folder, whole or not at all, in the place of an earlier one.

    Args:
        folder: where; folders above it are made.
        solver: what was trained of it is saved, not its zero-shot reference.
        release: what goes with it.
    """
    _save(folder, "solver", solver, {"config": asdict(solver.config)}, release)


def save_questioner(folder: Path, questioner: Asks, release: Release) -> None:
    """Write a Questioner's folder, whole or not at all, in the place of an earlier one.

    Args:
        folder: where; folders above it are made.
        questioner: what was trained of it is saved, not its zero-shot reference.
        release: what goes with it.
    """
    own = {"config": asdict(questioner.config) | {"phrases": PHRASES}, "seed": questioner.seed}
    _save(folder, "questioner", questioner, own, release)


def load_solver(folder: str | os.PathLike[str], backbone: Backbone | None = None) -> tuple[Answers, Release]:
    """The Solver of a folder, in eval mode, and what was saved with it.

    Args:
        folder: as :func:`save_solver` wrote it.
        backbone: the one it was trained on, needed where that has no registered name. What phase 0 fitted is written
            into it.

    Raises:
        TevoError: a folder that is missing, damaged, or of another role or version; a backbone that differs.
    """
    path = Path(folder)
    release, config, weights = _read(path, "solver", backbone)
    settings = with_own_templates(path, _rebuilt(path, SolverConfig, config.get("config")))
    solver = cast_solver(release.backbone, config["backbone"], settings)
    _fill_parts(path, solver, weights)
    return solver.eval(), release


def load_questioner(folder: str | os.PathLike[str], backbone: Backbone | None = None) -> tuple[Asks, Release]:
    """The Questioner of a folder, in eval mode, and what was saved with it.

    Args:
        folder: as :func:`save_questioner` wrote it.
        backbone: as for :func:`load_solver`.

    Raises:
        TevoError: as :func:`load_solver`.
    """
    path = Path(folder)
    release, config, weights = _read(path, "questioner", backbone)
    settings = with_own_templates(path, _rebuilt(path, QuestionerConfig, config.get("config")))
    settings = replace(settings, phrases=str(path / PHRASES))
    questioner = cast_questioner(release.backbone, config["backbone"], settings, config.get("seed", 0))
    _fill_parts(path, questioner, weights)
    return questioner.eval(), release


def is_solver(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has the files of a role that tevo trained."""
    return all((Path(folder) / name).is_file() for name in (CONFIG, WEIGHTS, PHRASES))


def read_plan(folder: str | os.PathLike[str]) -> ViewPlan:
    """How the Solver of a folder was made to look at videos; nothing is built.

    Raises:
        TevoError: a folder that is missing, damaged, or of another role or version.
    """
    path = Path(folder)
    return _plan(path, _read_config(path, "solver"))


def _save(folder: Path, role: str, learner: Learner, own: dict[str, Any], release: Release) -> None:
    parts, templates = learner.parts(), own_templates(learner)
    tensors = {f"{part}.{name}": t for part, module in parts.items() for name, t in module.state_dict().items()}
    tensors |= {f"backbone.{name}": tensor for name, tensor in release.alignment.items()}
    facts = describe_backbone(release.backbone)
    if templates is not None:
        own["config"]["words"]["templates"] = TEMPLATES
    config = {
        "format": FORMAT,
        "tevo": __version__,
        "role": role,
        "backbone": facts,
        "views": asdict(release.plan) | {"dtype": str(release.plan.dtype).removeprefix("torch.")},
        **own,
        "card": plain(release.card),
    }
    number = sum(tensor.numel() for tensor in tensors.values())
    files = {
        WEIGHTS: save({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}),
        CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
        PHRASES: "".join(f"{phrase}\n" for phrase in release.phrases).encode(),
        CARD: render_card(role, facts, release.card, number, bool(release.alignment)).encode(),
        **({} if templates is None else {TEMPLATES: templates}),
    }
    write_folder(folder, files)


def _read(folder: Path, role: str, backbone: Backbone | None) -> _Content:
    """Everything in a folder but the role itself, on a backbone that is the right one."""
    config = _read_config(folder, role)
    plan = _plan(folder, config)
    try:
        facts, card = dict(config["backbone"]), dict(config["card"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / CONFIG, repr(error)) from error
    weights = _read_weights(folder / WEIGHTS)
    alignment = weights.pop("backbone", {})
    backbone = (rebuild_backbone(folder, facts) if backbone is None else backbone).eval()
    check_same(folder, facts, backbone)
    if alignment:
        _fill(folder, backbone, alignment, strict=False)
    phrases = load_phrases(str(folder / PHRASES)) if (folder / PHRASES).stat().st_size else ()
    return _Content(Release(backbone, alignment, plan, phrases, card), config, weights)


def _plan(folder: Path, config: Mapping[str, Any]) -> ViewPlan:
    try:
        views = dict(config["views"])
        dtype = getattr(torch, str(views["dtype"]), None)
        if not isinstance(dtype, torch.dtype):
            raise ValueError(f"{views['dtype']!r} is no type of numbers")
        return ViewPlan(**views | {"dtype": dtype})
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / CONFIG, repr(error)) from error


def _read_config(folder: Path, role: str) -> dict[str, Any]:
    missing = [name for name in (CONFIG, WEIGHTS, PHRASES) if not (folder / name).is_file()]
    if missing:
        inside = sorted(path.parent.as_posix() for path in folder.glob(f"**/{role}/{CONFIG}"))
        hint = f"; there is {inside[-1]}" if inside else ""
        what = f"no {' and no '.join(missing)} in it" if folder.is_dir() else "no such folder"
        raise TevoError(f"{folder} is not a {role} of tevo: {what}. Give the hf/round-N/{role} folder of a run{hint}")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder / CONFIG, str(error)) from error
    if not isinstance(config, dict) or not {"format", "tevo", "role"} <= config.keys():
        raise TevoError(f"{folder / CONFIG} was not written by tevo; give the hf/round-N/{role} folder of a run")
    if config["format"] != FORMAT:
        raise TevoError(
            f"{folder} was written by tevo {config['tevo']} in format {config['format']!r}; tevo {__version__} reads "
            f"format {FORMAT}. Install the version that wrote it, or train anew"
        )
    if config["role"] != role:
        raise TevoError(f"{folder} holds a {config['role']}, wanted is a {role}: give {folder.with_name(role)}")
    return config


def _read_weights(file: Path) -> dict[str, dict[str, Tensor]]:
    """The tensors of each part of the role, and under "backbone" those that phase 0 wrote."""
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise _damaged(file, str(error)) from error
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    return parts


def _fill_parts(folder: Path, role: Learner, weights: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Load what was trained into a role."""
    parts = role.parts()
    strange = sorted(weights.keys() - parts.keys())
    if strange:
        wanted = ", ".join([*parts, "backbone"])
        raise TevoError(f"{folder / WEIGHTS} is not tevo's: it holds {strange[0]!r}, wanted are {wanted} alone")
    for name, module in parts.items():
        _fill(folder, module, weights.get(name, {}))


def _fill(folder: Path, module: nn.Module, weights: Mapping[str, Tensor], strict: bool = True) -> None:
    """Load weights in place; ``strict``: all of the module's, else those that there are."""
    wanted = module.state_dict()
    strange = [
        f"{name} is {_shape(weights, name)}, wanted is {_shape(wanted, name)}"
        for name in (wanted.keys() | weights.keys() if strict else weights)
        if _shape(weights, name) != _shape(wanted, name)
    ]
    if strange:
        raise _damaged(folder / WEIGHTS, f"{len(strange)} tensors do not fit; {min(strange)}")
    module.load_state_dict(weights, strict=strict)


def _shape(tensors: Mapping[str, Tensor], name: str) -> str:
    return str(list(tensors[name].shape)) if name in tensors else "absent"


def _rebuilt(folder: Path, kind: type[T], values: object) -> T:
    """A config out of what ``asdict`` and JSON made of it; fields that an older tevo had not take their defaults."""
    if not isinstance(values, dict):
        raise _damaged(folder / CONFIG, f"{kind.__name__} is {values!r}")
    types = {entry.name: entry.type for entry in fields(cast(Any, kind))}
    unknown = sorted(values.keys() - types.keys())
    if unknown:
        raise _damaged(folder / CONFIG, f"{kind.__name__} has no {', '.join(unknown)}")
    nested = {name: cast(type[Any], types[name]) for name in values if is_dataclass(types[name])}
    return kind(**values | {name: _rebuilt(folder, part, values[name]) for name, part in nested.items()})


def _damaged(file: Path, detail: str) -> TevoError:
    return TevoError(f"{file} is damaged or of another version of tevo; copy it anew, or take another round: {detail}")
