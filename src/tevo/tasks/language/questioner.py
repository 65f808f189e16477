"""The Questioner as a language-model policy: looks at a stretch of a video and writes a question about it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.language import Completions, LanguageModel, Prompt, Sampling
from tevo.heads.proposals import propose_events, windows_around
from tevo.heads.queries import pad_spans
from tevo.objectives.policy import grpo_loss
from tevo.objectives.repeats import same_text
from tevo.objectives.rewards import (
    QuestionerWeights,
    evidence_quality,
    in_band,
    learnability,
    localisation,
    necessity,
    order_dependency,
    questioner_reward,
    repetition,
    sufficiency,
    video_dependency,
)
from tevo.ops import group_normalise
from tevo.prompts.asker import STOP, AskedReading, asker_prompt, read_asked
from tevo.prompts.templates import load_templates
from tevo.structures import Question, Span
from tevo.tasks.judge import Examination
from tevo.tasks.language.reading import CUT_OFF
from tevo.tasks.language.viewed import Viewed

Examine = Callable[[Sequence[Question], Sequence[Viewed]], Examination]
"""Puts questions to the frozen Solver: (questions, the video of each) -> examination."""


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class LanguageQuestionerConfig:
    """How questions are written and rewarded."""

    templates: str = "tiny"  # tiny | instruct, or a YAML file of the same texts
    view: str = "window"  # window: sees one stretch of the video, its span is the label; full: the whole video
    group: int = 8  # G, questions sampled a view in training
    max_new_tokens: int = 256  # length bound of a question
    temperature: float = 1.0  # of the policy, in rollout and update alike
    window_pad_s: float = 3.0  # seconds of the window on either side of its event, at most
    max_events: int = 12  # windows of a video
    activity_high: float = 0.7  # assumed; standard deviations of activity that an event must reach
    activity_low: float = 0.2  # assumed; standard deviations of activity below which an event ends
    agreement_low: float = 0.3  # share of votes below which a question is too hard
    agreement_high: float = 0.8  # share of votes above which a question is too easy
    kl: float = 1e-2  # beta, weight of the KL to the reference
    lr: float = 2e-5  # learning rate
    rewards: QuestionerWeights = field(default_factory=QuestionerWeights)

    @property
    def sampling(self) -> Sampling:
        """Of the questions."""
        return Sampling(self.max_new_tokens, self.temperature, STOP)


@dataclass(frozen=True, slots=True)
class Written:
    """G questions for each of B views, as tokens and as questions (None = did not parse)."""

    prompts: list[Prompt]
    drawn: Completions
    questions: list[list[Question | None]]
    faults: Counter[str]  # replies by kind of fault

    @property
    def gate(self) -> Bool[Tensor, "batch group"]:
        """Which replies are questions."""
        return torch.tensor([[question is not None for question in row] for row in self.questions])

    def flat(self) -> tuple[list[Question], list[int]]:
        """The questions that parsed, and the row of each one's view."""
        pairs = [(q, row) for row, questions in enumerate(self.questions) for q in questions if q is not None]
        return [question for question, _ in pairs], [row for _, row in pairs]


