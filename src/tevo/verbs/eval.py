"""``tevo eval`` as it is typed. Heavy imports are inside."""

from pathlib import Path
from typing import Literal


def eval_(
    models: list[str],
    protocols: list[str],
    benchmark: str | None = None,
    annotations: Path | None = None,
    videos: Path | None = None,
    suite: Path | None = None,
    out: Path = Path("eval"),
    answering: Literal["single", "coarse_to_fine", "divide_and_conquer"] = "single",
    subtitles: bool = False,
    limit: int | None = None,
    fps: float | None = None,
    max_frames: int | None = None,
    max_tokens: int | None = None,
    evidence: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
    cache_dir: Path | None = None,
    device: str | None = None,
) -> None:
    """Ask models about benchmarks, all under one spec, and print them side by side with paired intervals.

    Every row that a model predicts is on the disk at once; the same command goes on where it was stopped.

    Args:
        models: a run (its best round), hf/round-N/solver of one, a language model's folder, the name of a backbone
            (zero-shot), or `base`: the backbone of the run beside it, zero-shot. LABEL=MODEL names a column.
            Differences are to the first.
        protocols: whose rules score it; `official`, where there are such, and `tevo` when not given.
        benchmark: its name, as `tevo list` prints it; `generic` for rows of your own.
        annotations: its annotation file or folder, as published.
        videos: the folder that its videos lie in.
        suite: a YAML list of {benchmark, annotations, videos, protocols} instead, to evaluate on several.
        out: folder of the results; predictions that lie there under the same spec are kept.
        answering: the whole video once; then closer where it seems to be; or a long video in chunks.
        subtitles: read subtitles too, beside the video or inside it.
        limit: ask about so many questions only, of videos drawn by the seed; for a trial.
        fps: frames a second that every model looks at; what they were made for when not given.
        max_frames: most frames of a video, likewise; a longer one is looked at more thinly.
        max_tokens: most tokens of a video in one look of a language model, likewise.
        evidence: about how many questions of each benchmark have their evidence judged, by the first model that is no
            language model; 0 for none.
        seed: of the videos that limit draws, and of the places that evidence is compared with.
        confidence: of the bootstrap intervals, 0..1; videos are drawn.
        cache_dir: as --data.cache_dir of a run, so that no video is looked at twice.
        device: where the models are put, such as cuda; the CPU when not given.
    """
    from tevo.verbs.side_by_side import choose, run_eval

    choices = choose(benchmark, annotations, videos, protocols, suite)
    run_eval(
        models, choices, out, fps, max_frames, max_tokens, answering, subtitles, limit, seed, evidence, confidence,
        cache_dir, device,
    )  # fmt: skip
