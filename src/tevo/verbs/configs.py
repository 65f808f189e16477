"""The configs that tevo ships: finding them from any directory, and copying them out."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tevo.errors import TevoError

_FLAGS = ("-c", "--config")


def shipped_folder() -> Path:
    """The folder of the shipped configs: inside the package in a wheel, at the top of a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def shipped_configs() -> dict[str, Path]:
    """Every shipped config, by its path under ``conf/``."""
    folder = shipped_folder()
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


def with_shipped_configs(words: list[str]) -> list[str]:
    """The same words, with every config path that is not found here replaced by the shipped one.

    Says so on stderr, so that nobody edits one file while another is read.
    """
    return list(_replaced(words))


def _replaced(words: list[str]) -> Iterator[str]:
    previous = ""
    for word in words:
        flag, equals, value = word.partition("=")
        if previous in _FLAGS:
            yield _find(word)
        elif equals and flag in _FLAGS:
            yield f"{flag}={_find(value)}"
        else:
            yield word
        previous = word


def _find(config: str) -> str:
    if Path(config).exists() or "{" in config or "\n" in config:  # a config may also be given inline
        return config
    shipped = shipped_configs()
    name = Path(config).as_posix().removeprefix("./").removeprefix("conf/")
    found = shipped.get(name) or shipped.get(f"{name}.yaml")
    if found is None:
        raise TevoError(
            f"the config {config!r} is neither at {Path(config).absolute()} nor among those that tevo ships "
            f"({', '.join(f'conf/{known}' for known in shipped)}). "
            "Check the path, or copy the shipped ones out with `tevo init`."
        )
    print(f"tevo: no {config} here; using the one shipped with tevo: {found}", file=sys.stderr)
    return str(found)


def copy_configs(folder: Path, force: bool) -> list[Path]:
    """Copy every shipped config into ``folder/conf``.

    Returns:
        The files written.

    Raises:
        TevoError: when a file is already there and ``force`` is off; nothing is written then.
    """
    targets = {source: folder / "conf" / name for name, source in shipped_configs().items()}
    taken = [str(target) for target in targets.values() if target.exists()]
    if taken and not force:
        raise TevoError(
            f"{', '.join(taken)} would be overwritten. Give another folder, or overwrite with `tevo init --force true`."
        )
    for source, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return list(targets.values())
