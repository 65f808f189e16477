"""Is tevo's reader as fast as the readers it does without?

    pip install "torchcodec>=0.12,<0.14" decord  # any of them that loads; torchcodec needs FFmpeg's shared libraries
    python benchmarks/decode.py runs/decode --json runs/decode.json

H.264 of moving texture at 25 frames a second is made in the folder: 360p and 1080p, 1 and 10 minutes, a keyframe
every second and every ten; of each, 32 frames spread evenly and 2 frames a second are read. tevo reads with the
VideoInfo of its index, as in a fit; torchcodec in its exact and its approximate seek mode (this footage has a constant
frame rate, so both are right), decord as it comes. All decode with one thread.

First the pixels at the video's own size are compared for some of the frames; what is not the picture that tevo gives
is said, and the row does not count. Then each reads all of them, scaled to 224 px by its own means, in turns; the
figure is CPU seconds (all threads of the process), the least of the turns. Ratios are best rival / tevo: above 1 tevo
is faster. The bars: 0.95 in every row, 1.15 in geometric mean.
"""

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from tevo.video import VideoInfo, probe, read_frames

FPS = 25
LOOP_S = 10  # seconds of footage that are encoded; longer files repeat its packets
SIZE_PX = 224
CHECKED = 6  # frames compared at full size
SAME = 8  # largest mean difference of two pictures that only their conversion to RGB tells apart
BARS = {"row": 0.95, "mean": 1.15}
Reader = Callable[[VideoInfo, list[int], int | None], tuple[torch.Tensor, list[float]]]


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Grey noise at several scales, larger than the picture so that it can move."""
    random = np.random.default_rng(seed)
    total = np.zeros((height + 128, width + 256), dtype=np.float32)
    for cell in (4, 16, 64):
        rows, columns = -(-total.shape[0] // cell), -(-total.shape[1] // cell)
        coarse = random.normal(size=(rows, columns)).astype(np.float32)
        total += np.kron(coarse, np.ones((cell, cell), np.float32))[: total.shape[0], : total.shape[1]]
    return np.clip(128 + 28 * total, 16, 235).astype(np.uint8)


def luma(height: int, width: int) -> Iterator[np.ndarray]:
    """A panned background, a patch that crosses it the other way, and a little grain."""
    ground, patch = texture(height, width, 0), texture(height // 3, width // 3, 1)[: height // 3, : width // 3]
    random = np.random.default_rng(2)
    for frame in range(LOOP_S * FPS):
        turn = 2 * math.pi * frame / (LOOP_S * FPS)
        top, left = round(64 + 60 * math.sin(turn)), round(128 + 120 * math.sin(2 * turn))
        picture = ground[top : top + height, left : left + width].copy()
        top, left = round(height / 3 * (1 + math.cos(turn))), round(width / 3 * (1 + math.sin(turn)))
        picture[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        yield picture + random.integers(0, 3, picture.shape, dtype=np.uint8)


def encode(path: Path, height: int, gop: int) -> None:
    """LOOP_S seconds with the encoder's usual B-frames and references."""
    width = height * 16 // 9
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", gop
        stream.options = {"preset": "fast", "crf": "25", "sc_threshold": "0", "threads": "1"}
        colour = np.full((height // 2, width), 120, np.uint8)
        for picture in luma(height, width):
            frame = av.VideoFrame.from_ndarray(np.concatenate([picture, colour]), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def repeat(source: Path, target: Path, seconds: int) -> None:
    """The same packets again and again, at later times."""
    with av.open(str(target), "w") as container:
        stream = None
        for turn in range(seconds // LOOP_S):
            with av.open(str(source)) as loop:
                own = loop.streams.video[0]
                stream = stream or container.add_stream_from_template(own)
                shift = int(turn * LOOP_S / Fraction(own.time_base))
                for packet in loop.demux(own):
                    if packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        container.mux(packet)


def clip(folder: Path, height: int, minutes: int, gop: int) -> Path:
    """The file of a row, made on first use."""
    path, loop = folder / f"{height}p_{minutes}min_gop{gop}.mp4", folder / f"{height}p_gop{gop}.mp4"
    if not path.is_file():
        if not loop.is_file():
            encode(loop, height, gop)
        repeat(loop, path, 60 * minutes)
    return path


def by_tevo(info: VideoInfo, frames: list[int], size_px: int | None) -> tuple[torch.Tensor, list[float]]:
    batch = read_frames(info, [frame / FPS for frame in frames], size_px)
    return batch.frames, batch.times_s.tolist()


def torchcodec_reader(seek_mode: str) -> Reader:
    """Fails where torchcodec does not load."""
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    def read(info: VideoInfo, frames: list[int], size_px: int | None) -> tuple[torch.Tensor, list[float]]:
        scaling = None if size_px is None else [Resize((size_px, size_px))]
        decoder = VideoDecoder(info.path, num_ffmpeg_threads=1, seek_mode=seek_mode, transforms=scaling)
        batch = decoder.get_frames_at(indices=frames)
        return batch.data, batch.pts_seconds.tolist()

    return read


def decord_reader() -> Reader:
    """Fails where decord does not load."""
    import decord

    decord.bridge.set_bridge("torch")

    def read(info: VideoInfo, frames: list[int], size_px: int | None) -> tuple[torch.Tensor, list[float]]:
        side = size_px or -1
        reader = decord.VideoReader(info.path, width=side, height=side, num_threads=1)
        batch = reader.get_batch(frames)
        return batch.permute(0, 3, 1, 2).contiguous(), reader.get_frame_timestamp(frames)[:, 0].tolist()

    return read


def readers() -> dict[str, Reader]:
    """tevo's, and whatever else loads here."""
    found: dict[str, Reader] = {"tevo": by_tevo}
    rivals: dict[str, Callable[[], Reader]] = {
        "torchcodec exact": lambda: torchcodec_reader("exact"),
        "torchcodec approximate": lambda: torchcodec_reader("approximate"),
        "decord": decord_reader,
    }
    for name, make in rivals.items():
        try:
            found[name] = make()
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} does not load here: {str(error).strip().splitlines()[0]}")
    return found


def differences(found: dict[str, Reader], info: VideoInfo, frames: list[int]) -> dict[str, str]:
    """How each rival's pictures differ from tevo's at the video's own size: "" for the same picture."""
    some = frames[:: max(1, len(frames) // CHECKED)]
    pixels, times_s = by_tevo(info, some, None)
    said = {}
    for name, read in found.items():
        other, other_s = read(info, some, None)
        apart = (pixels.int() - other.int()).abs()
        late = max(abs(a - b) for a, b in zip(times_s, other_s, strict=True))
        said[name] = "" if late < 1e-3 and float(apart.float().mean(dim=(1, 2, 3)).max()) < SAME else "ANOTHER FRAME"
        print(f"    {name}: pixels differ by at most {int(apart.max())}, times by {late:.1e} s {said[name]}")
    return said


def measure(found: dict[str, Reader], info: VideoInfo, frames: list[int], turns: int) -> dict[str, float]:
    """CPU seconds of each reader, the least of its turns."""
    least = dict.fromkeys(found, math.inf)
    for _ in range(turns):
        for name, read in found.items():
            begun = time.process_time()
            pixels, _ = read(info, frames, SIZE_PX)
            least[name] = min(least[name], time.process_time() - begun)
            assert pixels.shape == (len(frames), 3, SIZE_PX, SIZE_PX)
    return least


def row_of(
    found: dict[str, Reader], folder: Path, height: int, minutes: int, gop: int, plan: str, turns: int
) -> dict[str, Any]:
    """One row of the table."""
    info = probe(clip(folder, height, minutes, gop))
    last = 60 * minutes * FPS - 1
    frames = [round((n + 0.5) * last / 32) for n in range(32)] if plan == "32" else list(range(6, last, FPS // 2))
    print(f"{height}p, {minutes} min, a keyframe every {gop} frames, {len(frames)} frames")
    said = differences(found, info, frames)
    cpu_s = measure(found, info, frames, turns)
    rivals = {name: seconds for name, seconds in cpu_s.items() if name != "tevo" and not said[name]}
    ratio = min(rivals.values()) / cpu_s["tevo"] if rivals else None
    row = {"height": height, "minutes": minutes, "gop": gop, "plan": plan, "frames": len(frames)}
    return row | {"cpu_s": cpu_s, "differs": said, "ratio": ratio}


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    names = list(rows[0]["cpu_s"])
    lines = ["| video | frames | " + " | ".join(names) + " | best rival / tevo |"]
    lines.append("|---" * (len(names) + 3) + "|")
    for row in rows:
        video = f"{row['height']}p, {row['minutes']} min, GOP {row['gop']}"
        cells = [f"{row['cpu_s'][name]:.2f}" + ("*" if row["differs"].get(name) else "") for name in names]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(f"| {video} | {row['frames']} | " + " | ".join(cells) + f" | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    """Every row that is not in the file of results yet, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the videos are made and kept (1 GB)")
    parser.add_argument("--json", type=Path, help="keeps every finished row; rows that it holds are not run again")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--heights", type=int, nargs="+", default=[360, 1080])
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10])
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    found = readers()
    rows: list[dict[str, Any]] = json.loads(args.json.read_text()) if args.json and args.json.is_file() else []
    done = {(row["height"], row["minutes"], row["gop"], row["plan"]) for row in rows}
    for case in itertools.product(args.heights, args.minutes, (FPS, LOOP_S * FPS), ("32", "2 fps")):
        if case not in done:
            rows.append(row_of(found, args.folder, *case, turns=args.turns))
            if args.json:
                args.json.write_text(json.dumps(rows, indent=1))
    print(table(rows))
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        held = min(ratios) >= BARS["row"] and mean >= BARS["mean"]
        print(f"least {min(ratios):.2f}, geometric mean {mean:.2f}: {'both' if held else 'NOT both'} bars hold")


if __name__ == "__main__":
    main()
