"""A Solver on a backbone without a language model as what answers: tokens of parts in, its policy's best answer out."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tevo.answer.answers import Look
from tevo.answer.looker import Looker, Request, Seen, look_of
from tevo.data.features import FeatureStore
from tevo.data.parts import Part, PartReader
from tevo.heads.subtitles import TextTokens, fuse, text_tokens
from tevo.structures import Span, TimedText, VideoTokens
from tevo.tasks.asking import read_prediction
from tevo.tasks.matching import as_encoder
from tevo.tasks.solver import Solver
from tevo.video.decoder import VideoError
from tevo.video.info import VideoInfo

QUESTIONS_AT_ONCE = 64  # assumed


class _Group(NamedTuple):
    """Requests that show the same of one video."""

    part: Part
    cues: tuple[TimedText, ...]
    indices: list[int]


class EncoderLooker(Looker):
    """Looks through a backbone and reads with a Solver's heads.

    Args:
        solver: answers; in eval mode.
        store: whose backbone and plan it looks through; its budget is the plan's ``max_frames``.
        phrases: the run's bank: what subtitles are told apart from.
    """

    def __init__(self, solver: Solver, store: FeatureStore, phrases: Sequence[str]) -> None:
        self.solver, self.store, self.phrases = solver, store, phrases
        self.reader = PartReader(store, solver.tower)

    def look(self, requests: Sequence[Request], progress: bool = False) -> list[Seen]:
        """See :meth:`Looker.look`."""
        groups = _grouped(requests)
        seen: list[Seen | None] = [None] * len(requests)
        tokens = _bar(self.reader.read(group.part for group in groups), len(groups), progress)
        held: list[tuple[_Group, VideoTokens]] = []
        for number, (group, found) in enumerate(zip(groups, tokens, strict=True), start=1):
            if isinstance(found, VideoError):
                for index in group.indices:
                    seen[index] = found
            else:
                held.append((group, found))
            waiting = sum(len(some.indices) for some, _ in held)
            if held and (waiting >= QUESTIONS_AT_ONCE or number == len(groups)):
                for index, look in self._answer(held, requests):
                    seen[index] = look
                held = []
        return [look for look in seen if look is not None]

    def detail(self, video: VideoInfo, shown: Sequence[Span]) -> float:
        """See :meth:`Looker.detail`: frames a second, never more than the rate that the Solver learnt with."""
        plan = self.store.plan
        return min(plan.fps, plan.max_frames / max(sum(span.length_s for span in shown), 1e-6))

    def chunk_s(self, video: VideoInfo, num_frames: int) -> float:
        """See :meth:`Looker.chunk_s`; no chunk is beyond the budget."""
        return min(num_frames, self.store.plan.max_frames) / self.store.plan.fps

    @torch.no_grad()
    def _answer(
        self, held: Sequence[tuple[_Group, VideoTokens]], requests: Sequence[Request]
    ) -> list[tuple[int, Look]]:
        """One pass of the heads over what is held: places among the requests, and what came of each."""
        device = next(self.solver.policy.parameters()).device
        tokens = VideoTokens.collate([found for _, found in held]).to(device)
        joint = as_encoder(self.store.backbone).project(tokens.values)
        texts = [self._texts(group) for group, _ in held]
        if any(text is not None for text in texts):
            joint = fuse(joint, tokens.spans, texts)
        flat = [index for group, _ in held for index in group.indices]
        rows = torch.tensor([row for row, (group, _) in enumerate(held) for _ in group.indices])
        questions = [requests[index].question for index in flat]
        state = self.solver.policy.watch(tokens, joint)
        best = self.solver.policy.predict(state, self.solver.queries(questions, rows))
        looks = []
        for place, (index, row) in enumerate(zip(flat, rows.tolist(), strict=True)):
            request, text = requests[index], texts[row]
            limits = Span(request.video.start_s, request.video.end_s)
            cost = int(tokens.mask[row].sum()) + (0 if text is None else len(text.values))
            looks.append((index, look_of(request, read_prediction(request.question, best, place, limits), cost)))
        return looks

    def _texts(self, group: _Group) -> TextTokens | None:
        """The subtitles of what is shown, as tokens."""
        cues = [cue for cue in group.cues if any(cue.span.overlaps(span) for span in group.part.spans)]
        return text_tokens(cues, as_encoder(self.store.backbone), self._usual_text) if cues else None

    @cached_property
    def _usual_text(self) -> Float[Tensor, "joint"]:
        return as_encoder(self.store.backbone).encode_text(self.phrases).mean(0)


def _grouped(requests: Sequence[Request]) -> list[_Group]:
    """Requests by what they show, in order of first appearance; at most a batch of questions a group."""
    groups: list[_Group] = []
    latest: dict[tuple[str, tuple[Span, ...], tuple[TimedText, ...]], _Group] = {}
    for index, request in enumerate(requests):
        key = (request.video.path, request.shown, request.cues)
        group = latest.get(key)
        if group is None or len(group.indices) >= QUESTIONS_AT_ONCE:
            group = latest[key] = _Group(Part(request.video, request.shown), request.cues, [])
            groups.append(group)
        group.indices.append(index)
    return groups


def _bar(found: Iterator[VideoTokens | VideoError], total: int, progress: bool) -> Iterator[VideoTokens | VideoError]:
    if not progress or not total:
        return found
    from tqdm import tqdm

    return iter(tqdm(found, total=total, desc="looking at the videos", unit="look", disable=None))
