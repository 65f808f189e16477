"""tevo: video models that teach themselves to answer questions and to point at when.

The face is lazy: ``import tevo`` loads nothing heavy, a name is imported from its room when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tevo.answer import load as load
    from tevo.backbones.base import Backbone as Backbone
    from tevo.backbones.base import BackboneSpec as BackboneSpec
    from tevo.backbones.base import TextEncoder as TextEncoder
    from tevo.backbones.registry import build_backbone as build_backbone
    from tevo.backbones.registry import list_backbones as list_backbones
    from tevo.backbones.registry import register_backbone as register_backbone
    from tevo.data.readers.benchmark import Benchmark as Benchmark
    from tevo.data.readers.reading import read_benchmark as read_benchmark
    from tevo.data.readers.registry import list_benchmarks as list_benchmarks
    from tevo.data.readers.registry import register_benchmark as register_benchmark
    from tevo.errors import TevoError as TevoError
    from tevo.structures import FrameBatch as FrameBatch
    from tevo.structures import FrameList as FrameList
    from tevo.structures import Question as Question
    from tevo.structures import Role as Role
    from tevo.structures import Rollouts as Rollouts
    from tevo.structures import Span as Span
    from tevo.structures import TimedText as TimedText
    from tevo.structures import Verdict as Verdict
    from tevo.structures import VideoTokens as VideoTokens

__version__ = "0.1.0"

_ROOM_OF = {
    "load": "tevo.answer",
    "Backbone": "tevo.backbones.base",
    "BackboneSpec": "tevo.backbones.base",
    "TextEncoder": "tevo.backbones.base",
    "build_backbone": "tevo.backbones.registry",
    "list_backbones": "tevo.backbones.registry",
    "register_backbone": "tevo.backbones.registry",
    "Benchmark": "tevo.data.readers.benchmark",
    "read_benchmark": "tevo.data.readers.reading",
    "list_benchmarks": "tevo.data.readers.registry",
    "register_benchmark": "tevo.data.readers.registry",
    "TevoError": "tevo.errors",
    "FrameBatch": "tevo.structures",
    "FrameList": "tevo.structures",
    "Question": "tevo.structures",
    "Role": "tevo.structures",
    "Rollouts": "tevo.structures",
    "Span": "tevo.structures",
    "TimedText": "tevo.structures",
    "Verdict": "tevo.structures",
    "VideoTokens": "tevo.structures",
}


def __getattr__(name: str) -> object:
    """Import a public name from its room when it is first asked for."""
    if name not in _ROOM_OF:
        raise AttributeError(f"tevo has no public name {name!r}; it has: {', '.join(sorted(_ROOM_OF))}")
    value = getattr(import_module(_ROOM_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *_ROOM_OF})
