"""``tevo doctor``: versions, devices, readers, caches and backbones of this machine; what works, and why not."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

State = Literal["ok", "NO", "--"]


class Finding(NamedTuple):
    """One thing that was tried. ``NO``: tevo does not work without it; ``--``: it does."""

    state: State
    what: str
    detail: str


CODECS = {"H.264": "h264", "HEVC": "hevc", "VP9": "vp9", "AV1": "av1", "MPEG-4": "mpeg4"}
TEST_S, TEST_FPS, TEST_PX = 2.0, 10, 64  # of the video that is written and read back


def examine(backbone: str | None = None, cache_dir: Path | None = None) -> dict[str, list[Finding]]:
    """Everything that was found, by area.

    Args:
        backbone: one to build and ask for all its promises, besides the shipped tiny ones.
        cache_dir: of the index and the features; the default one when not given.
    """
    areas: dict[str, Callable[[], Iterable[Finding]]] = {
        "versions": versions,
        "devices": devices,
        "readers": readers,
        "caches": lambda: caches(cache_dir),
        "backbones": lambda: backbones(backbone),
        "rewards": rewards,
    }
    return {area: list(_guarded(area, find)) for area, find in areas.items()}


def _guarded(area: str, find: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """A check that dies is a finding, not the end of the others."""
    try:
        yield from find()
    except Exception as error:
        yield Finding("NO", area, f"{type(error).__name__}: {error}")


def versions() -> Iterator[Finding]:
    """Python, tevo, and every library it needs, against the bounds it was released with."""
    yield Finding("ok", "python", sys.version.split()[0])
    from packaging.requirements import Requirement

    from tevo import __version__

    yield Finding("ok", "tevo", f"{__version__} in {Path(__file__).parents[1]}")
    try:
        wanted = [Requirement(text) for text in requires("tevo") or () if "extra ==" not in text]
    except PackageNotFoundError:
        yield Finding("--", "libraries", "tevo runs from a folder without being installed: their bounds are not known")
        return
    for need in sorted(wanted, key=lambda one: one.name):
        try:
            have = version(need.name)
        except PackageNotFoundError:
            yield Finding("NO", need.name, f"not installed; pip install '{need}'")
            continue
        fits = need.specifier.contains(have, prereleases=True)
        hint = "" if fits else f"; wanted is {need.specifier}: pip install '{need}'"
        yield Finding("ok" if fits else "NO", need.name, have + hint)


def devices() -> Iterator[Finding]:
    """What there is to compute on."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB" if _has_sysconf() else ""
    yield Finding("ok", "cpu", f"{cores} cores, {torch.get_num_threads()} threads of torch{memory}")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            yield Finding("ok", f"cuda:{index}", f"{card.name}, {card.total_memory / 1e9:.1f} GB")
    elif torch.version.cuda is None:
        yield Finding("--", "cuda", f"torch {torch.__version__} is a build without it")
    else:
        yield Finding("--", "cuda", f"torch is built for CUDA {torch.version.cuda} but sees no card; try nvidia-smi")
    if sys.platform == "darwin":
        state: State = "ok" if torch.backends.mps.is_available() else "--"
        yield Finding(state, "mps", "available" if state == "ok" else "not available")


