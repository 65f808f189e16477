"""tevo in lmms-eval: the model ``tevo``, and tasks that lmms-eval has not (``pip install 'tevo[lmms]'``)."""

from pathlib import Path
from typing import Any

TASKS = Path(__file__).parent / "tasks"
"""Folder of the tasks, for ``lmms-eval --include_path``; ``python -m tevo.integrations.lmms_eval`` prints it."""


def manifest() -> Any:  # noqa: ANN401 (a ModelManifest, of a library that may be absent)
    """What the entry point ``lmms_eval.models`` tells lmms-eval: ``--model tevo`` is a chat model."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="tevo", chat_class_path="tevo.integrations.lmms_eval.model.TevoChat")
