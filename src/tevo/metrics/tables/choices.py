"""Multiple choice, one letter a question: micro and macro averages, and how a missing prediction counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tevo.metrics.answered import Answered
from tevo.metrics.tables.base import Figure, Scored, Unit, by_group, flags, groups_of, macro, mean
from tevo.prompts.replies import LETTER_PARSERS

MLVU_DEV = ("anomaly_reco", "count", "ego", "needle", "order", "plotQA", "topic_reasoning")
MLVU_TEST = (
    *("anomaly_reco", "count", "ego", "needleQA", "order", "plotQA", "sportsQA", "topic_reasoning", "tutorialQA"),
)


@dataclass(frozen=True, slots=True)
class Choices:
    """How a scorer of multiple choice differs from the next.

    Attributes:
        letters: which letter parser reads replies.
        group: the group whose labels get a figure each; "" for none.
        macro: name of the mean of the group's figures, "" to leave it out.
        tasks: exactly these labels are averaged, an absent one counting 0; () averages those that occur.
        micro: name of the accuracy over all questions.
        skips_missing: whether questions without a prediction leave the denominator; otherwise they are wrong.
        skips_empty: whether empty replies do too.
        scale: 100 for points, 1 for shares.
        decimals: that the scorer prints.
        folded: label -> label that it is counted under.
    """

    letters: str
    group: str = "task"
    macro: str = ""
    tasks: tuple[str, ...] = ()
    micro: str = "acc"
    skips_missing: bool = False
    skips_empty: bool = False
    scale: float = 100.0
    decimals: int = 2
    folded: tuple[tuple[str, str], ...] = ()

    def __call__(self, rows: Sequence[Answered]) -> Scored:
        """The table. A question of several labels counts in each of them, and once over all."""
        parse = LETTER_PARSERS[self.letters]
        right = flags([None if self._skipped(row) else row.right(parse) for row in rows])
        units = tuple(Unit(row.qid, row.video, self._groups(row)) for row in rows)
        labelled = by_group(right, units, self.group)
        figures = {self.micro: self._figure(mean(right))}
        if self.macro:
            figures[self.macro] = self._figure(macro(labelled, self.tasks or None))
        figures |= {label: self._figure(value) for label, value in labelled.items()}
        return Scored(units, {"acc": right}, figures)

    def _skipped(self, row: Answered) -> bool:
        if not row.truth:
            return True
        if row.row is None:
            return self.skips_missing
        return self.skips_empty and "response" in row.row and not row.reply

    def _groups(self, row: Answered) -> dict[str, tuple[str, ...]]:
        fold = dict(self.folded)
        found = groups_of(row)
        return found | {self.group: tuple(fold.get(label, label) for label in found.get(self.group, ()))}

    def _figure(self, value: float) -> Figure:
        return Figure(self.scale * value, self.decimals, self.scale == 100)


def nextqa(letters: str) -> Callable[[Sequence[Answered]], Scored]:
    """NExT-QA and NExT-GQA by type: TP counted as TN, then Acc_C, Acc_T, Acc_D by the first letter of the type.

    Where the prediction file names the true answer itself, that is believed.
    """

    def table(rows: Sequence[Answered]) -> Scored:
        parse = LETTER_PARSERS[letters]
        right = flags([row.claimed_right(parse) for row in rows])
        kinds = ["TN" if row.task == "TP" else row.task for row in rows]
        units = tuple(
            Unit(row.qid, row.video, groups_of(row) | {"task": (kind,), "first letter": (kind[:1],)})
            for row, kind in zip(rows, kinds, strict=True)
        )
        figures = {kind: Figure(100 * value) for kind, value in by_group(right, units, "task").items()}
        firsts = by_group(right, units, "first letter")
        figures |= {f"Acc_{letter}": Figure(100 * firsts[letter]) for letter in "CTD" if letter in firsts}
        return Scored(units, {"acc": right}, {"Acc": Figure(100 * mean(right))} | figures)

    return table
