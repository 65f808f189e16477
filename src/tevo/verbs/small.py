"""The small verbs: typed functions that jsonargparse turns into commands. Heavy imports are inside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import docstring_parser
from jsonargparse import ArgumentParser

from tevo.verbs.configs import copy_configs, shipped_configs
from tevo.verbs.eval import eval_
from tevo.verbs.table import SMALL_VERBS


def run(words: list[str]) -> None:
    """Parse the words after the verb into the verb's own arguments, and call it."""
    verb = words[0]
    _FUNCTIONS[verb](**parser_of(verb).parse_args(words[1:]).as_dict())


def parser_of(verb: str) -> ArgumentParser:
    """The parser of one small verb, made from its function's signature and docstring."""
    parser = ArgumentParser(
        prog=f"tevo {verb}", description=f"{SMALL_VERBS[verb]}.", exit_on_error=False, allow_abbrev=False
    )
    words = {word.lstrip("-"): word for word in _WORDS.get(verb, ())}
    parser.add_function_arguments(_FUNCTIONS[verb], as_positional=True, skip={"folder", *words})
    if verb == "init":  # the one positional word that may be left out
        parser.add_argument("folder", nargs="?", type=Path, default=Path("."), help="where conf/ is put")
    for param in docstring_parser.parse(_FUNCTIONS[verb].__doc__ or "").params:
        if (name := param.arg_name) in words:
            # a positional one has to be there
            given: dict[str, Any] = {"default": []} if words[name].startswith("-") else {}
            parser.add_argument(words[name], nargs="+", help=param.description, **given)
    return parser


def index(
    root: Path,
    manifest: Path | None = None,
    timeout_s: float = 20.0,
    workers: int = 2,
    rank: int = 0,
    world_size: int = 1,
    cache_dir: Path | None = None,
) -> None:
    """Probe every video once, in subprocesses with a time limit; may be stopped and taken up again.

    Args:
        root: a folder (searched recursively), a quoted glob, a text file of paths, or one video.
        manifest: where the result is kept (JSONL, and Parquet once it is long); where fit looks for it when not given.
        timeout_s: seconds after which a file that hangs is given up.
        workers: files probed at the same time.
        rank: which of world_size processes this is, from 0; it probes its share of the files.
        world_size: processes that share the files, on any number of machines with one disk.
        cache_dir: as --data.cache_dir of fit.
    """
    from tevo.verbs.index import run_index

    run_index(root, manifest, timeout_s, workers, rank, world_size, cache_dir)


def world(out: Path, size: Literal["tiny", "small", "full"] = "small", seed: int = 0, workers: int = 2) -> None:
    """Render the procedural world: clips/, train/ (mp4 alone), test/, ood/ and oracle/.

    Args:
        out: folder to write; a finished world of the same size and seed is left as it is.
        size: tiny (a few videos, for a trial), small (the quickstart) or full (the tables).
        seed: another seed, another world.
        workers: processes that render.
    """
    from tevo.data.world.generate import generate

    generate(out, size, seed, workers)
    print(f"unlabelled videos: {out / 'train'}; questions to measure with: {out / 'test' / 'annotations.jsonl'}")


def list_() -> None:
    """Print backbones, benchmarks, rewards that packages brought, and shipped configs, and where each comes from."""
    from tevo.backbones.registry import list_backbones
    from tevo.data.readers.registry import list_benchmarks
    from tevo.objectives.registry import list_rewards

    print("backbones (--model.backbone NAME, or a class_path of yours):")
    for name, origin in sorted(list_backbones().items()):
        print(f"  {name:<20}{origin}")
    print("benchmarks (tevo.read_benchmark(NAME, path)):")
    for name, origin in list_benchmarks().items():
        print(f"  {name:<22}{origin}")
    brought = list_rewards()
    print("rewards (in the config, solver.rewards.extra or questioner.rewards.extra: {NAME: weight}):")
    for name, origin in brought.items() or [("none", "installed; a function of yours is named module:function")]:
        print(f"  {name:<20}{origin}")
    print("configs (--config conf/NAME):")
    for name, path in shipped_configs().items():
        print(f"  {name:<26}{path}")


def init(folder: Path = Path("."), force: bool = False) -> None:
    """Copy the shipped configs into FOLDER/conf.

    Args:
        folder: where to put them.
        force: overwrite what is there.
    """
    for path in copy_configs(folder, force):
        print(path)


def report(run: Path) -> None:
    """Write report.html from what the run has left on disk so far.

    Args:
        run: the run's folder (trainer.default_root_dir).
    """
    from tevo.verbs.summary import summarise

    print(summarise(run))


