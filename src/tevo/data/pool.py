"""The pool: the questions in force with their pseudo-labels, and why the others were dropped."""

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tevo.errors import TevoError
from tevo.structures import Question, Span, Verdict

_KEYS = (
    "id video text kind level options answer evidence window votes agreement pseudo_answer pseudo_evidence "
    "round kept reason"
).split()
_OPTIONAL = ("family", "completion", "replies")  # columns that are there where they say something


class Pool:
    """What the last vote left. A new round's verdicts replace the old ones; the history keeps the counts."""

    def __init__(self) -> None:
        self.round = 0  # 0 = nothing pooled yet
        self.verdicts: list[Verdict] = []  # the kept ones
        self.history: list[dict[str, Any]] = []  # one row a round: round, asked, kept, dropped by reason, faults

    @property
    def dropped(self) -> dict[str, int]:
        """Number of questions dropped in the pool's round, by reason."""
        return dict(self.history[-1]["dropped"]) if self.history else {}

    def replace(self, round: int, verdicts: Sequence[Verdict], faults: Mapping[str, int] | None = None) -> None:
        """Put a round's verdicts in force, kept and dropped alike; a round built again replaces itself.

        Args:
            round: from 1.
            verdicts: of all questions asked, in the same order on every rank.
            faults: tries that made no question, by what was wrong.
        """
        self.round = round
        self.verdicts = [verdict for verdict in verdicts if verdict.kept]
        dropped = Counter(verdict.reason for verdict in verdicts if not verdict.kept)
        row = {"round": round, "asked": len(verdicts), "kept": len(self.verdicts), "dropped": dict(dropped)}
        if faults:
            row["faults"] = dict(faults)
        self.history = [*(old for old in self.history if old["round"] < round), row]

    def about(self, videos: Collection[str]) -> list[Verdict]:
        """The questions about these videos."""
        return [verdict for verdict in self.verdicts if verdict.question.video in videos]

    def training(self, videos: Collection[str], heldout: Collection[str]) -> list[Verdict]:
        """The questions the Solver is trained on: all but those about held-out videos.

        Raises:
            TevoError: when none is left, or one is about a video that is not there.
        """
        verdicts = [verdict for verdict in self.verdicts if verdict.question.video not in heldout]
        if not verdicts:
            raise TevoError(
                f"there is no question to train the Solver on ({self.summary()}; {len(heldout)} of {len(videos)} "
                "videos are held out); give more or longer videos, or widen model.pool (agreement_low, "
                "agreement_high), or lower model.questioner.min_naming"
            )
        strange = sorted({verdict.question.video for verdict in verdicts} - set(videos))
        if strange:
            raise TevoError(
                f"{len(strange)} videos of the checkpoint's pool are not there: {', '.join(strange[:5])}; go on with "
                "the videos that the run began with, or start anew without --ckpt_path"
            )
        return verdicts

    def summary(self) -> str:
        """One line for a person: how many were asked, kept, dropped for which reason, and no question at all."""
        if not self.history:
            return "no question was asked yet"
        row = self.history[-1]
        dropped, faults = row["dropped"], row.get("faults", {})
        return (
            f"round {row['round']}: {row['asked']} asked, {row['kept']} kept"
            + (f"; dropped: {listed(dropped)}" if dropped else "")
            + (f"; {sum(faults.values())} more made no question: {listed(faults, 3)}" if faults else "")
        )

    def state_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`load_state_dict` takes them back exactly."""
        return {
            "round": self.round,
            "verdicts": [to_row(verdict) for verdict in self.verdicts],
            "history": [dict(row) for row in self.history],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.round = int(state["round"])
        self.verdicts = [from_row(row) for row in state["verdicts"]]
        self.history = [dict(row) for row in state["history"]]


def listed(counts: Mapping[str, int], most: int | None = None) -> str:
    """``3 too easy, 1 tie``: the most frequent first, and beyond ``most`` names the sum of the others."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    others = sum(count for _, count in ranked[most:]) if most is not None else 0
    named = [f"{count} {name}" for name, count in ranked[:most]]
    return ", ".join([*named, *([f"{others} for other reasons"] if others else [])])


