"""Asks a judge what predicted evidence is worth: hides it, shows it alone, looks for it again; no label is read."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.backbones.base import TextEncoder
from tevo.data.datasets import QuestionBatch, VideoBatch
from tevo.data.loader import generator_of
from tevo.errors import TevoError
from tevo.heads.policy import GroundedPolicy
from tevo.heads.queries import Queries, encode_queries, pad_spans
from tevo.metrics.evaluation import windows_of
from tevo.metrics.evidence_quality import Probes, quality_terms
from tevo.objectives.rewards import localisation
from tevo.prompts.grammar import Ask, parse, render
from tevo.structures import Question, Span, VideoTokens
from tevo.tasks.asking import usual_options
from tevo.tasks.judge import CONTROL_SAMPLES, compact, jitter
from tevo.video.interventions import keep_spans, mask_spans, random_span

PLACES = 4  # assumed; random places that evidence is compared with
VIEWS = 3  # assumed; times that a video is sampled again
VIEW_JITTER = 0.1  # assumed; share of tokens that a view leaves out
DISTRACTORS = 7  # assumed; other clauses beside the one that a question without options is about


@dataclass(frozen=True, slots=True)
class Claim:
    """What a prediction says: this answer, because of these spans.

    A question about *when* has no answer beside its spans, so its claim is that its clause is what happens there: it is
    put as a choice between that clause and others of the phrase bank, asked about the spans' own seconds.
    """

    question: Question  # as it was asked
    options: tuple[str, ...]
    answer: int  # index of what is claimed; -1 where nothing was
    spans: tuple[Span, ...]  # seconds
    about_spans: bool  # the clause is the answer, and what is asked is what happens in the spans


def read_claim(row: Mapping[str, Any], phrases: Sequence[str], windows: int | None = None) -> Claim:
    """The claim of one row of a predictions file.

    Args:
        row: ``qid``, ``vid``, ``query`` and ``pred_relevant_windows`` (seconds); ``options`` and ``pred_answer`` where
            there was something to choose, ``shown`` (``[start, end]``, seconds) where a part of the video was.
        phrases: the judge's bank: open questions are answered over it.
        windows: how many of the row's windows are its evidence, in their order; None for all. Where windows are ranked
            guesses (Moment-DETR), the first is.

    Raises:
        TevoError: when a column is missing.
    """
    absent = [name for name in ("qid", "vid", "query", "pred_relevant_windows") if name not in row]
    if absent:
        raise TevoError(
            f"a prediction with the columns {', '.join(row) or 'none'} has no {', '.join(absent)}; give rows of "
            "predictions.jsonl"
        )
    text, ask = str(row["query"]), parse(str(row["query"]))
    shown = Span(*(float(second) for second in row["shown"])) if row.get("shown") else None
    question = Question(str(row["qid"]), str(row["vid"]), text, str(row.get("kind") or ask.kind), shown=shown)
    spans = windows_of(row)[:windows]
    options, said = tuple(row.get("options") or ()), str(row.get("pred_answer") or "")
    if options or said:
        options = options or usual_options(question, phrases)
        options = options if said in options or row.get("options") else (*options, said)
        return Claim(question, options, options.index(said) if said in options else -1, spans, about_spans=False)
    if not ask.phrase:
        return Claim(question, usual_options(question, phrases), -1, spans, about_spans=False)
    others = [phrase for phrase in phrases if phrase != ask.phrase]
    others = random.Random(question.id).sample(others, min(DISTRACTORS, len(others)))
    return Claim(question, (ask.phrase, *others), 0, spans, about_spans=True)


@dataclass(frozen=True)
class Prober:
    """A policy as the judge of claims.

    Args:
        policy: answers; in eval mode.
        encoder: projects tokens into the text's space.
        see: the videos as the policy sees them, where it does not look through the frozen backbone.
    """

    policy: GroundedPolicy
    encoder: TextEncoder
    see: Callable[[VideoBatch], VideoBatch] | None = None

    @torch.no_grad()
    def probe(
        self, videos: VideoBatch, claims: Sequence[Claim], rows: Int[Tensor, "question"], generator: torch.Generator
    ) -> Probes:
        """What the policy says of each claim, and of random places in the same video.

        Args:
            videos: the batch.
            claims: about them.
            rows: row of each claim's video.
            generator: of the places, the views and the samples.
        """
        videos = videos if self.see is None else self.see(videos)
        device = videos.tokens.values.device
        spans, mask = (part.to(device) for part in pad_spans([claim.spans for claim in claims]))
        start, end = videos.start_s[rows], videos.end_s[rows]
        places = [_elsewhere(spans, mask, start, end, generator) for _ in range(PLACES)]
        look = _Look(self, videos, claims, rows, mask, generator)
        views = [jitter(videos.tokens, VIEW_JITTER, generator) for _ in range(VIEWS)]
        again = torch.stack([look.again(view, [spans, *places]) for view in views]).mean(0)
        hidden = torch.stack([look.hidden(place, spans) for place in (spans, *places)], -1)
        alone = torch.stack([look.alone(place) for place in (spans, *places)], -1)
        token_s = float((videos.tokens.spans[..., 1] - videos.tokens.spans[..., 0])[videos.tokens.mask].median())
        good = localisation(spans, mask, end - start, token_s=token_s, start_s=start)
        return Probes(
            hidden[:, 0], hidden[:, 1:], alone[:, 0], alone[:, 1:], again[:, 0], again[:, 1:], good
        )  # fmt: skip


def judge_claims(
    prober: Prober, batches: Iterable[QuestionBatch], claims: Sequence[Claim], seed: int
) -> dict[str, dict[str, float]]:
    """The terms of every claim, by the id of the question that carries it.

    Args:
        prober: the judge.
        batches: questions whose ids are the numbers of their claims.
        claims: in order.
        seed: of the places that evidence is compared with.
    """
    judged: dict[str, dict[str, float]] = {}
    for number, batch in enumerate(batches):
        about = [claims[int(question.id)] for question in batch.questions]
        probes = prober.probe(batch.videos, about, batch.rows, generator_of(seed, number))
        columns = {name: values.tolist() for name, values in quality_terms(probes).items()}
        for index, question in enumerate(batch.questions):
            judged[question.id] = {name: values[index] for name, values in columns.items()}
    return judged


class _Look:
    """The passes over one batch of claims."""

    def __init__(
        self,
        prober: Prober,
        videos: VideoBatch,
        claims: Sequence[Claim],
        rows: Int[Tensor, "question"],
        mask: Bool[Tensor, "question span"],
        generator: torch.Generator,
    ) -> None:
        self.policy, self.encoder = prober.policy, prober.encoder
        self.mask, self.generator = mask, generator
        device = mask.device
        self.tokens = videos.tokens.take(rows)
        asked = [replace(claim.question, options=claim.options) for claim in claims]
        self.asked = encode_queries(asked, rows.to(device), self.encoder)
        put = [replace(q, text=_put(claim)) for q, claim in zip(asked, claims, strict=True)]
        self.own = encode_queries(put, torch.arange(len(claims)), self.encoder)  # a video each: theirs differ
        self.answer = torch.tensor([claim.answer for claim in claims], device=device)
        self.about_spans = torch.tensor([claim.about_spans for claim in claims], device=device)

    def hidden(self, place: Float[Tensor, "question span 2"], asked: Float[Tensor, "question span 2"]) -> Tensor:
        """Probability of the answer when a place is hidden; the judge looks for evidence in what is left."""
        tokens = mask_spans(self.tokens, place, self.mask)
        state, queries = self._watch(tokens), self._about(asked)
        return self._claimed(self.policy.answer_probs(state, queries, CONTROL_SAMPLES, self.generator))

    def alone(self, place: Float[Tensor, "question span 2"]) -> Tensor:
        """Probability of the answer read from a place, when it and what tells its change is all there is to see."""
        context_s = self.policy.answer.config.context_s
        around = torch.stack([place[..., 0] - context_s, place[..., 1] + context_s], -1)
        state, queries = self._watch(compact(keep_spans(self.tokens, around, self.mask))), self._about(place)
        evidence = self.policy.evidence(state, queries)
        logits = self.policy.answer(state, evidence, queries, place[:, None], self.mask[:, None])
        return self._claimed(logits[:, 0].softmax(-1))

    def again(self, view: VideoTokens, places: Sequence[Float[Tensor, "question span 2"]]) -> Tensor:
        """Probability that the judge's first span has IoU >= 0.5 with a span of each place, [question place]."""
        state = self._watch(view)
        evidence = self.policy.evidence(state, self.asked)
        found = []
        for place in places:
            near = [
                self.policy.span_probs(state, self.asked, span, evidence=evidence) * real
                for span, real in zip(place.unbind(1), self.mask.unbind(1), strict=True)
            ]
            found.append(torch.stack(near).sum(0).clamp(max=1))
        return torch.stack(found, -1)

    def _watch(self, tokens: VideoTokens) -> Any:  # noqa: ANN401
        return self.policy.watch(tokens, self.encoder.project(tokens.values))

    def _about(self, place: Float[Tensor, "question span 2"]) -> Queries:
        """The questions as they are put; those that ask what happens in the spans name the seconds of a place."""
        first = torch.where(self.mask, place[..., 0], torch.inf).amin(-1)
        last = torch.where(self.mask, place[..., 1], -torch.inf).amax(-1)
        hull = torch.where(self.about_spans[:, None], torch.stack([first, last], -1), self.own.within)
        return replace(self.own, within=hull)

    def _claimed(self, probs: Float[Tensor, "question option"]) -> Float[Tensor, "question"]:
        """Probability of what was claimed; 0 where nothing was."""
        return probs.gather(-1, self.answer.clamp(min=0)[:, None])[:, 0] * (self.answer >= 0)


def _put(claim: Claim) -> str:
    """The question's text as it is put to the judge; the seconds are filled in for every place."""
    return render(Ask("what", within=Span(0.0, 0.0))) if claim.about_spans else claim.question.text


def _elsewhere(
    spans: Float[Tensor, "question span 2"],
    mask: Bool[Tensor, "question span"],
    start_s: Float[Tensor, "question"],
    end_s: Float[Tensor, "question"],
    generator: torch.Generator,
) -> Float[Tensor, "question span 2"]:
    """Every span moved to a random place in its video, clear of all the evidence where there is room."""
    number, width = mask.shape

    def each(values: Tensor) -> Tensor:
        return values.repeat_interleave(width, 0)

    lengths = ((spans[..., 1] - spans[..., 0]) * mask).flatten()
    moved = random_span(each(end_s - start_s), lengths, generator, (each(spans), each(mask)), each(start_s))
    return moved.view(number, width, 2)
