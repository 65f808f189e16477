"""Questions that only count together: VNBench's four tries, multi-binary pairs, Causal-VidQA's answer and reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tevo.errors import TevoError
from tevo.metrics.answered import Answered
from tevo.metrics.tables.base import Figure, Scored, Unit, by_group, groups_of, macro, mean
from tevo.prompts.replies import LETTER_PARSERS

TRIES = 4
CATEGORIES = ("ret", "ord", "cnt")
CAUSAL = {
    **{"D": "Description", "E": "Explaination", "PA": "Predictive-Answer", "PR": "Predictive-Reason"},
    **{"CA": "Counterfactual-Answer", "CR": "Counterfactual-Reason", "P": "Predictive", "C": "Counterfactual"},
}
"""Kinds of Causal-VidQA in the order of a video's six keys, and the two joint ones; the names are its own."""


@dataclass(frozen=True, slots=True)
class Together:
    """All questions of a group must be right.

    Attributes:
        letters: which letter parser reads replies.
        sample: the group that questions belong to.
        size: how many right answers a group needs; None: one for each of its questions.
        skips_missing: whether a question without a prediction is left out of its group, and the group with it
            when no question is left; otherwise it is wrong.
        categories: figures for these parts of the task's name, whose mean is the overall figure.
        macro: whether the overall figure of a scorer without categories is the mean over tasks, not over groups.
        scale: 100 for points, 1 for shares.
    """

    letters: str
    sample: Callable[[Answered], str]
    size: int | None = TRIES
    skips_missing: bool = False
    categories: tuple[str, ...] = ()
    macro: bool = True
    scale: float = 1.0

    def __call__(self, rows: Sequence[Answered]) -> Scored:
        """The table, one unit a group; its type is that of the group's last question, as in the scorers."""
        parse = LETTER_PARSERS[self.letters]
        found: dict[tuple[str, ...], list[tuple[Answered, bool]]] = {}
        for row in rows:
            if row.row is not None or not self.skips_missing:
                kind = (row.task,) if self.skips_missing else ()  # the official scorer groups inside each type
                found.setdefault((*kind, self.sample(row)), []).append((row, row.right(parse)))
        units, right = [], []
        for key, members in found.items():
            last = members[-1][0]
            units.append(Unit(key[-1], last.video, groups_of(last)))
            wanted = len(members) if self.size is None else self.size
            right.append(float(sum(hit for _, hit in members) == wanted))
        return Scored(tuple(units), {"acc": tuple(right)}, self._figures(right, units))

    def _figures(self, right: Sequence[float], units: Sequence[Unit]) -> dict[str, Figure]:
        types = dict(sorted(by_group(right, units, "task").items()))
        figures = {label: self._figure(value) for label, value in types.items()}
        if not self.categories:
            return {"Overall": self._figure(macro(types) if self.macro else mean(right))} | figures
        means = {
            category: macro({label: value for label, value in types.items() if self._category(label) == category}, None)
            for category in self.categories
        }
        means = {category: 0.0 if value != value else value for category, value in means.items()}
        overall = sum(means.values()) / len(means)
        return {"Overall": self._figure(overall)} | {k: self._figure(v) for k, v in means.items()} | figures

    def _category(self, label: str) -> str:
        return next((category for category in self.categories if category in label), "")

    def _figure(self, value: float) -> Figure:
        return Figure(self.scale * value, 2 if self.scale == 100 else 4, self.scale == 100)


def try_sample(row: Answered) -> str:
    """VNBench: the id without its try, ``0_ret_edit_3`` -> ``0_ret_edit``."""
    return row.qid[:-2]


def causal_vidqa(rows: Sequence[Answered]) -> Scored:
    """Causal-VidQA: six questions a video in order; P and C need answer and reason; Acc = mean of D, E, P, C.

    A video with other than six questions shifts the groups of the official scorer; here groups go by video.
    """
    parse = LETTER_PARSERS["tevo"]
    videos: dict[str, dict[str, bool]] = {}
    for row in rows:
        if row.task not in CAUSAL:
            raise TevoError(f"question {row.qid!r} is of the kind {row.task!r}, wanted one of {', '.join(CAUSAL)}")
        videos.setdefault(row.video, {})[row.task] = row.claimed_right(parse)
    units, values, kinds = [], [], []
    for video, found in videos.items():
        found["P"], found["C"] = (all(found.get(f"{kind}{part}") for part in "AR") for kind in "PC")
        for kind, hit in found.items():
            units.append(Unit(f"{video}_{kind}", video, {"task": (CAUSAL[kind],)}))
            values.append(float(hit))
            kinds.append(kind)
    means = by_group(values, units, "task")
    figures = {name: Figure(100 * means[name]) for name in CAUSAL.values() if name in means}
    joint = [value if kind in "DEPC" else None for value, kind in zip(values, kinds, strict=True)]
    return Scored(tuple(units), {"acc": tuple(joint)}, {"Acc": Figure(100 * mean(joint))} | figures)
