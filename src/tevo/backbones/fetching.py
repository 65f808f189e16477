"""Where fetched weights lie, and what to tell a user whose weights did not come."""

from pathlib import Path
from typing import NamedTuple

from tevo.errors import TevoError


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

    return TevoError(
        f"{what} could not be loaded ({error}). Looked for a local file or folder of that name, then in the hub "
        f"cache {HF_HUB_CACHE}, then on the network. Ways out: connect once so that it is cached, give {local}, or "
        f"start from random weights with `pretrained: null`."
    )
