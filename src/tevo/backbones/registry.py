"""Backbones by name. Imports nothing of what it lists: a builder's module loads when it is first built.

A named variant is a plain function that returns a :class:`~tevo.backbones.base.Backbone`::

    @register_backbone
    def my_backbone(pretrained: str | None = None) -> Backbone: ...

A package offers its own through the entry-point group ``tevo.backbones`` (a function or a class). A class
need not be registered at all: YAML takes it by ``class_path``.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

from tevo.backbones.base import Backbone
from tevo.errors import TevoError

GROUP = "tevo.backbones"

Builder = TypeVar("Builder", bound=Callable[..., Backbone])

_BUILT_IN = {
    "clip_tiny": "tevo.backbones.clip:clip_tiny",
    "clip_vit_b32": "tevo.backbones.clip:clip_vit_b32",
    "internvid_b16": "tevo.backbones.internvid:internvid_b16",
    "internvid_l14": "tevo.backbones.internvid:internvid_l14",
    "internvid_tiny": "tevo.backbones.internvid:internvid_tiny",
    "qwen2_5_vl_7b": "tevo.backbones.qwen_vl.variants:qwen2_5_vl_7b",
    "qwen2_5_vl_tiny": "tevo.backbones.qwen_vl.variants:qwen2_5_vl_tiny",
    "qwen3_vl_8b": "tevo.backbones.qwen_vl.variants:qwen3_vl_8b",
    "qwen3_vl_tiny": "tevo.backbones.qwen_vl.variants:qwen3_vl_tiny",
    "videomae_base": "tevo.backbones.videomae:videomae_base",
    "videomae_tiny": "tevo.backbones.videomae:videomae_tiny",
}
_registered: dict[str, Callable[..., Backbone]] = {}


@dataclass(frozen=True, slots=True)
class _Entry:
    target: str  # "module:function"
    origin: str  # "" for tevo's own, else who brought it
    load: Callable[[], Callable[..., Any]]


def register_backbone(builder: Builder) -> Builder:
    """Decorator: list a function under its own name.

    Defining the same function again (a notebook cell run twice) replaces it.

    Raises:
        TevoError: when another function already has that name.
    """
    name, target = builder.__name__, _target(builder)
    known = _BUILT_IN.get(name) or (_target(_registered[name]) if name in _registered else target)
    if known != target:
        raise TevoError(f"two backbones are called {name!r}: {known} and {target}; rename one of the functions")
    _registered[name] = builder
    return builder


def build_backbone(name: str, **kwargs: Any) -> Backbone:
    """Build a backbone by its registered name.

    Args:
        name: one of :func:`list_backbones`.
        kwargs: the builder's own arguments (``pretrained=False`` for random weights, ...).

    Raises:
        TevoError: for an unknown name, an argument the builder does not take, or a builder that returns
            something else than a backbone.
    """
    entries = _entries()
    if name not in entries:
        close = get_close_matches(name, entries, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise TevoError(
            f"no backbone is called {name!r}; {hint}there are: {', '.join(sorted(entries))}. A class of your own "
            f"needs no name: give its class_path"
        )
    builder = entries[name].load()
    try:
        inspect.signature(builder).bind(**kwargs)
    except TypeError as error:
        raise TevoError(f"{name} takes {inspect.signature(builder)}, got {kwargs}: {error}") from error
    backbone = builder(**kwargs)
    if not isinstance(backbone, Backbone):
        raise TevoError(f"{entries[name].target} returned a {type(backbone).__name__}, not a tevo Backbone")
    return backbone


def list_backbones() -> dict[str, str]:
    """Every name and where it comes from: ``module:function``, and the package when it is not tevo's own."""
    entries = _entries()
    return {
        name: f"{entry.target} ({entry.origin})" if entry.origin else entry.target
        for name, entry in sorted(entries.items())
    }


def _entries() -> dict[str, _Entry]:
    """Built-in, registered in this process, installed: one table.

    Raises:
        TevoError: when an installed package offers a name that is taken.
    """
    entries = {name: _Entry(target, "", _loader(target)) for name, target in _BUILT_IN.items()}
    for name, builder in _registered.items():
        if name not in entries:
            entries[name] = _Entry(_target(builder), "registered in this process", partial(_identity, builder))
    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"
        other = entries.get(point.name)
        if other is not None and other.target != point.value:
            raise TevoError(
                f"two backbones are called {point.name!r}: {other.target} and {point.value} of {package}; "
                f"uninstall or rename one of them"
            )
        entries[point.name] = _Entry(point.value, package, point.load)
    return entries


def _loader(target: str) -> Callable[[], Callable[..., Any]]:
    module, function = target.split(":")

    def load() -> Callable[..., Any]:
        builder: Callable[..., Any] = getattr(import_module(module), function)
        return builder

    return load


def _identity(builder: Callable[..., Any]) -> Callable[..., Any]:
    return builder


def _target(builder: Callable[..., Any]) -> str:
    return f"{builder.__module__}:{builder.__qualname__}"
