"""The Questioner as a language-model policy: looks at a stretch of a video and writes a question about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tevo.backbones.language import Completions, LanguageModel, Prompt
from tevo.data.datasets import VideoBatch
from tevo.objectives.registry import Reward
from tevo.objectives.repeats import same_text
from tevo.objectives.rewards import repetition
from tevo.ops import group_normalise
from tevo.prompts.asker import STOP, AskedReading, asker_prompt, read_asked
from tevo.prompts.grammar import LEVELS, parse, render
from tevo.structures import Question, Span
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.language.experience import Spoken
from tevo.tasks.language.reading import CUT_OFF
from tevo.tasks.language.role import LanguageRole
from tevo.tasks.language.stretches import stretch, windows_of
from tevo.tasks.language.viewed import Viewed, views_of
from tevo.tasks.question_terms import Terms, examined_terms, question_reward
from tevo.tasks.role import Asks, Draft, Examine, Paid, Step

ROLE = "questioner"
POOL_GROUP = 2  # assumed; questions that the pool takes of one stretch
NOT_ASKED_FOR = "a kind that was not asked for"


@dataclass(frozen=True, slots=True)
class Written:
    """G questions for each of B views, as tokens and as questions (None = did not parse)."""

    prompts: list[Prompt]
    drawn: Completions
    questions: list[list[Question | None]]
    faults: Counter[str]  # replies that are no question, each by the first of its faults

    @property
    def gate(self) -> Bool[Tensor, "batch group"]:
        """Which replies are questions."""
        return torch.tensor([[question is not None for question in row] for row in self.questions])

    def flat(self) -> tuple[list[Question], list[int]]:
        """The questions that parsed, and the row of each one's view."""
        pairs = [(q, row) for row, questions in enumerate(self.questions) for q in questions if q is not None]
        return [question for question, _ in pairs], [row for _, row in pairs]


