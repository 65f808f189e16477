"""The three ways to answer (Zoom-Zero, arXiv 2512.14273): each is a few looks and a choice.

``single``: the whole video once. ``coarse_to_fine``: then the frames around the spans that were found, at the detail
which the same budget of tokens allows there; the more confident look decides. ``divide_and_conquer``: the video in
chunks, each by itself at full detail; the most confident ones vote, and where no majority agrees their spans are looked
at together.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from tevo.answer.answers import SINGLE_PASS, Answer, Look, answer_of
from tevo.answer.looker import Looker, Request, Seen
from tevo.errors import TevoError
from tevo.prompts.grammar import parse
from tevo.structures import Span
from tevo.video.decoder import VideoError

Outcome = Answer | VideoError


@dataclass(frozen=True)
class Answering:
    """How questions are answered."""

    way: str = "single"  # single | coarse_to_fine | divide_and_conquer
    pad_s: float = 10.0  # seconds around a span that a closer look shows as well
    chunk_frames: int = 256  # frames of a chunk, at the rate of the model
    top_chunks: int = 5  # most confident chunks that vote

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise TevoError(f"no way to answer is called {self.way!r}: choose one of {', '.join(WAYS)}")
        if self.pad_s < 0 or self.chunk_frames < 1 or self.top_chunks < 1:
            raise TevoError(
                f"answering needs pad_s >= 0 and at least 1 chunk_frames and top_chunks, got {self.pad_s}, "
                f"{self.chunk_frames} and {self.top_chunks}"
            )


def answer_requests(
    looker: Looker, requests: Sequence[Request], plan: Answering, progress: bool = False
) -> list[Outcome]:
    """Answer questions about whole videos; a video that cannot be looked at gives the error that says why.

    Args:
        looker: the model.
        requests: that show the whole of each video.
        plan: the way, and its settings.
        progress: show bars on a terminal.
    """
    return WAYS[plan.way](looker, requests, plan, progress)


def single(looker: Looker, requests: Sequence[Request], plan: Answering, progress: bool) -> list[Outcome]:
    """One look at the whole video."""
    seen = looker.look(requests, progress)
    return [look if isinstance(look, VideoError) else answer_of(look, SINGLE_PASS, (look,)) for look in seen]


def coarse_to_fine(looker: Looker, requests: Sequence[Request], plan: Answering, progress: bool) -> list[Outcome]:
    """The whole video, then its spans more closely; the more confident look decides."""
    first = looker.look(requests, progress)
    again: dict[int, Request] = {}
    for index, (request, look) in enumerate(zip(requests, first, strict=True)):
        if isinstance(look, Look) and look.spans:
            shown = around(look.spans, request.shown, plan.pad_s)
            if looker.detail(request.video, shown) > looker.detail(request.video, request.shown):
                again[index] = replace(request, shown=shown, name="closer")
    closer = dict(zip(again, looker.look(list(again.values()), progress), strict=True))
    return [_more_confident(look, closer.get(index)) for index, look in enumerate(first)]


def _more_confident(coarse: Seen, fine: Seen | None) -> Outcome:
    """The choice between two looks. One that gave no answer loses; the coarse one wins a tie."""
    if isinstance(coarse, VideoError):
        return coarse
    if fine is None:
        return answer_of(coarse, "coarse to fine: one look, there is no more detail to be had", (coarse,))
    if isinstance(fine, VideoError):
        return answer_of(coarse, "coarse to fine: the whole video, the closer look could not be taken", (coarse,))
    looks = (coarse, fine)
    if not _answers(fine):
        return answer_of(coarse, "coarse to fine: the whole video, the closer look gave nothing", looks)
    if not _answers(coarse) or fine.confidence > coarse.confidence:
        return answer_of(fine, "coarse to fine: the closer look", looks)
    return answer_of(coarse, "coarse to fine: the whole video, surer than the closer look", looks)


def divide_and_conquer(looker: Looker, requests: Sequence[Request], plan: Answering, progress: bool) -> list[Outcome]:
    """Chunks by themselves; the majority of the most confident decides, else their spans are looked at together."""
    parts = [_chunks(looker, request, plan) for request in requests]
    seen = iter(looker.look([part for some in parts for part in some], progress))
    looks = [[next(seen) for _ in some] for some in parts]
    outcomes: list[Outcome | None] = [_voted(some, plan) for some in looks]
    again: dict[int, Request] = {}
    for index, (request, outcome) in enumerate(zip(requests, outcomes, strict=True)):
        if outcome is None:
            spans = tuple(span for look in _best(looks[index], plan) for span in look.spans)
            again[index] = replace(request, shown=around(spans, request.shown, plan.pad_s), name="chunks together")
    together = dict(zip(again, looker.look(list(again.values()), progress), strict=True))
    return [
        _pooled(looks[index], together[index], plan) if outcome is None else outcome
        for index, outcome in enumerate(outcomes)
    ]


def _chunks(looker: Looker, request: Request, plan: Answering) -> list[Request]:
    """Equal parts of at most a chunk's frames; of a question that names seconds, those that hold some of them."""
    (whole,) = request.shown
    number = max(1, ceil(whole.length_s / looker.chunk_s(request.video, plan.chunk_frames) - 1e-6))
    step = whole.length_s / number
    edges = [whole.start_s + step * index for index in range(number)] + [whole.end_s]
    chunks = [Span(start, end) for start, end in pairwise(edges)]
    named = parse(request.question.text).within
    inside = [index for index, chunk in enumerate(chunks) if named is None or chunk.overlaps(named)]
    if len(inside) == len(chunks) == 1:
        return [replace(request, name="whole video")]
    return [
        replace(request, shown=(chunks[index],), name=f"chunk {index + 1} of {number}")
        for index in inside or range(number)
    ]


