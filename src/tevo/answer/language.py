"""A Solver that speaks as what answers: frames of parts and a prompt in, a reply read as answer and spans out."""

from collections.abc import Iterator, Sequence

import torch

from tevo.answer.looker import Looker, Request, Seen, look_of
from tevo.backbones.language import LanguageModel, Prompt, Watched
from tevo.data.features import FeatureStore
from tevo.data.parts import Part
from tevo.data.watching import closer_look
from tevo.errors import TevoError
from tevo.prompts.solver import solver_prompt
from tevo.prompts.subtitles import write_subtitles
from tevo.structures import Span
from tevo.tasks.language.saying import say_all
from tevo.tasks.language.solver import ROLE, LanguageSolver
from tevo.tasks.language.viewed import Viewed
from tevo.video.decoder import VideoError
from tevo.video.info import VideoInfo


class LanguageLooker(Looker):
    """Shows a language model frames at the resolution that its budget allows, and reads its reply.

    Args:
        solver: answers; in eval mode.
        store: whose backbone it is and whose plan says how it looks; its budget is the plan's ``max_tokens``.

    Raises:
        TevoError: when the store's backbone is no language model.
    """

    def __init__(self, solver: LanguageSolver, store: FeatureStore) -> None:
        if not isinstance(store.backbone, LanguageModel) or store.plan.max_tokens is None:
            raise TevoError(f"{type(store.backbone).__name__} is no language model with a budget of tokens")
        self.model: LanguageModel = store.backbone
        self.solver, self.store, self.max_tokens = solver, store, store.plan.max_tokens

    def look(self, requests: Sequence[Request], progress: bool = False) -> list[Seen]:
        """See :meth:`Looker.look`; what several questions show is watched once, and then all of them are put."""
        groups: dict[tuple[str, tuple[Span, ...]], list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault((request.video.path, request.shown), []).append(index)
        seen: dict[int, Seen] = {}
        for indices in _bar(list(groups.values()), progress):
            some = [requests[index] for index in indices]
            try:
                found = self._answer(some, self.watch(Part(some[0].video, some[0].shown)))
            except VideoError as error:
                found = [error] * len(some)
            seen |= dict(zip(indices, found, strict=True))
        return [seen[index] for index in range(len(requests))]

    def detail(self, video: VideoInfo, shown: Sequence[Span]) -> float:
        """See :meth:`Looker.detail`; resolution grows until the frames' own, which few budgets reach."""
        return self.max_tokens / max(sum(span.length_s for span in shown), 1e-6)

    def chunk_s(self, video: VideoInfo, num_frames: int) -> float:
        """See :meth:`Looker.chunk_s`."""
        plan = self.store.plan
        return min(num_frames, plan.max_frames) / plan.fps

    def watch(self, part: Part) -> Watched:
        """What the model reads of a part; its second 0 is the video's first, so that a time means the same in any part.

        Raises:
            VideoError: when it cannot be decoded.
        """
        if part.is_whole:
            watched = self.store.get(part.video).watched
        else:
            watched = closer_look(self.store.backbone, self.store.plan, part.video)(part.spans)
        if watched is None:
            raise VideoError(part.video.path, "decode error")
        return watched

    @torch.no_grad()
    def _answer(self, requests: Sequence[Request], watched: Watched) -> list[Seen]:
        limits = Span(requests[0].video.start_s, requests[0].video.end_s)
        questions = [request.question for request in requests]
        prompts = [self._prompt(request, watched, limits.length_s) for request in requests]
        views = [Viewed(requests[0].video.path, watched, limits)] * len(requests)
        with self.model.acting(ROLE):
            said = say_all(self.model, questions, views, prompts, self.solver.config.words)
        texts = [[prompt.text, one.completion or ""] for prompt, one in zip(prompts, said, strict=True)]
        written = self.model.encode_reply(texts).mask.sum((-1, -2)).tolist()
        return [
            look_of(request, one, watched.num_tokens + int(number))
            for request, one, number in zip(requests, said, written, strict=True)
        ]

    def _prompt(self, request: Request, watched: Watched, duration_s: float) -> Prompt:
        spoken = write_subtitles(request.cues, request.shown, watched.origin_s)
        return Prompt(solver_prompt(request.question, duration_s, self.solver.templates, spoken), watched)


def _bar(groups: list[list[int]], progress: bool) -> Iterator[list[int]]:
    if not progress or not groups:
        return iter(groups)
    from tqdm import tqdm

    return iter(tqdm(groups, desc="looking at the videos", unit="look", disable=None))