class LanguageQuestioner(LanguageRole, Asks):
    """Asks in words; learns by GRPO from what a frozen Solver makes of its questions.

    Args:
        model: both roles' model.
        config: see :class:`~tevo.tasks.asked.QuestionerConfig`; what is said of names and cues there is not read.
        seed: kept for the model's folder; every draw has a generator of its own.
        extra_rewards: the functions that ``config.rewards.extra`` names; needed for learning alone.
    """

    def __init__(
        self,
        model: LanguageModel,
        config: QuestionerConfig,
        seed: int = 0,
        extra_rewards: Mapping[str, Reward] | None = None,
    ) -> None:
        super().__init__(model, ROLE, config)
        self.config, self.seed, self.extra_rewards = config, seed, dict(extra_rewards or {})
        self.phrases = ()  # it answers in its own words

    # --- as the co-evolution knows it ---

    def draft(self, videos: VideoBatch, kinds: tuple[str, ...], generator: torch.Generator, tag: str) -> Draft:
        """See :meth:`Asks.draft`: the kinds in turn, each of a stretch of its own."""
        each = max(1, self.config.per_video // POOL_GROUP)
        views = [view for view in views_of(videos) for _ in range(each)]
        begin = int(torch.randint(len(kinds), (1,), generator=generator))
        wanted = [kinds[(begin + number) % len(kinds)] for number in range(len(views))]
        written = self.write(views, wanted, min(POOL_GROUP, self.config.per_video), generator, tag)
        questions, rows = written.flat()
        at = torch.tensor([row // each for row in rows], dtype=torch.long)
        return Draft(questions, at, written.faults)

    def update(self, gathered: Spoken, fresh: bool = True) -> Step:
        """See :meth:`Learner.update`."""
        return self.policy.update(gathered, fresh)

    def pay(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> Paid:
        """See :meth:`Asks.pay`."""
        written = self._write_some(videos, kinds, generator, tag)
        total, terms = self.reward(written, videos, examine)
        return Paid(terms, total, said=[list(texts) for texts in written.drawn.texts])

    @torch.no_grad()
    def gather(
        self, videos: VideoBatch, kinds: tuple[str, ...], examine: Examine, generator: torch.Generator, tag: str
    ) -> Spoken:
        """See :meth:`Asks.gather`; nothing is learnt of a stretch whose questions are all paid alike."""
        written = self._write_some(videos, kinds, generator, tag)
        total, terms = self.reward(written, videos, examine)
        flat = total.std(1) < 1e-6
        figures = {f"reward/{name}": float(value.mean()) for name, value in terms.items()}
        figures |= {f"fault/{name}": count / max(1, total.numel()) for name, count in written.faults.items()}
        figures |= {"reward": float(total.mean()), "zero_variance": float(flat.float().mean())}
        live = (~flat).nonzero()[:, 0].tolist()
        if not live:
            return self.policy.nothing(figures)
        drawn = written.drawn.take(live)
        advantage = group_normalise(total[live], dim=1)[..., None].expand(drawn.mask.shape).to(drawn.mask.device)
        return self.policy.gathered([written.prompts[i] for i in live], drawn, advantage, figures)

    # --- in words ---

    def _write_some(self, videos: VideoBatch, kinds: tuple[str, ...], generator: torch.Generator, tag: str) -> Written:
        """G questions of one kind about one stretch of each video."""
        views = views_of(videos)
        chosen = torch.randint(len(kinds), (len(views),), generator=generator).tolist()
        return self.write(views, [kinds[index] for index in chosen], self.config.group, generator, tag)

    def write(
        self, videos: Sequence[Viewed], kinds: Sequence[str], group: int, generator: torch.Generator, tag: str
    ) -> Written:
        """Write ``group`` questions about one stretch of each video; a video may be given several times.

        Args:
            videos: whole.
            kinds: of the questions about each.
            group: questions a stretch.
            generator: of the stretches and the words.
            tag: makes the questions' ids unique.
        """
        windowed = self.config.view == "window"
        known = {id(video): video for video in videos}
        found = {key: windows_of(video, self.config) for key, video in known.items()}
        views = [
            video.window(stretch(video, found[id(video)], kind, generator)) if windowed else video
            for video, kind in zip(videos, kinds, strict=True)
        ]
        prompts = [
            Prompt(asker_prompt(view.limits.length_s, self.templates, f"Kinds: {kind}.", windowed), view.watched)
            for view, kind in zip(views, kinds, strict=True)
        ]
        with torch.no_grad(), self._model[0].acting(ROLE):
            drawn = self._model[0].sample(prompts, group, self.config.words.sampling(STOP), generator)
        return self._read(prompts, drawn, views, kinds, tag)

    def _read(
        self, prompts: list[Prompt], drawn: Completions, views: Sequence[Viewed], kinds: Sequence[str], tag: str
    ) -> Written:
        faults: Counter[str] = Counter()
        questions: list[list[Question | None]] = []
        for index, view in enumerate(views):
            row: list[Question | None] = []
            for member, text in enumerate(drawn.texts[index]):
                reading = read_asked(text, view.limits, view.watched.origin_s, self.config.free_text)
                if not bool(drawn.closed[index, member]):
                    reading = AskedReading(None, (CUT_OFF,))
                elif reading.asked is not None and reading.asked.kind in LEVELS.keys() - {kinds[index]}:
                    reading = AskedReading(None, (NOT_ASKED_FOR,))
                faults.update(reading.faults[:1])
                name = f"{view.name}#{tag}-{index}-{member}"
                row.append(self._question(reading, name, view, text))
            questions.append(row)
        return Written(prompts, drawn, questions, faults)

    def _question(self, reading: AskedReading, name: str, view: Viewed, text: str) -> Question | None:
        """The question as others know it: seconds that its text names are the video's, not the window's."""
        if reading.asked is None:
            return None
        window = view.limits if self.config.view == "window" else None
        question = reading.asked.question(name, view.name, window)
        ask = parse(question.text)
        if ask.within is not None:
            begin_s, within = view.watched.origin_s, ask.within
            moved = Span(within.start_s + begin_s, within.end_s + begin_s)
            question = replace(question, text=render(replace(ask, within=moved)))
        return replace(question, completion=text)

    def reward(
        self, written: Written, videos: VideoBatch, examine: Examine
    ) -> tuple[Float[Tensor, "batch group"], Terms]:
        """``r_Q`` of every question and its terms, each by itself; a view a video, in the videos' order."""
        questions, rows = written.flat()
        gate = written.gate.to(videos.start_s.device)
        texts = [[question.text if question else "" for question in row] for row in written.questions]
        terms = {"format": gate.float(), "repetition": repetition(same_text(texts)).to(gate.device)}
        if not questions:
            return torch.zeros(gate.shape, device=gate.device), terms
        at = torch.tensor(rows, device=gate.device)
        steps = torch.cat([view.spans[:, 1] - view.spans[:, 0] for view in videos.watched])
        band = self.config.agreement_low, self.config.agreement_high
        flat = examined_terms(
            examine(videos, questions, at), questions, videos.start_s[at], videos.end_s[at], float(steps.median()),
            band, self.config.rewards, self.extra_rewards,
        )  # fmt: skip
        terms |= {
            name: torch.zeros(gate.shape, device=gate.device).masked_scatter(gate, values)
            for name, values in flat.items()
        }
        return question_reward(gate, terms, self.config.rewards), terms
