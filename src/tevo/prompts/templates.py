"""The texts around questions: shipped ones by name, or a user's YAML file."""

import string
from dataclasses import dataclass
from pathlib import Path

from tevo.errors import TevoError

FOLDER = Path(__file__).parent / "texts"
_PLACES = {
    "solver_choice": {"duration", "question", "options"},
    "solver_open": {"duration", "question"},
    "solver_when": {"duration", "question"},
    "asker_full": {"duration", "kinds"},
    "asker_window": {"duration", "kinds"},
}
_NEEDED = {"solver_choice": {"question", "options"}, "solver_open": {"question"}, "solver_when": {"question"}}


@dataclass(frozen=True)
class Templates:
    """One text for each way to ask; ``{duration}``, ``{question}``, ``{options}``, ``{kinds}`` are filled in."""

    name: str
    texts: dict[str, str]

    def fill(self, which: str, **values: str) -> str:
        """A text with its places filled."""
        return self.texts[which].format(**{place: values.get(place, "") for place in _PLACES[which]})


def load_templates(source: str) -> Templates:
    """Templates by shipped name (``tiny``, ``instruct``) or from a YAML file with the same keys.

    Raises:
        TevoError: a name that is none, a file that is no YAML mapping, lacks a text, or names an unknown place.
    """
    import yaml

    path = FOLDER / f"{source}.yaml" if source in shipped() else Path(source)
    if not path.is_file():
        raise TevoError(
            f"no prompt templates {source!r} and no such file; give one of {', '.join(shipped())}, or a YAML file with "
            f"the texts {', '.join(_PLACES)}"
        )
    try:
        texts = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TevoError(f"{path} is no YAML text: {error}") from error
    if not isinstance(texts, dict) or set(texts) != set(_PLACES):
        raise TevoError(f"{path} must hold exactly the texts {', '.join(_PLACES)}")
    for which, text in texts.items():
        _check(path, which, text)
    return Templates(source, texts)


def shipped() -> tuple[str, ...]:
    """Names of the templates in the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def _check(path: Path, which: str, text: object) -> None:
    """Every place is known, and what must be said is said."""
    if not isinstance(text, str):
        raise TevoError(f"{path}: {which} must be a text, got {text!r}")
    try:
        places = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise TevoError(f"{path}: {which} is no template ({error}); write a brace twice to mean itself") from error
    unknown, missing = places - _PLACES[which], _NEEDED.get(which, set()) - places
    if unknown or missing:
        told = f"knows no {sorted(unknown)}" if unknown else f"needs {sorted(missing)}"
        raise TevoError(f"{path}: {which} {told}; its places are {sorted(_PLACES[which])}")
