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

QUESTIONS_AT_ONCE = 32  # assumed; put together, since a step of writing costs nearly the same for few and for many


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
        """See :meth:`Looker.look`; what several questions show is watched once, and many are put together."""
        groups: dict[tuple[str, tuple[Span, ...]], list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault((request.video.path, request.shown), []).append(index)
        seen: dict[int, Seen] = {}
        waiting: list[tuple[int, Watched]] = []
        for indices in _bar(list(groups.values()), progress):
            shown = requests[indices[0]]
            try:
                watched = self.watch(Part(shown.video, shown.shown))
            except VideoError as error:
                seen |= dict.fromkeys(indices, error)
                continue
            waiting += [(index, watched) for index in indices]
            while len(waiting) >= QUESTIONS_AT_ONCE:
                seen |= self._answer(requests, waiting[:QUESTIONS_AT_ONCE])
                waiting = waiting[QUESTIONS_AT_ONCE:]
        seen |= self._answer(requests, waiting)
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
    def _answer(self, requests: Sequence[Request], some: Sequence[tuple[int, Watched]]) -> dict[int, Seen]:
        """Put some of the questions, by their index, each about what was watched for it."""
        if not some:
            return {}
        asked, prompts, views = [requests[index] for index, _ in some], [], []
        for request, (_, watched) in zip(asked, some, strict=True):
            limits = Span(request.video.start_s, request.video.end_s)
            prompts.append(self._prompt(request, watched, limits.length_s))
            views.append(Viewed(request.video.path, watched, limits))
        with self.model.acting(ROLE):
            said = say_all(
                self.model, [request.question for request in asked], views, prompts, self.solver.config.words
            )
        texts = [[prompt.text, one.completion or ""] for prompt, one in zip(prompts, said, strict=True)]
        written = self.model.encode_reply(texts).mask.sum((-1, -2)).tolist()
        return {
            index: look_of(requests[index], one, watched.num_tokens + int(number))
            for (index, watched), one, number in zip(some, said, written, strict=True)
        }

    def _prompt(self, request: Request, watched: Watched, duration_s: float) -> Prompt:
        spoken = write_subtitles(request.cues, request.shown, watched.origin_s)
        return Prompt(solver_prompt(request.question, duration_s, self.solver.templates, spoken), watched)


def _bar(groups: list[list[int]], progress: bool) -> Iterator[list[int]]:
    if not progress or not groups:
        return iter(groups)
    from tqdm import tqdm

    return iter(tqdm(groups, desc="looking at the videos", unit="look", disable=None))