def score(
    benchmark: str,
    predictions: Path,
    annotations: Path,
    protocol: Literal["tevo", "official", "video_zero", "zoom_zero", "onethinker", "lmms_eval", "vlmevalkit"] = "tevo",
    out: Path | None = None,
    fractions: bool = False,
    confidence: float = 0.95,
    judge: str | None = None,
    videos: Path | None = None,
    evidence: int = 200,
    cache_dir: Path | None = None,
) -> None:
    """Score predictions that anyone has made; no model and no video is needed, unless their evidence is to be judged.

    Args:
        benchmark: its name, as `tevo list` prints it; `generic` for rows of your own.
        predictions: JSON lines with `qid` and `pred_relevant_windows` ([[start, end, score?], ...], seconds),
            `pred_answer` or `response` (the reply as it came); or a JSON object by question id.
        annotations: the benchmark's annotation file or folder, as published.
        protocol: whose rules; they differ in what counts as a hit and in how replies are read.
        out: the report (JSON); score-BENCHMARK-PROTOCOL.json here when not given.
        fractions: predicted spans are shares of the video's length (0..1), not seconds.
        confidence: of the bootstrap intervals, 0..1; videos are drawn.
        judge: a run or its hf/round-N/solver, to say how good the evidence is (`tevo evidence`); needs the videos.
        videos: the folder that they lie in.
        evidence: about how many questions have their evidence judged, of videos drawn.
        cache_dir: as --data.cache_dir of the judge's run.
    """
    from tevo.verbs.score import run_score

    run_score(
        benchmark, predictions, annotations, protocol, out, fractions, confidence, judge, videos, evidence, cache_dir
    )


def doctor(backbone: str | None = None, cache_dir: Path | None = None) -> None:
    """Try what tevo needs of this machine. Ends with status 1 when something does not work that it cannot do without.

    Args:
        backbone: a registered name to build and check besides the shipped tiny ones; its weights may be fetched.
        cache_dir: as --data.cache_dir.
    """
    from tevo.verbs.doctor import examine, render

    found = examine(backbone, cache_dir)
    print(render(found))
    if any(finding.state == "NO" for findings in found.values() for finding in findings):
        raise SystemExit(1)


def evidence(
    predictions: Path,
    model: Path,
    videos: Path | None = None,
    windows: int | None = None,
    out: Path | None = None,
    cache_dir: Path | None = None,
    seed: int = 0,
) -> None:
    """Measure the evidence of a predictions file without labels: is it necessary, sufficient, stable, well-formed?

    Each figure is a difference to random places of the same length, and stands beside that of the same spans dealt out
    to other questions about the same video, which should be about 0.

    Args:
        predictions: predictions.jsonl of any model, in Moment-DETR's columns.
        model: hf/round-N/solver of a run: the judge. The predictions need not be its own.
        videos: folder that the videos' names are relative to; that of the predictions when not given.
        windows: how many of a row's windows are its evidence, in their order; all when not given. 1 for ranked guesses.
        out: JSON lines to write, one a prediction, with its own figures.
        cache_dir: as --data.cache_dir of the run, so that no video is looked at twice.
        seed: of the random places.
    """
    from tevo.verbs.evidence import measure

    print(measure(predictions, model, videos or predictions.parent, windows, out, cache_dir, seed))


def ask(
    video: Path,
    question: str,
    options: list[str],
    model: str = "clip_tiny",
    answering: Literal["single", "coarse_to_fine", "divide_and_conquer"] = "single",
    subtitles: bool = False,
    out: Path = Path("runs/ask"),
    cache_dir: Path | None = None,
) -> None:
    """Ask one question about one video: prints the answer and when its evidence is, writes a page and a picture.

    Args:
        video: a file of any length, rate and format that FFmpeg reads.
        question: "What happens first?", "When does this happen: the red shape grows?", or any other words.
        options: two or more answers to choose from.
        model: a run, its hf/round-N/solver, a language model's folder, or the name of a backbone (zero-shot).
        answering: one look; a second, closer one where the first found something; or chunk by chunk, for long videos.
        subtitles: read the subtitles too, those beside the video or inside it.
        out: folder for the page and the picture.
        cache_dir: as --data.cache_dir.
    """
    from tevo.answer import Answering
    from tevo.verbs.ask import run_ask

    print(run_ask(video, question, options, model, Answering(answering), subtitles, out, cache_dir))


_WORDS = {"ask": ("--options",), "eval": ("models", "--protocols")}
"""Arguments that take several words, not a list in brackets."""
_FUNCTIONS: dict[str, Callable[..., None]] = {
    "ask": ask,
    "index": index,
    "world": world,
    "list": list_,
    "init": init,
    "doctor": doctor,
    "eval": eval_,
    "evidence": evidence,
    "report": report,
    "score": score,
}
