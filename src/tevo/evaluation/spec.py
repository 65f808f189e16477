"""What is the same for every model of an evaluation, and is kept with its numbers."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
import yaml

from tevo import __version__
from tevo.answer import Answering
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.metrics.protocols import protocols_of, scorer
from tevo.metrics.results import dump_json, write_atomic
from tevo.prompts.wording import WORDING

PARSER = "tevo: <answer> and <glue> of a reply (tevo.prompts.solver); encoders predict answers and spans as such"
FROZEN_FILE = "spec.json"
SUITE_COLUMNS = ("benchmark", "annotations", "videos", "protocols")


@dataclass(frozen=True, slots=True)
class EvalSpec:
    """How every model looks and is asked.

    Attributes:
        fps: frames a second that are looked at.
        max_frames: most frames of a video; a longer one is looked at more thinly, all of it. An encoder makes so many
            tokens of a frame, so that this is its budget.
        max_tokens: most tokens of a video that a language model reads in one look; None where there is none.
        dense_factor: how an encoder's frames are chosen (:class:`tevo.data.views.ViewPlan`); None where there is none.
        dtype: what an encoder's features are rounded to; likewise.
        answering: single pass, coarse to fine, or divide and conquer.
        subtitles: whether what is said in the video is shown, too.
        limit: questions asked, in whole videos drawn by the seed; None for all.
        seed: of the videos that ``limit`` draws, of the bootstrap, and of the places that evidence is compared with.
    """

    fps: float
    max_frames: int
    max_tokens: int | None = None
    dense_factor: int | None = None
    dtype: torch.dtype | None = None
    answering: str = "single"
    subtitles: bool = False
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        Answering(self.answering)  # refuses a way that there is not
        if self.limit is not None and self.limit < 1:
            raise TevoError(f"--limit is {self.limit}, wanted a number of questions, at least 1, or none for all")
        if not self.fps > 0 or self.max_frames < 1:
            raise TevoError(f"frames are looked at above 0 a second, at least 1, got {self.fps} and {self.max_frames}")

    def plan(self, own: ViewPlan) -> ViewPlan:
        """A model's own plan under this spec; its seed, which no answer depends on, stays its own."""
        max_tokens = None if own.max_tokens is None else self.max_tokens
        return replace(own, fps=self.fps, max_frames=self.max_frames, max_tokens=max_tokens)

    def to_row(self) -> dict[str, Any]:
        """Plain values, with the words and the parser that this version of tevo uses."""
        return {
            "tevo_version": __version__,
            "fps": self.fps,
            "max_frames": self.max_frames,
            "max_tokens": self.max_tokens,
            "dense_factor": self.dense_factor,
            "dtype": None if self.dtype is None else str(self.dtype).removeprefix("torch."),
            "prompt": WORDING,
            "parser": PARSER,
            "answering": asdict(Answering(self.answering)),
            "subtitles": self.subtitles,
            "limit": self.limit,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class BenchmarkChoice:
    """A benchmark to evaluate on.

    Attributes:
        name: of a reader (``tevo list``).
        annotations: file or folder, as published.
        videos: the folder that the videos lie in.
        protocols: whose rules score it; ``official``, where there are such, and ``tevo`` when none is named.
    """

    name: str
    annotations: Path
    videos: Path
    protocols: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        usual = [name for name in protocols_of(self.name) if name in ("official", "tevo")]
        object.__setattr__(self, "protocols", tuple(dict.fromkeys(self.protocols)) or tuple(usual))
        for protocol in self.protocols:
            scorer(self.name, protocol)


def read_suite(path: str | Path) -> list[BenchmarkChoice]:
    """Benchmarks out of a YAML file: a list of ``{benchmark, annotations, videos, protocols?}``.

    Paths are relative to the file's own folder.

    Raises:
        TevoError: for a file that is not there or is no such list; the message names the entry.
    """
    file = Path(path)
    wanted = f"wanted a YAML list of {{{', '.join(SUITE_COLUMNS)}}}, of which protocols may be left out"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TevoError(f"{file} cannot be read as YAML ({error}): {wanted}") from error
    if not isinstance(content, list) or not content:
        raise TevoError(f"{file} holds a {type(content).__name__}, {wanted}")
    return [_choice(entry, f"{file}, entry {number}", file.parent, wanted) for number, entry in enumerate(content, 1)]


def _choice(entry: object, where: str, folder: Path, wanted: str) -> BenchmarkChoice:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in SUITE_COLUMNS[:3]):
        raise TevoError(f"{where} is {entry!r}, {wanted}")
    for name in entry.keys() - set(SUITE_COLUMNS):
        close = get_close_matches(str(name), SUITE_COLUMNS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise TevoError(f"{where}: `{name}` is not known{hint} ({wanted})")
    protocols = entry.get("protocols", [])
    if not isinstance(protocols, list) or not all(isinstance(name, str) for name in protocols):
        raise TevoError(f"{where}: `protocols` is {protocols!r}, wanted a list of names")
    return BenchmarkChoice(
        entry["benchmark"], folder / entry["annotations"], folder / entry["videos"], tuple(protocols)
    )


def freeze(folder: Path, row: Mapping[str, Any]) -> None:
    """Hold a spec fast in a folder of predictions: written when there is none, compared when there is.

    Args:
        folder: of one model's predictions on one benchmark.
        row: all that the predictions depend on.

    Raises:
        TevoError: when what lies there was predicted under another spec; the message names what differs.
    """
    file = folder / FROZEN_FILE
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(file, dump_json(dict(row)))
        return
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TevoError(f"{file} cannot be read ({error}): remove {folder}, or give another --out") from error
    here = json.loads(json.dumps(row))
    differing = [
        f"{name} {_value(held, name)}, here {_value(here, name)}"
        for name in dict.fromkeys([*here, *held])
        if not isinstance(held, dict) or held.get(name) != here.get(name)
    ]
    if differing:
        raise TevoError(
            f"{folder} holds predictions under another spec: {'; '.join(differing)}. Numbers of two specs do not "
            "belong in one table: give another --out, or remove that folder"
        )


def _value(row: object, name: str) -> str:
    return repr(row.get(name)) if isinstance(row, dict) else "unreadable"


def agreed_spec(
    looks: Mapping[str, Mapping[str, Any]],
    fps: float | None = None,
    max_frames: int | None = None,
    max_tokens: int | None = None,
    **rest: Any,
) -> EvalSpec:
    """One spec for all models: as they were made to look where they agree, or as is asked for.

    Args:
        looks: how each model was made to look, by its label (:attr:`Contestant.looks`).
        fps: instead of their own.
        max_frames: instead of their own.
        max_tokens: instead of their own; of language models alone.
        rest: what else :class:`EvalSpec` holds.

    Raises:
        TevoError: when the models were made to look otherwise each, and nobody says how they all shall.
    """
    given = {"fps": fps, "max_frames": max_frames, "max_tokens": max_tokens, "dense_factor": None, "dtype": None}
    found: dict[str, Any] = {}
    for name, wanted in given.items():
        own = {label: look[name] for label, look in looks.items() if name in look}
        if wanted is None and len(set(own.values())) > 1:
            listed = ", ".join(f"{label} {value}" for label, value in own.items())
            way = "evaluate them one by one" if name in ("dense_factor", "dtype") else f"give --{name} for all of them"
            raise TevoError(f"the models were made for another {name} each ({listed}): {way}")
        if own:
            found[name] = next(iter(own.values())) if wanted is None else wanted
    return EvalSpec(**found, **rest)
