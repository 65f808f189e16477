"""Benchmarks by name. Imports nothing of what it lists: a declaration's module loads when it is first asked for.

A benchmark is a :class:`~tevo.data.readers.benchmark.Benchmark`::

    register_benchmark(Benchmark(name="my_set", ...))

A package offers its own through the entry-point group ``tevo.benchmarks``: a module and the name of a declaration.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from tevo.data.readers.benchmark import Benchmark
from tevo.errors import TevoError

GROUP = "tevo.benchmarks"
_HERE = "tevo.data.readers"

_BUILT_IN = {
    "activitynet_captions": f"{_HERE}.grounding:ACTIVITYNET_CAPTIONS",
    "anet_rtl": f"{_HERE}.grounding:ANET_RTL",
    "causal_vidqa": f"{_HERE}.short_video:CAUSAL_VIDQA",
    "cgbench": f"{_HERE}.grounded_qa:CGBENCH",
    "charades_sta": f"{_HERE}.grounding:CHARADES_STA",
    "generic": f"{_HERE}.generic:GENERIC",
    "longvideo_reason": f"{_HERE}.reasoning:LONGVIDEO_REASON",
    "longvideobench": f"{_HERE}.long_video:LONGVIDEOBENCH",
    "lsdbench": f"{_HERE}.long_video:LSDBENCH",
    "lvbench": f"{_HERE}.long_video:LVBENCH",
    "mlvu": f"{_HERE}.long_video:MLVU",
    "mmvu": f"{_HERE}.reasoning:MMVU",
    "movienet": f"{_HERE}.generic:MOVIENET",
    "mvbench": f"{_HERE}.mvbench:MVBENCH",
    "nextgqa": f"{_HERE}.grounded_qa:NEXTGQA",
    "nextqa": f"{_HERE}.short_video:NEXTQA",
    "qvhighlights": f"{_HERE}.grounding:QVHIGHLIGHTS",
    "rextime": f"{_HERE}.grounded_qa:REXTIME",
    "tempcompass": f"{_HERE}.short_video:TEMPCOMPASS",
    "tvbench": f"{_HERE}.mvbench:TVBENCH",
    "tvgbench": f"{_HERE}.grounding:TVGBENCH",
    "video_holmes": f"{_HERE}.reasoning:VIDEO_HOLMES",
    "videomathqa": f"{_HERE}.reasoning:VIDEOMATHQA",
    "videomme": f"{_HERE}.long_video:VIDEOMME",
    "videomme_long": f"{_HERE}.long_video:VIDEOMME_LONG",
    "videommmu": f"{_HERE}.reasoning:VIDEOMMMU",
    "vnbench": f"{_HERE}.long_video:VNBENCH",
    "vstar": f"{_HERE}.grounding:VSTAR",
    "youcook2": f"{_HERE}.grounding:YOUCOOK2",
}
_registered: dict[str, Benchmark] = {}


@dataclass(frozen=True, slots=True)
class _Entry:
    target: str  # "module:NAME", or who registered it
    origin: str  # "" for tevo's own, else the package
    point: EntryPoint | None = None


def register_benchmark(benchmark: Benchmark) -> Benchmark:
    """List a benchmark under its own name, in this process.

    The same declaration made again (a notebook cell run twice) takes the place of the first.

    Raises:
        TevoError: when a benchmark from elsewhere has that name.
    """
    name = benchmark.name
    known = _BUILT_IN.get(name) or (_registered[name].source if name in _registered else benchmark.source)
    if known != benchmark.source:
        raise TevoError(f"two benchmarks are called {name!r}: {known} and {benchmark.source}; rename one of them")
    _registered[name] = benchmark
    return benchmark


def get_benchmark(name: str) -> Benchmark:
    """The declaration of a benchmark.

    Raises:
        TevoError: for an unknown name, or an entry point that leads to something else.
    """
    entries = _entries()
    if name not in entries:
        close = get_close_matches(name, entries, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise TevoError(
            f"no benchmark is called {name!r}; {hint}there are: {', '.join(sorted(entries))}. Rows of your own are "
            "read as `generic`"
        )
    if name in _registered:
        return _registered[name]
    entry = entries[name]
    found: object = entry.point.load() if entry.point is not None else _load(entry.target)
    if not isinstance(found, Benchmark):
        raise TevoError(f"{entry.target} is a {type(found).__name__}, wanted a tevo Benchmark")
    return found


def list_benchmarks() -> dict[str, str]:
    """Every name and where it comes from: ``module:NAME``, and the package when it is not tevo's own."""
    entries = sorted(_entries().items())
    return {name: f"{entry.target} ({entry.origin})" if entry.origin else entry.target for name, entry in entries}


def _entries() -> dict[str, _Entry]:
    """Built-in, registered in this process, installed: one table.

    Raises:
        TevoError: when an installed package offers a name that is taken.
    """
    entries = {name: _Entry(target, "") for name, target in _BUILT_IN.items()}
    entries |= {name: _Entry(found.source, "registered in this process") for name, found in _registered.items()}
    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"
        if point.name in entries and entries[point.name].target != point.value:
            raise TevoError(
                f"two benchmarks are called {point.name!r}: {entries[point.name].target} and {point.value} of "
                f"{package}; uninstall or rename one of them"
            )
        entries[point.name] = _Entry(point.value, package, point)
    return entries


def _load(target: str) -> object:
    module, name = target.split(":")
    found: object = getattr(import_module(module), name)
    return found
