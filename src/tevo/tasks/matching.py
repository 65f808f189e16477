"""Whether a backbone is the one that a role was trained on: a role is of no use on any other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from tevo.backbones.base import Backbone, TextEncoder
from tevo.backbones.language import LanguageModel
from tevo.backbones.registry import build_backbone, list_backbones
from tevo.errors import TevoError

MUST_AGREE = {
    "fingerprint": "its architecture, weights or preprocessing",
    "teacher": "the text tower it is paired with",
    "dim": "the width of its tokens",
    "joint": "the width of the space it shares with text",
    "reference": "the language model's own weights",
    "trainable": "what of it a role trains",
}


def as_encoder(backbone: Backbone) -> TextEncoder:
    """The backbone as what text is read with.

    Raises:
        TevoError: when it has no text in its space.
    """
    if not isinstance(backbone, TextEncoder):
        raise TevoError(
            f"{type(backbone).__name__} has no encode_text and is no LanguageModel: give a backbone with a text tower, "
            "or one that writes"
        )
    return cast(TextEncoder, backbone)


def as_backbone(encoder: TextEncoder) -> Backbone:
    """What text is read with, as the backbone that it is.

    Raises:
        TevoError: when it has no video tower.
    """
    if not isinstance(encoder, Backbone):
        raise TevoError(f"{type(encoder).__name__} has no video tower to train: leave solver.tower.trainable at none")
    return encoder


def describe_backbone(backbone: Backbone) -> dict[str, Any]:
    """What is to be known of a backbone to build it again and to see that it is the same, as plain values.

    ``name`` is None for a backbone that is not registered.
    """
    teacher = teacher_of(backbone)
    facts = {
        "name": backbone.spec.name if backbone.spec.name in list_backbones() else None,
        "class_path": f"{type(backbone).__module__}.{type(backbone).__qualname__}",
        "fingerprint": backbone.spec.fingerprint,
        "teacher": None if teacher is None else teacher.spec.fingerprint,
        "dim": backbone.spec.dim,
    }
    if isinstance(backbone, LanguageModel):
        return facts | backbone.role_facts()
    return facts | {"joint": int(as_encoder(backbone).encode_text(["a video"]).shape[-1])}


def teacher_of(backbone: Backbone) -> Backbone | None:
    """The backbone whose token space this one is aligned with in phase 0; None where it needs no alignment."""
    return backbone.teacher if isinstance(backbone, TextEncoder) else None


def rebuild_backbone(folder: Path, facts: Mapping[str, Any]) -> Backbone:
    """The backbone of a folder, by its registered name.

    Raises:
        TevoError: when it has none, or none that is registered here. A class path is never imported: it may come
            from a stranger.
    """
    name, class_path = facts.get("name"), str(facts.get("class_path"))
    if name in list_backbones():
        return build_backbone(str(name), **({"trainable": facts["trainable"]} if "trainable" in facts else {}))
    said = f"{name!r}, a name that nothing here registers" if name else f"{class_path}, which has no registered name"
    raise TevoError(
        f"{folder} was trained on {said}; build that backbone and give it: "
        f"load({str(folder)!r}, backbone={class_path.rpartition('.')[2]}(...))"
    )


def differences(saved: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two descriptions, in words: a role that knew the one would be lost on the other."""
    return [
        f"{meaning} (saved {saved.get(key)!r}, here {here.get(key)!r})"
        for key, meaning in MUST_AGREE.items()
        if saved.get(key) != here.get(key)
    ]


def check_same(folder: Path, saved: Mapping[str, Any], backbone: Backbone) -> None:
    """Refuse a backbone that would show a role other tokens, or other words, than it was trained on.

    Args:
        folder: of the role.
        saved: what :func:`describe_backbone` said when it was written.
        backbone: the one at hand.

    Raises:
        TevoError: naming what differs.
    """
    here = describe_backbone(backbone)
    differing = differences(saved, here)
    if differing:
        raise TevoError(
            f"{folder} was trained on {saved.get('name') or saved.get('class_path')}; the backbone here, "
            f"{here['name'] or here['class_path']}, differs in {', '.join(differing)}. Build the backbone with the "
            f"weights and settings of the run, and give it: load({str(folder)!r}, backbone=...)"
        )