def heldout_videos(names: Collection[str], share: float) -> frozenset[str]:
    """Videos whose questions the Solver never trains on: those whose name hashes below the share.

    Further videos in the folder do not move the others. There is at least one of two or more videos, unless
    the share is 0.

    Args:
        names: of all videos.
        share: 0..1.
    """
    hashes = {name: int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8 for name in names}
    chosen = {name for name, value in hashes.items() if value < share}
    if share > 0 and len(hashes) > 1:
        ascending = sorted(hashes, key=lambda name: hashes[name])
        chosen = (chosen or {ascending[0]}) - {ascending[-1]}
    return frozenset(chosen)


def to_row(verdict: Verdict) -> dict[str, Any]:
    """A row of ``questions.jsonl``: plain values, signals beside the rest.

    Raises:
        ValueError: when a signal bears the name of another column.
    """
    clash = set(verdict.signals) & {*_KEYS, *_OPTIONAL}
    if clash:
        raise ValueError(f"signals cannot be called {sorted(clash)}: these columns hold something else")
    question = verdict.question
    row = {
        "id": question.id,
        "video": question.video,
        "text": question.text,
        "kind": question.kind,
        "level": question.level,
        "options": list(question.options),
        "answer": question.answer,
        "evidence": _pairs(question.evidence),
        "window": _pairs((question.window,))[0] if question.window else None,
        "votes": dict(verdict.votes),
        "agreement": verdict.agreement,
        "pseudo_answer": verdict.pseudo_answer,
        "pseudo_evidence": _pairs(verdict.pseudo_evidence),
        "round": verdict.round,
        "kept": verdict.kept,
        "reason": verdict.reason,
        **verdict.signals,
    }
    optional = {"family": question.family, "completion": question.completion, "replies": list(verdict.replies)}
    return row | {name: value for name, value in optional.items() if value}


def from_row(row: Mapping[str, Any]) -> Verdict:
    """The verdict of a row: the inverse of :func:`to_row`.

    Raises:
        TevoError: when a column is missing.
    """
    missing = [key for key in _KEYS if key not in row]
    if missing:
        raise TevoError(f"a row of questions.jsonl needs {', '.join(_KEYS)}; {', '.join(missing)} not in {dict(row)}")
    question = Question(
        id=row["id"],
        video=row["video"],
        text=row["text"],
        kind=row["kind"],
        options=tuple(row["options"]),
        answer=row["answer"],
        evidence=_spans(row["evidence"]),
        window=_spans([row["window"]])[0] if row["window"] else None,
        level=row["level"],
        family=row.get("family", ""),
        completion=row.get("completion", ""),
    )
    return Verdict(
        question=question,
        kept=row["kept"],
        reason=row["reason"],
        agreement=row["agreement"],
        votes=dict(row["votes"]),
        pseudo_answer=row["pseudo_answer"],
        pseudo_evidence=_spans(row["pseudo_evidence"]),
        signals={key: value for key, value in row.items() if key not in (*_KEYS, *_OPTIONAL) and value is not None},
        round=row["round"],
        replies=tuple(row.get("replies", ())),
    )


def write_questions(path: Path, round: int, verdicts: Sequence[Verdict]) -> None:
    """Add a round's verdicts, kept and dropped, to ``questions.jsonl``: whole or not at all.

    Rows of this round and of later ones are replaced, so that a run taken up again writes the same file. A
    signal that is not a finite number is written as null.
    """
    rows = [row for row in (_read_lines(path) if path.is_file() else []) if row["round"] < round]
    rows += [to_row(verdict) for verdict in verdicts]
    lines = [json.dumps({key: _finite(value) for key, value in row.items()}, ensure_ascii=False) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_verdicts(path: Path) -> list[Verdict]:
    """All rows of ``questions.jsonl``, kept and dropped.

    Raises:
        TevoError: when the file is not there or holds something else.
    """
    if not path.is_file():
        raise TevoError(f"no question file at {path}; give the questions.jsonl of a run")
    return [from_row(row) for row in _read_lines(path)]


def _read_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except ValueError as error:
        raise TevoError(f"{path} is not a file of JSON lines ({error}); give the questions.jsonl of a run") from error


def _pairs(spans: Sequence[Span]) -> list[list[float]]:
    return [[span.start_s, span.end_s] for span in spans]


def _spans(pairs: Sequence[Sequence[float]]) -> tuple[Span, ...]:
    return tuple(Span(float(start), float(end)) for start, end in pairs)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
