"""The data room: a folder of raw videos, the questions about them, and what is served when.

Names arrive on first use, so that rendering the procedural world never waits for lightning.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tevo.data.curriculum import Curriculum as Curriculum
    from tevo.data.curriculum import CurriculumConfig as CurriculumConfig
    from tevo.data.datamodule import VideoQuestions as VideoQuestions
    from tevo.data.datasets import PooledBatch as PooledBatch
    from tevo.data.datasets import QuestionBatch as QuestionBatch
    from tevo.data.datasets import VideoBatch as VideoBatch
    from tevo.data.features import FeatureStore as FeatureStore
    from tevo.data.pool import Pool as Pool
    from tevo.data.views import VideoFeatures as VideoFeatures

_HOMES = {
    "Curriculum": "curriculum",
    "CurriculumConfig": "curriculum",
    "VideoQuestions": "datamodule",
    "PooledBatch": "datasets",
    "QuestionBatch": "datasets",
    "VideoBatch": "datasets",
    "FeatureStore": "features",
    "Pool": "pool",
    "VideoFeatures": "views",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
