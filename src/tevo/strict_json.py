"""JSON as written by strangers: what the standard parser lets through, and a reader should not."""

import json
from collections.abc import Sequence
from typing import Any


def parse_json(text: str) -> object:
    """The value of a JSON text.

    Raises:
        ValueError: not JSON, nested too deeply, or a key that stands twice in one object, of which the standard
            parser keeps the last without a word.
    """
    try:
        content: object = json.loads(text, object_pairs_hook=_object)
        return content
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return found
