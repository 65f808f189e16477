"""Which videos the report shows: a fixed, spread-out choice, so that nobody picks the pretty ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tevo.metrics.evaluation import QuestionScore, score_rows
from tevo.metrics.results import RunSpec
from tevo.report.run import Row
from tevo.structures import Question, Span

NUM_CARDS = 12


@dataclass(frozen=True, slots=True)
class Card:
    """One question about one video, from the pool, from the predictions, or from both.

    Attributes:
        video: as the rows name it.
        asked: row of ``questions.jsonl``; empty for a question that came with the annotations.
        answered: row of ``predictions.jsonl``; empty for a question that was only trained on.
        is_labelled: whether the question came with annotations, so that answer and windows of ``answered``
            are the truth. Those of a pooled question are the Questioner's.
    """

    video: str
    asked: Row
    answered: Row
    is_labelled: bool = False

    @property
    def score(self) -> QuestionScore | None:
        """What the prediction is worth; None without prediction or truth."""
        truth = spans_of(self.answered.get("relevant_windows"))
        options = tuple(map(str, self.answered.get("options") or ()))
        answer = str(self.answered.get("answer") or "")
        if not self.is_labelled or not (truth or (options and answer)):
            return None
        question = Question(str(self.answered["qid"]), self.video, "", "", options, answer, truth)
        return score_rows([self.answered], [question])[0]


def choose_cards(
    questions: Sequence[Row], predictions: Sequence[Row], labelled: bool, limit: int = NUM_CARDS
) -> list[Card]:
    """Half predictions, half pool (most of it kept questions of the last round), one card a video.

    Either half fills up with the other where rows are wanting. Within a half the videos are evenly spaced
    over the file, and the question taken moves on by one from video to video, so that every kind shows.

    Args:
        questions: rows of ``questions.jsonl``.
        predictions: rows of ``predictions.jsonl``.
        labelled: whether the predictions answer annotated questions rather than held-out ones of the pool.
        limit: cards at most.
    """
    last = max((int(row.get("round") or 0) for row in questions), default=0)
    pool = [row for row in questions if int(row.get("round") or 0) == last and row.get("video")]
    by_id = {(str(row.get("id")), str(row.get("video"))): row for row in questions}
    named = [row for row in predictions if row.get("vid") and row.get("qid") is not None]
    if labelled:
        answered = [Card(str(row["vid"]), {}, row, is_labelled=True) for row in named]
    else:
        asked = [by_id.get((str(row["qid"]), str(row["vid"])), _as_asked(row)) for row in named]
        answered = [Card(str(row["vid"]), own, row) for row, own in zip(named, asked, strict=True)]
    shown = {str(card.asked.get("id")) for card in answered}
    rest = [row for row in pool if str(row.get("id")) not in shown]
    kept = [Card(str(row["video"]), row, {}) for row in rest if row.get("kept")]
    dropped = [Card(str(row["video"]), row, {}) for row in rest if not row.get("kept")]
    num_dropped = min(limit // 6, len(_videos(dropped)))
    num_kept = min(max(limit // 2, limit - len(_videos(answered))) - num_dropped, len(_videos(kept)))
    chosen = _spread(answered, limit - num_kept - num_dropped, set())
    chosen += _spread(kept, limit - num_dropped - len(chosen), _videos(chosen))
    return chosen + _spread(dropped, limit - len(chosen), _videos(chosen))


def find_video(card: Card, spec: RunSpec) -> Path | None:
    """The file that a card means: one of the annotations beside their file, one of the pool under the data root.

    The two are never mixed: both may well have a ``000000.mp4``, and a strip of another video would lie.
    """
    root = (spec.get("annotations") if card.is_labelled else None) or spec.get("data_root")
    beside = [Path(root) / card.video, Path(root).parent / card.video] if root else []
    places = [*beside, Path(card.video)]
    return next((place for place in places if place.is_file()), None)


def spans_of(windows: object) -> tuple[Span, ...]:
    """Spans of a row's ``[[start, end, ...], ...]``; what is no span is left out."""
    spans = []
    for window in windows if isinstance(windows, list) else ():
        if isinstance(window, list) and len(window) >= 2 and all(isinstance(b, (int, float)) for b in window[:2]):
            start, end = float(window[0]), float(window[1])
            if start <= end < float("inf"):
                spans.append(Span(start, end))
    return tuple(spans)


def _as_asked(row: Row) -> Row:
    """The question of a prediction that has no row of its own: what it calls its answer is the Questioner's."""
    same = {name: row[name] for name in ("kind", "options", "answer") if name in row}
    return same | {
        "id": row["qid"],
        "video": row["vid"],
        "text": row.get("query"),
        "evidence": row.get("relevant_windows"),
    }


def _spread(cards: Sequence[Card], number: int, used: set[tuple[bool, str]]) -> list[Card]:
    """At most ``number`` cards of different videos, evenly spaced."""
    of_video: dict[str, list[Card]] = {}
    for card in cards:
        if (card.is_labelled, card.video) not in used:
            of_video.setdefault(card.video, []).append(card)
    videos = list(of_video)
    number = max(min(number, len(videos)), 0)
    picked = [videos[index * len(videos) // number] for index in range(number)]
    return [of_video[video][turn % len(of_video[video])] for turn, video in enumerate(picked)]


def _videos(cards: Iterable[Card]) -> set[tuple[bool, str]]:
    return {(card.is_labelled, card.video) for card in cards}
