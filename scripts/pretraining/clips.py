"""The captioned clips of the procedural world, and how a view is drawn from one."""

import json
import random
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from tevo.backbones.clip import clip_tiny
from tevo.prompts.grammar import LEVELS, Ask, render
from tevo.prompts.phrases import COUNTS, DURATIONS, world_phrases
from tevo.structures import Span

FPS = 4.0


def load_clips(folder: Path, limit: int) -> tuple[list[Tensor], list[str]]:
    """Every clip at 4 frames a second, uint8 [time, 3, 64, 64], and its caption."""
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()][:limit]
    clips = []
    for row in tqdm(rows, desc="reading clips", mininterval=5):
        frames, next_s = [], 0.0
        with av.open(str(folder / row["vid"])) as container:
            for frame in container.decode(video=0):
                if frame.time is not None and frame.time >= next_s - 1e-6:
                    frames.append(frame.to_ndarray(format="rgb24"))
                    next_s += 1 / FPS
        clips.append(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous())
    return clips, [row["caption"] for row in rows]


def augment(frames: Tensor, rng: random.Random) -> Tensor:
    """Shift a clip by up to three pixels and change its brightness: float [..., 3, height, width] in 0..255."""
    dx, dy = rng.randint(-3, 3), rng.randint(-3, 3)
    shifted = torch.roll(frames, (dy, dx), dims=(-2, -1)).float()
    return (shifted * rng.uniform(0.85, 1.15) + rng.uniform(-10, 10)).clamp(0, 255)


def describe(before: Tensor, inside: Tensor, after: Tensor) -> Tensor:
    """What an event shows: the change from before to after, plus what is seen only in between: [clip, dim]."""
    return (after - before) + (inside - (before + after) / 2)


def noun(caption: str) -> str:
    """``the red shape`` of ``the red shape grows``."""
    return " ".join(caption.split()[:3])


def verb(caption: str) -> str:
    """``grows`` of ``the red shape grows``."""
    return caption.split(" ", 3)[3]


def teach(clips: list[Tensor]) -> list[Tensor]:
    """What the shipped clip_tiny sees in each frame of each clip: [time, dim]."""
    teacher = clip_tiny()
    return [
        teacher.encode_video(clip[None], torch.arange(len(clip))[None] / FPS).values[0]
        for clip in tqdm(clips, desc="teacher", mininterval=5)
    ]


def all_words() -> list[str]:
    """Every text that the world's questions and answers are made of: their word pieces are kept."""
    questions = (render(Ask(kind, "x", Span(0.0, 1.0))) for kind in LEVELS)
    return [*world_phrases(), *COUNTS, *DURATIONS, *questions]


def caption_accuracy(said: list[str], true: list[str]) -> dict[str, float]:
    """Percent of the captions, of their objects and of their actions that were named rightly."""
    hits = [
        (mine == theirs, noun(mine) == noun(theirs), verb(mine) == verb(theirs))
        for mine, theirs in zip(said, true, strict=True)
    ]
    whole, thing, action = (100 * sum(column) / len(hits) for column in zip(*hits, strict=True))
    return {"caption": round(whole, 1), "object": round(thing, 1), "action": round(action, 1)}
