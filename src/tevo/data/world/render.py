"""Draws a planned scene into frames and writes it as an mp4 file."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tevo.data.world.scene import Scene, Thing
from tevo.prompts.phrases import COLOURS

RGB = {
    "red": (225, 40, 40),
    "green": (40, 190, 60),
    "blue": (50, 80, 235),
    "yellow": (240, 215, 40),
    "purple": (165, 50, 200),
    "white": (240, 240, 240),
    "orange": (245, 130, 25),
    "cyan": (40, 215, 220),
}
_PALETTE = np.array([RGB[colour] for colour in COLOURS], np.float32)
_CHUNK = 128  # frames drawn at once; bounds the memory
_Grid = NDArray[np.floating[Any]]


def _distance(shape: str, u: _Grid, v: _Grid) -> _Grid:
    """Signed distance to the outline of a unit shape, negative inside."""
    if shape == "circle":
        return np.hypot(u, v) - 1.0
    if shape == "square":
        return np.maximum(np.abs(u), np.abs(v)) - 0.86
    if shape == "triangle":
        return np.maximum(np.abs(u) * 0.894 + v * 0.447, -v) - 0.55
    arms = np.minimum(np.maximum(np.abs(u) / 1.05, np.abs(v) / 0.36), np.maximum(np.abs(v) / 1.05, np.abs(u) / 0.36))
    return (arms - 1.0) * 0.5  # cross


def _paint(canvas: NDArray[np.float32], thing: Thing, frames: slice, drift: NDArray[np.float32]) -> None:
    """Blend one thing into a chunk of frames, in place. canvas: [time, side, side, 3]; drift: [time, 2] in shares."""
    track = {key: values[frames, None, None] for key, values in thing.tracks.items()}
    if not track["alpha"].any():
        return
    side = canvas.shape[1]
    grid = (np.arange(side, dtype=np.float32) + 0.5) / side
    x = grid[None, None, :] - track["x"] - drift[:, 0, None, None]
    y = grid[None, :, None] - track["y"] - drift[:, 1, None, None]
    cos, sin = np.cos(track["angle"]), np.sin(track["angle"])
    u, v = (cos * x + sin * y) / track["size"], (cos * y - sin * x) / track["size"]
    softness = track["size"] * side  # one pixel of antialiasing
    cover = np.clip(0.5 - _distance(thing.shape, u, v) * softness, 0, 1) * track["alpha"]
    start, end = (_PALETTE[thing.tracks[key][frames].astype(int)] for key in ("from", "to"))
    mix = thing.tracks["mix"][frames, None]
    colour = start * (1 - mix) + end * mix
    canvas += cover[..., None] * (colour[:, None, None, :] - canvas)


def _background(scene: Scene, side: int, rng: np.random.Generator) -> _Grid:
    """A dark, smooth, coloured ground, larger than the frame so that the camera can drift over it."""
    cells = 7 if scene.textured else 3
    coarse = rng.uniform(15, 95 if scene.textured else 70, (cells, cells, 3)).astype(np.float32)
    at = np.linspace(0, cells - 1.001, side + 16)
    low = at.astype(int)
    part = (at - low).astype(np.float32)
    rows: _Grid = coarse[low] * (1 - part[:, None, None]) + coarse[low + 1] * part[:, None, None]
    columns: _Grid = rows[:, low] * (1 - part[None, :, None]) + rows[:, low + 1] * part[None, :, None]
    return columns


def draw(scene: Scene, side_px: int) -> Iterator[NDArray[np.uint8]]:
    """Frames [side, side, 3] uint8 RGB in order: ground, wandering grey specks, things, camera drift, noise."""
    rng = np.random.default_rng(scene.background_seed)
    num_frames = len(scene.things[0].tracks["x"])
    times = np.arange(num_frames, dtype=np.float32) / scene.fps
    ground = _background(scene, side_px, rng)
    phase, rate = rng.uniform(0, 2 * np.pi, (2, 2)), rng.uniform(0.1, 0.35, (2, 2))
    drift = 0.02 * np.sin(times[:, None, None] * rate + phase).sum(1).astype(np.float32)
    specks = rng.integers(1, 3)
    speck_phase, speck_rate = rng.uniform(0, 2 * np.pi, (specks, 2)), rng.uniform(0.2, 0.8, (specks, 2))
    speck_at = 0.5 + 0.45 * np.sin(times[:, None, None] * speck_rate + speck_phase)
    grid = (np.arange(side_px, dtype=np.float32) + 0.5) / side_px
    for first in range(0, num_frames, _CHUNK):
        frames = slice(first, min(first + _CHUNK, num_frames))
        shift = np.clip(np.round(8 - drift[frames] * side_px).astype(int), 0, 16)
        canvas = np.stack([ground[dy : dy + side_px, dx : dx + side_px] for dx, dy in shift])
        for speck in range(specks):
            at = speck_at[frames, speck]
            gap = (grid[None, None] - at[:, 0, None, None]) ** 2 + (grid[None, :, None] - at[:, 1, None, None]) ** 2
            canvas += (np.exp(-gap / 0.0012)[..., None] * (130 - canvas)).astype(np.float32)
        for thing in scene.things:
            _paint(canvas, thing, frames, drift[frames])
        canvas += rng.standard_normal(canvas.shape, np.float32) * 4
        yield from np.clip(canvas, 0, 255).astype(np.uint8)


def write_video(scene: Scene, path: Path, side_px: int) -> None:
    """Write a scene as H.264 in mp4, one pts a frame, a keyframe every two seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(scene.fps).limit_denominator(1000))
        stream.width = stream.height = side_px
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = max(1, round(2 * scene.fps))
        stream.thread_count = 1
        stream.options = {"preset": "veryfast", "crf": "20", "bf": "0"}
        for image in draw(scene, side_px):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