class LanguageQuestioner:
    """Asks in words; learns by GRPO from what a frozen Solver makes of its questions.

    Args:
        model: both roles' model.
        role: name of this one.
        config: see :class:`LanguageQuestionerConfig`.
    """

    def __init__(self, model: LanguageModel, role: str, config: LanguageQuestionerConfig) -> None:
        self.model, self.role, self.config = model, role, config
        self.templates = load_templates(config.templates)

    def windows(self, video: Viewed) -> list[Span]:
        """Stretches around what changes in a video; all of it where nothing stands out."""
        watched, config = video.watched, self.config
        seen = watched.values[0] if watched.values is not None else watched.patches
        if config.view == "full" or seen is None:
            return [video.limits]
        steps = F.normalize(seen.float().mean(dim=1), dim=-1).cpu()
        mask = torch.ones(len(steps), dtype=torch.bool)
        events, _ = propose_events(
            steps, watched.spans.cpu(), mask, config.activity_high, config.activity_low, config.max_events
        )
        around = windows_around(events, video.limits.start_s, video.limits.end_s, config.window_pad_s)
        return [Span(start, max(start, end)).clamp(video.limits) for start, end in around.tolist()] or [video.limits]

    def write(
        self, videos: Sequence[Viewed], kinds: Sequence[str], group: int, generator: torch.Generator, tag: str
    ) -> Written:
        """Write ``group`` questions about one stretch of each video; a video may be given several times.

        Args:
            videos: whole.
            kinds: that the curriculum allows.
            group: questions a stretch.
            generator: of the stretches and the words.
            tag: makes the questions' ids unique.
        """
        views = []
        for video in videos:
            windows = self.windows(video)
            chosen = windows[int(torch.randint(len(windows), (1,), generator=generator))]
            views.append(video if self.config.view == "full" else video.window(chosen))
        told = f"Kinds: {', '.join(kinds)}." if kinds else ""
        windowed = self.config.view == "window"
        prompts = [
            Prompt(asker_prompt(view.limits.length_s, self.templates, told, windowed), view.watched) for view in views
        ]
        with torch.no_grad(), self.model.acting(self.role):
            drawn = self.model.sample(prompts, group, self.config.sampling, generator)
        return self._read(prompts, drawn, views, tag)

    def _read(self, prompts: list[Prompt], drawn: Completions, views: Sequence[Viewed], tag: str) -> Written:
        faults: Counter[str] = Counter()
        questions: list[list[Question | None]] = []
        for index, view in enumerate(views):
            row: list[Question | None] = []
            for member, text in enumerate(drawn.texts[index]):
                reading = read_asked(text, view.limits, view.watched.origin_s)
                if not bool(drawn.closed[index, member]):
                    reading = AskedReading(None, (*reading.faults, CUT_OFF))
                faults.update(reading.faults)
                window = view.limits if self.config.view == "window" else None
                name = f"{view.name}#{tag}-{index}-{member}"
                row.append(None if reading.asked is None else reading.asked.question(name, view.name, window))
            questions.append(row)
        return Written(prompts, drawn, questions, faults)

    def reward(
        self, written: Written, videos: Sequence[Viewed], examine: Examine
    ) -> tuple[Float[Tensor, "batch group"], dict[str, Tensor]]:
        """``r_Q`` of every question and its terms, each by itself."""
        questions, rows = written.flat()
        gate = written.gate
        texts = [[question.text if question else "" for question in row] for row in written.questions]
        terms = {"format": gate.float(), "repetition": repetition(same_text(texts))}
        if not questions:
            return torch.zeros(gate.shape), terms
        about = [videos[row] for row in rows]
        seen = examine(questions, about)
        spans, mask = pad_spans([question.evidence for question in questions])
        start = torch.tensor([video.limits.start_s for video in about])
        length = torch.tensor([video.limits.length_s for video in about])
        token_s = float(torch.cat([v.watched.spans[:, 1] - v.watched.spans[:, 0] for v in about]).median())
        share = seen.consensus.agreement
        flat = {
            "learnability": learnability(share),
            "dependency": video_dependency(seen.with_video, seen.without_video),
            "order": order_dependency(seen.with_video, seen.shuffled),
            "evidence": evidence_quality(
                necessity(seen.with_video, seen.masked),
                sufficiency(seen.key, seen.random),
                localisation(spans, mask, length, token_s=token_s, start_s=start),
            ),
            "in_band": in_band(share, self.config.agreement_low, self.config.agreement_high).float(),
        }
        terms |= {name: torch.zeros(gate.shape).masked_scatter(gate, values) for name, values in flat.items()}
        total = questioner_reward(
            gate, terms["learnability"], terms["repetition"], terms["dependency"], terms["order"], terms["evidence"],
            terms["in_band"] > 0.5, self.config.rewards,
        )  # fmt: skip
        return total, terms

    def loss(
        self,
        videos: Sequence[Viewed],
        kinds: Sequence[str],
        examine: Examine,
        generator: torch.Generator,
        tag: str,
    ) -> tuple[Tensor | None, dict[str, float]]:
        """One GRPO step: write, be examined, learn. None where no group differs in its rewards."""
        written = self.write(videos, kinds, self.config.group, generator, tag)
        total, terms = self.reward(written, videos, examine)
        replies = max(1, total.numel())
        flat = total.std(1) < 1e-6
        figures = {f"reward/{name}": float(value.mean()) for name, value in terms.items()}
        figures |= {f"fault/{name}": count / replies for name, count in written.faults.items()}
        figures |= {"reward": float(total.mean()), "zero_variance": float(flat.float().mean())}
        live = (~flat).nonzero()[:, 0].tolist()
        if not live:
            return None, figures
        prompts, drawn = [written.prompts[i] for i in live], written.drawn.take(live)
        advantage = group_normalise(total[live], dim=1)[..., None].expand(drawn.mask.shape).to(drawn.mask.device)
        reference = None
        if self.config.kl:
            with torch.no_grad(), self.model.acting(None):
                reference = self.model.log_probs(prompts, drawn, self.config.temperature).log_probs
        with self.model.acting(self.role):
            scores = self.model.log_probs(prompts, drawn, self.config.temperature)
        result = grpo_loss(scores.log_probs, None, reference, advantage, drawn.mask, beta=self.config.kl)
        mismatch = (scores.log_probs.detach() - drawn.log_probs)[drawn.mask].abs().max()
        return result.loss, figures | {"kl": float(result.kl), "mismatch": float(mismatch)}
