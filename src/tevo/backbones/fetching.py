"""What to tell a user whose weights did not come."""

from tevo.errors import TevoError


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