def _best(looks: Sequence[Seen], plan: Answering) -> list[Look]:
    """The most confident looks that said something, the surest first."""
    said = [look for look in looks if isinstance(look, Look) and _answers(look)]
    return sorted(said, key=lambda look: -look.confidence)[: plan.top_chunks]


def _voted(looks: Sequence[Seen], plan: Answering) -> Outcome | None:
    """What more than half of the surest chunks say; None where their spans must be looked at together."""
    whole = [look for look in looks if isinstance(look, Look)]
    best = _best(looks, plan)
    if not whole:
        return next(look for look in looks if isinstance(look, VideoError))
    if not best:
        return answer_of(whole[0], f"divide and conquer: none of {len(whole)} chunks gave an answer", tuple(whole))
    if len(looks) == 1:
        return answer_of(best[0], "divide and conquer: one chunk", tuple(whole))
    answer, votes = Counter(look.answer for look in best).most_common(1)[0]
    if answer is None or 2 * votes <= len(best):  # spans of different chunks never agree: None is no vote
        return None if any(look.spans for look in best) else answer_of(
            best[0], "divide and conquer: the surest chunk, no span to look at again", tuple(whole)
        )  # fmt: skip
    surest = next(look for look in best if look.answer == answer)
    agreed = answer_of(surest, f"divide and conquer: {votes} of {len(best)} chunks agree", tuple(whole))
    sure = sum(look.option_probs.get(answer, look.confidence * (look.answer == answer)) for look in best) / len(best)
    return replace(agreed, confidence=sure)


def _pooled(looks: Sequence[Seen], together: Seen, plan: Answering) -> Outcome:
    """What the look at all the spans says; the surest chunk where there is none."""
    best, whole = _best(looks, plan), tuple(look for look in looks if isinstance(look, Look))
    if isinstance(together, VideoError):
        return answer_of(best[0], "divide and conquer: the surest chunk, the spans could not be looked at again", whole)
    path = f"divide and conquer: {len(best)} chunks disagree, their spans together"
    return answer_of(together, path, (*whole, together))


def around(spans: Sequence[Span], limits: Sequence[Span], pad_s: float) -> tuple[Span, ...]:
    """Spans with some seconds on either side, those that meet as one, in order and inside the limits."""
    joined: list[Span] = []
    first, last = limits[0].start_s, limits[-1].end_s
    for span in sorted(spans):
        wide = Span(span.start_s - pad_s, span.end_s + pad_s).clamp(Span(first, last))
        if joined and wide.start_s <= joined[-1].end_s:
            joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, wide.end_s))
        else:
            joined.append(wide)
    return tuple(joined)


def _answers(look: Look) -> bool:
    """Whether a look said anything that can be used: an answer, or spans where these are the answer."""
    return look.answer is not None or (bool(look.spans) and look.confidence > 0)


WAYS: dict[str, Callable[[Looker, Sequence[Request], Answering, bool], list[Outcome]]] = {
    "single": single,
    "coarse_to_fine": coarse_to_fine,
    "divide_and_conquer": divide_and_conquer,
}
