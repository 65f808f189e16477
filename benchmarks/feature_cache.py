"""What does it cost to look at a video again?

    tevo world runs/world-small --size small
    python benchmarks/feature_cache.py runs/world-small/train --backbone clip_tiny

First pass: every video is decoded, encoded and written to an empty cache. Second pass, as a later epoch does it: the
features of every video as float32 views. Bare read: the same files through safetensors alone, every tensor as float32
(so that each byte is read and the same values are made; what is left out is the key, the mark of use and the views).
Figures are CPU seconds, of the second pass and the bare read the least of several turns; the files lie in the page
cache. The bars: the second pass is at least 20 times faster than the first, and takes at most 1.5 times the bare read.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open

from tevo.backbones import build_backbone
from tevo.data.features import FeatureStore
from tevo.video import VideoInfo, build_index

FASTER, BARE = 20.0, 1.5  # the bars


def least(turns: int, *works: Callable[[], object]) -> list[float]:
    """CPU seconds of the fastest turn of each; they take turns, so that what slows the machine slows them all."""
    best = [math.inf] * len(works)
    for _ in range(turns):
        for number, work in enumerate(works):
            begun = time.process_time()
            work()
            best[number] = min(best[number], time.process_time() - begun)
    return best


def read_bare(files: list[Path]) -> int:
    """Every tensor of the files; returns the bytes in them."""
    size = 0
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                tensor = file.get_tensor(name)
                size += tensor.nbytes
                tensor = tensor.float() if tensor.is_floating_point() else tensor.clone()
    return size


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="a folder of videos")
    parser.add_argument("--backbone", default="clip_tiny")
    parser.add_argument("--videos", type=int, default=24, help="the first so many")
    parser.add_argument("--turns", type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(1)
    backbone = build_backbone(args.backbone)
    with tempfile.TemporaryDirectory() as folder:
        index = build_index(args.root, f"{folder}/index.jsonl", 60.0, 1, False)
        videos: dict[str, VideoInfo] = {info.path: info for info in index.videos[: args.videos]}
        store = FeatureStore(backbone, f"{folder}/features")
        (first,) = least(1, lambda: store.encode_all(videos, progress=False))
        files = sorted(Path(folder, "features").rglob("*.safetensors"))
        again = least(args.turns, lambda: [store.get(info) for info in videos.values()], lambda: read_bare(files))
        size, (second, bare) = read_bare(files), again
    print(f"{len(files)} videos, {size / len(files) / 1e3:.0f} kB of features each, {args.backbone}")
    print("| pass | CPU s | ms a video |\n|---|---|---|")
    for name, seconds in (("first", first), ("second", second), ("bare read", bare)):
        print(f"| {name} | {seconds:.4f} | {1e3 * seconds / len(files):.2f} |")
    held = "both bars hold" if first / second >= FASTER and second / bare <= BARE else "NOT both bars hold"
    print(f"first / second {first / second:.0f}, second / bare read {second / bare:.2f}: {held}")


if __name__ == "__main__":
    main()
