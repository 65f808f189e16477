"""``tevo evidence``: what a predictions file's evidence is worth, beside the same spans dealt to other questions."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tevo.answer import Answerer, Judged, load
from tevo.data.readers.annotations import json_rows
from tevo.errors import TevoError
from tevo.metrics.baselines import dealt_windows
from tevo.metrics.evidence_quality import TERMS
from tevo.metrics.results import write_atomic


def measure(
    predictions: Path,
    model: Path,
    videos: Path,
    windows: int | None = None,
    out: Path | None = None,
    cache_dir: Path | None = None,
    seed: int = 0,
) -> str:
    """The table that the verb prints; see :func:`tevo.verbs.small.evidence` for the arguments.

    Raises:
        TevoError: a file that is missing or holds no predictions, a folder that is no Solver, or no readable video.
    """
    if not predictions.is_file():
        raise TevoError(f"no predictions at {predictions}: give a .jsonl file, as predictions.jsonl of a run")
    rows = [row for _, row in json_rows(predictions)]
    judge = load(model, cache_dir=cache_dir)
    found = {
        "the predictions": judge.evidence_quality(rows, videos, windows, seed),
        "of other questions": _dealt(judge, rows, videos, windows, seed),
    }
    own = found["the predictions"]
    if not any(judged.terms for judged in own):
        reasons = "; ".join(sorted({judged.reason for judged in own})) or "it is empty"
        raise TevoError(f"nothing in {predictions} can be judged ({reasons}); videos are looked for in {videos}")
    if out is not None:
        lines = [{"qid": judged.qid, **judged.terms} | _reason(judged) for judged in own]
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return table(found)


def table(found: Mapping[str, Sequence[Judged]]) -> str:
    """Mean terms, a line a set of predictions; what could not be judged is counted below."""
    width = max(len(name) for name in found)
    lines = ["", " " * width + "".join(f"{name:>14}" for name in (*TERMS, "questions"))]
    for name, judged in found.items():
        terms = [one.terms for one in judged if one.terms]
        means = [sum(term[key] for term in terms) / len(terms) for key in TERMS] if terms else []
        lines.append(f"{name:<{width}}" + "".join(f"{mean:>14.3f}" for mean in means) + f"{len(terms):>14}")
    lines += [
        f"{one.qid}: not judged, {one.reason}" for judged in list(found.values())[:1] for one in judged if one.reason
    ]
    return "\n".join(lines)


def _dealt(judge: Answerer, rows: list[dict[str, Any]], videos: Path, windows: int | None, seed: int) -> list[Judged]:
    return judge.evidence_quality(dealt_windows(rows, seed), videos, windows, seed)


def _reason(judged: Judged) -> dict[str, str]:
    return {"reason": judged.reason} if judged.reason else {}
