"""Where weights come from and where fetched ones lie, and what to tell a user whose weights did not come."""

from pathlib import Path
from typing import Literal, NamedTuple

from tevo.errors import TevoError

Pretrained = Literal[False] | str | None  # False comes first: a command line's `false` is no file name
"""What a builder takes as ``pretrained``: which weights; False (or None) for random ones."""


class HubCache(NamedTuple):
    """Weights that were fetched before."""

    folder: Path
    models: list[str]  # "organisation/name"
    offline: bool  # whether fetching is switched off


def hub_cache() -> HubCache:
    """What lies in the hub's cache on this machine."""
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE

    folders = sorted(Path(HF_HUB_CACHE).glob("models--*"))
    models = [folder.name.removeprefix("models--").replace("--", "/") for folder in folders]
    return HubCache(Path(HF_HUB_CACHE), models, bool(HF_HUB_OFFLINE))


def cannot_load(what: str, error: object, local: str) -> TevoError:
    """The error for weights (or a config) that were neither at hand nor fetched.

    Args:
        what: which ones, in the user's words.
        error: what the library said.
        local: the local form that would do instead ("/path/to/weights.safetensors").
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    said = " ".join(str(error).split())
    return TevoError(
        f"{what} could not be loaded ({said}). Looked for a local file or folder of that name, then in the hub "
        f"cache {HF_HUB_CACHE}, then on the network. Ways out: connect once so that it is cached, give {local}, or "
        f"start from random weights with `pretrained: false`."
    )


def find_weights(source: str, file_name: str) -> Path:
    """The local file of some weights; fetched from the hub where it is not here.

    Args:
        source: a file; a folder that holds ``file_name``; or a hub id (``organisation/repository``) that does.
        file_name: of the weights in a folder or repository.

    Raises:
        OSError: when it is none of these, or cannot be fetched.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    path = Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        if not (path / file_name).is_file():
            raise FileNotFoundError(f"the folder holds no {file_name}")
        return path / file_name
    try:
        return Path(hf_hub_download(source, file_name))
    except HFValidationError as error:
        raise FileNotFoundError("no such file, and no hub id") from error
