"""Writes a whole procedural world to disk: clips with captions, unlabelled videos, two test sets, and the oracle."""

import json
import random
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tevo.data.world.questions import ask_about
from tevo.data.world.render import write_video
from tevo.data.world.scene import Scene, plan_scene
from tevo.data.world.vocabulary import Share
from tevo.errors import TevoError
from tevo.prompts.phrases import world_phrases

FRAME_SIDE_PX = 64
EVENT_S = (1.6, 5.4)  # length of an event
_CHUNK = 4  # videos handed to a process at a time


@dataclass(frozen=True)
class Part:
    """How one part of the world is drawn."""

    name: str
    share: Share
    duration_s: tuple[float, float]  # of the whole video; a clip is as long as its event
    fps: tuple[float, ...]
    questions: int = 0  # a video
    things: tuple[int, int] = (5, 6)  # objects in view


CLIPS = Part("clips", "clips", (0.0, 0.0), (8.0,), things=(1, 5))
TRAIN = Part("train", "seen", (20.0, 90.0), (8.0,))
TEST = Part("test", "seen", (20.0, 90.0), (8.0,), questions=6)
OOD = Part("ood", "ood", (30.0, 110.0), (6.0, 10.0, 12.5), questions=6)
SIZES: dict[str, dict[str, int]] = {
    "tiny": {"clips": 4, "train": 8, "test": 4, "ood": 2},  # for tests
    "small": {"clips": 32, "train": 160, "test": 60, "ood": 20},  # for the quickstart
    "full": {"clips": 6000, "train": 800, "test": 200, "ood": 200},  # for pretraining and the tables
}


def make_scene(part: Part, seed: int, index: int) -> tuple[Scene, random.Random]:
    """Plan video ``index`` of a part; the same for the same seed on any machine and with any number of workers."""
    rng = random.Random(f"{part.name}/{seed}/{index}")
    while True:
        fps = rng.choice(part.fps)
        if part == CLIPS:  # trimmed to its event, with a little rest before and after it
            lengths, lead = [rng.uniform(*EVENT_S)], 0.6
            duration = lengths[0] + 2 * lead + rng.uniform(0, 0.6)
        else:
            duration, lead = rng.uniform(*part.duration_s), 1.0
            num_events = max(4, min(9, round(duration / 13) + rng.randint(1, 2)))
            lengths = [rng.uniform(*EVENT_S) for _ in range(num_events)]
        scene = plan_scene(rng, part.share, duration, fps, lengths, lead, part.things)
        if scene is not None and (part == CLIPS or len({event.phrase for event in scene.events}) >= 4):
            return scene, rng


def _make_video(index: int, part: Part, seed: int, folder: Path) -> dict[str, Any]:
    """Draw one video and return what is to be known of it."""
    scene, rng = make_scene(part, seed, index)
    name = f"{index:06d}.mp4"
    write_video(scene, folder / name, FRAME_SIDE_PX)
    duration = round(len(scene.things[0].tracks["x"]) / scene.fps, 3)
    events = [
        {"phrase": e.phrase, "family": e.family, "span": [round(e.start_s, 3), round(e.end_s, 3)], "effect": e.effect}
        for e in scene.events
    ]
    questions = [
        {"qid": f"{part.name}-{index:06d}-{number}", "vid": name, "duration": duration, **row}
        for number, row in enumerate(ask_about(rng, scene, part.questions or 6))
    ]
    return {"vid": name, "duration": duration, "events": events, "questions": questions}


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def generate(root: Path, size: str = "small", seed: int = 0, workers: int = 1) -> None:
    """Write the world under ``root``; a finished world of the same size and seed is left as it is.

    ``train/`` holds mp4 files alone; its truth lies in ``oracle/``, outside every data root.

    Args:
        root: folder to write to; made if missing.
        size: ``tiny``, ``small`` (the quickstart) or ``full`` (the tables).
        seed: of every random draw.
        workers: processes.

    Raises:
        TevoError: for an unknown size, no worker, or a folder that holds something else (another world too).
    """
    if size not in SIZES:
        raise TevoError(f"no world size {size!r}; choose one of {', '.join(SIZES)}")
    if workers < 1:
        raise TevoError(f"a world is rendered by 1 process or more, got workers = {workers}")
    stamp, wanted = root / "world.json", {"size": size, "seed": seed, **SIZES[size]}
    finished = _finished(stamp)
    if finished == wanted:
        print(f"{root} already holds the {size} world of seed {seed}")
        return
    if finished is not None:
        raise TevoError(f"{root} holds a finished world of its own ({finished}); delete it or name another folder")
    if root.exists() and not root.is_dir():
        raise TevoError(f"{root} is a file; name a folder to write the world to")
    if root.exists() and any(root.iterdir()) and not (root / ".tevo-world").exists():
        raise TevoError(f"{root} is not empty and was not made by tevo world; name another folder")
    root.mkdir(parents=True, exist_ok=True)
    (root / ".tevo-world").touch()
    for part in (CLIPS, TRAIN, TEST, OOD):
        shutil.rmtree(root / part.name, ignore_errors=True)
        (root / part.name).mkdir()
        rows = _make_part(part, SIZES[size][part.name], seed, root / part.name, workers)
        _write_truth(root, part, rows)
    (root / "phrases.txt").write_text("\n".join(world_phrases()) + "\n", encoding="utf-8")
    stamp.write_text(json.dumps(wanted))


def _finished(stamp: Path) -> object:
    """What a finished world says of itself; None where there is none, or its stamp was cut short."""
    try:
        return json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _make_part(part: Part, number: int, seed: int, folder: Path, workers: int) -> list[dict[str, Any]]:
    """Draw every video of a part; the rows come in the order of the videos, whoever drew them."""
    make = partial(_make_video, part=part, seed=seed, folder=folder)
    bar = partial(tqdm, total=number, desc=f"world: {part.name}", unit="video")
    if workers == 1:
        return list(bar(map(make, range(number))))
    server = get_context("forkserver")  # a fork of this process, which has torch's threads, may hang
    server.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(workers, server) as pool:
        return list(bar(pool.map(make, range(number), chunksize=_CHUNK)))


def _caption(number: int, row: dict[str, Any]) -> str:
    """A clip's caption: its event, or for every other clip what the event causes, if anything."""
    event = row["events"][0]
    return str(event["effect"] if event["effect"] and number % 2 else event["phrase"])


def _write_truth(root: Path, part: Part, rows: list[dict[str, Any]]) -> None:
    """Captions for the clips, questions for the tests, and for train/ nothing but the oracle's file."""
    if part == CLIPS:
        captions = [{"vid": row["vid"], "caption": _caption(number, row)} for number, row in enumerate(rows)]
        _write_rows(root / part.name / "captions.jsonl", captions)
        return
    (root / "oracle").mkdir(exist_ok=True)
    if part == TRAIN:
        _write_rows(root / "oracle" / "train.jsonl", rows)
        return
    told = ("vid", "duration", "events")
    _write_rows(root / "oracle" / f"{part.name}.jsonl", [{key: row[key] for key in told} for row in rows])
    _write_rows(root / part.name / "annotations.jsonl", [question for r in rows for question in r["questions"]])