def _has_sysconf() -> bool:
    return hasattr(os, "sysconf") and {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= os.sysconf_names.keys()


def readers() -> Iterator[Finding]:
    """A video is written, probed in a process of its own, and read back; then, which codecs could be read."""
    import av

    from tevo.video.index import build_index
    from tevo.video.reader import read_frames

    with tempfile.TemporaryDirectory(prefix="tevo-doctor-") as folder:
        path = Path(folder) / "test.mp4"
        shown = _write_test_video(path)
        index = build_index(path, Path(folder) / "manifest.jsonl", timeout_s=60.0, workers=1)
        if not index.videos:
            yield Finding("NO", "probing", f"a video of this machine's own could not be probed: {index.bad[0].reason}")
            return
        video = index.videos[0]
        yield Finding("ok", "probing", f"{video.duration_s:g} s, in a process of its own with a time limit")
        times = [number / 4 for number in range(int(4 * TEST_S))]
        frames = read_frames(video, times).frames.float().mean(dim=(1, 2, 3)).tolist()
        off = max(abs(seen - shown[int(time * TEST_FPS + 1e-6)]) for seen, time in zip(frames, times, strict=True))
        exact = off < 128 / len(shown)  # half of the step from one frame's grey to the next
        came = "and they came" if exact else "and others came"
        yield Finding("ok" if exact else "NO", "frames", f"{len(times)} were asked for by their seconds, {came}")
    yield Finding("ok", "av", f"FFmpeg's libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}")
    for name, codec in CODECS.items():
        known = codec in av.codecs_available
        yield Finding("ok" if known else "--", name, "decoder found" if known else "this FFmpeg has no decoder for it")


def _write_test_video(path: Path) -> list[float]:
    """Frames that brighten one by one; returns the grey of each."""
    import av
    import numpy as np

    number = int(TEST_S * TEST_FPS)
    greys = [255 * (index + 0.5) / number for index in range(number)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(TEST_FPS))
        stream.width = stream.height = TEST_PX
        stream.pix_fmt = "yuv420p"
        for grey in greys:
            picture = np.full((TEST_PX, TEST_PX, 3), round(grey), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return greys


def caches(cache_dir: Path | None = None) -> Iterator[Finding]:
    """Where the index, the features and fetched weights are kept."""
    from tevo.backbones.fetching import hub_cache
    from tevo.data.collection import default_cache_dir

    folder = (cache_dir or default_cache_dir()).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding("NO", "features", f"{folder} cannot be written to ({error.strerror}); give --cache_dir FOLDER")
    else:
        files = [path for path in folder.rglob("*.safetensors") if path.is_file()]
        held = sum(path.stat().st_size for path in files) / 1e9
        detail = f"{folder}: {len(files)} entries, {held:.2f} GB; {free / 1e9:.0f} GB of the disk are free"
        yield Finding("ok", "features", detail)
    hub = hub_cache()
    offline = "; HF_HUB_OFFLINE is set, so nothing is fetched" if hub.offline else ""
    yield Finding("ok", "weights", f"{hub.folder}: {', '.join(hub.models) or 'nothing yet'}{offline}")


def backbones(named: str | None = None) -> Iterator[Finding]:
    """The shipped tiny ones are built and asked for all their promises, and so is the one that is named."""
    from tevo.backbones.registry import list_backbones

    known = list_backbones()
    for name, origin in known.items():
        if name == named or name.endswith("_tiny"):
            yield _built(name)
        else:
            yield Finding("--", name, f"{origin}, not tried: tevo doctor --backbone {name}")
    if named is not None and named not in known:
        yield _built(named)


def _built(name: str) -> Finding:
    from tevo.backbones.registry import build_backbone
    from tevo.testing import check_backbone

    try:
        backbone = build_backbone(name)
        check_backbone(backbone)
    except Exception as error:  # of any library
        return Finding("NO", name, re.sub(r"\s+", " ", f"{type(error).__name__}: {error}"))
    spec: Any = backbone.spec
    number = sum(weight.numel() for weight in backbone.parameters()) / 1e6
    seen = f"{spec.image_size_px} px at {spec.fps:g} fps"
    return Finding("ok", name, f"{number:.1f} M weights, {seen}; keeps its promises")


def rewards() -> Iterator[Finding]:
    """Rewards that packages brought."""
    from tevo.objectives.registry import list_rewards

    for name, origin in list_rewards().items():
        yield Finding("ok", name, origin)


def render(found: dict[str, list[Finding]]) -> str:
    """Lines to print: what does not work begins with NO."""
    lines = []
    for area, findings in found.items():
        if findings:
            width = max(len(finding.what) for finding in findings)
            lines += ["", area, *(f"  {f.state}  {f.what:<{width}}  {f.detail}" for f in findings)]
    broken = [finding.what for findings in found.values() for finding in findings if finding.state == "NO"]
    lines += ["", f"{len(broken)} things do not work: {', '.join(broken)}" if broken else "tevo works on this machine"]
    return "\n".join(lines)
