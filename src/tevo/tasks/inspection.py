"""What both roles would be paid on a few videos, before a run: every reward term, and whether it teaches anything."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tevo.data.datasets import VideoBatch
from tevo.structures import Question, Verdict
from tevo.tasks.coevolution import CoEvolution
from tevo.tasks.examination import Examination
from tevo.tasks.labels import distinct, labelled
from tevo.tasks.pooling import judge_pool
from tevo.tasks.role import Paid
from tevo.tasks.rollout_terms import written_spans

EQUAL = 1e-6  # rewards that differ by less are equal to rounding
NUM_SAMPLES = 3


@dataclass
class Payment:
    """What one role was paid: every term of every rollout, and how many groups had nothing to tell apart."""

    terms: dict[str, list[float]] = field(default_factory=dict)
    groups: int = 0
    flat: int = 0  # groups whose rollouts were all paid alike
    dead: int = 0  # of the Solver: groups that the outcome gate gives no update

    def add(self, paid: Paid) -> None:
        """Note a batch of groups."""
        for name, values in {**paid.terms, "reward": paid.total}.items():
            self.terms.setdefault(name, []).extend(values.flatten().tolist())
        self.groups += len(paid.total)
        self.flat += int((paid.total.amax(1) - paid.total.amin(1) <= EQUAL).sum()) if paid.total.numel() else 0
        self.dead += paid.dead


@dataclass
class Inspection:
    """What a few videos tell of a run's rewards."""

    videos: int = 0
    asked: int = 0  # questions that the Questioner tried to put
    parsed: int = 0  # of them, those that could be put into words
    faults: Counter[str] = field(default_factory=Counter)  # of tries for the pool that made no question: what was wrong
    questioner: Payment = field(default_factory=Payment)
    solver: Payment = field(default_factory=Payment)
    verdicts: list[Verdict] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)

    @property
    def kept(self) -> list[Verdict]:
        """The questions that the pool would keep."""
        return [verdict for verdict in self.verdicts if verdict.kept]

    def troubles(self, model: CoEvolution) -> list[str]:
        """Why nothing, or next to nothing, can be learnt, and what to change; the phases that it stops come first."""
        found = []
        if not self.parsed:
            found.append(
                "no question can be asked: no event is found in the videos, or none is named surely enough. Lower "
                f"model.questioner.min_naming ({model.questioner.config.min_naming:g}) or activity_high, give other "
                "phrases (model.questioner.phrases), or longer videos. Of a language model: none of its replies can "
                "be read; give weights that know the format, or templates that explain it (model.questioner.words)"
            )
        elif not self.kept:
            drops = Counter(verdict.reason for verdict in self.verdicts).most_common(3)
            named = ", ".join(f"{number} {reason}" for reason, number in drops)
            found.append(
                f"no question would be kept ({named}), so the Solver has nothing to learn from. Widen model.pool "
                "(agreement_low, agreement_high), or take another model.witness"
            )
        if self.questioner.groups and self.questioner.flat == self.questioner.groups:
            found.append(
                "all questions about a video are paid alike, so the Questioner learns nothing. Raise "
                "model.questioner.group, widen its agreement band, or set model.questioner_epochs to 0"
            )
        if self.solver.groups and self.solver.dead == self.solver.groups:
            found.append(
                "no group of rollouts has a right answer and a difference between them, so GRPO learns nothing. Raise "
                "model.solver.group, or let pseudo-labels come first (model.pseudo_label_epochs)"
            )
        return found

    def stops(self, model: CoEvolution) -> bool:
        """Whether no phase of the run would learn anything."""
        asks = model.schedule.questioner_epochs > 0 and self.questioner.flat < self.questioner.groups
        grpo = model.schedule.grpo_epochs > 0 and self.solver.dead < self.solver.groups
        return not self.kept or not (asks or grpo or model.schedule.pseudo_label_epochs > 0)


@torch.no_grad()
def inspect_rewards(model: CoEvolution, batches: Iterable[VideoBatch], kinds: tuple[str, ...]) -> Inspection:
    """Ask, vote, roll out and pay as the first round would, without a step.

    Args:
        model: both roles as they begin; nothing of it is changed.
        batches: a few videos.
        kinds: of question that the first round may ask.
    """
    found = Inspection()
    for number, videos in enumerate(batches):
        videos = videos.to(model.device)
        found.videos += len(videos.names)
        pay_questions(model, videos, kinds, found, number)
        asked, rows = written(model, videos, kinds, number, found)
        if not asked:
            continue
        seen = model.judge().put(videos, asked, rows, model.generator("check/vote", number))
        verdicts = judge_pool(seen, asked, rows, videos, model.rule, model.witness, 1)
        found.verdicts += verdicts
        kept = torch.tensor([verdict.kept for verdict in verdicts])
        pay_rollouts(model, videos, [v for v in verdicts if v.kept], rows[kept], found, number)
    found.samples = found.samples[:NUM_SAMPLES] or [described(verdict) for verdict in found.verdicts[:NUM_SAMPLES]]
    return found


def pay_questions(
    model: CoEvolution, videos: VideoBatch, kinds: tuple[str, ...], found: Inspection, number: int
) -> None:
    """The Questioner's side: G questions a video, each with every term of its reward."""
    generator = model.generator("check/ask", number)

    def examine(batch: VideoBatch, questions: Sequence[Question], rows: Tensor) -> Examination:
        return model.judge().put(batch, questions, rows, generator)

    paid = model.questioner.pay(videos, kinds, examine, generator, f"check-{number}")
    found.asked += paid.total.numel()
    found.parsed += int(paid.terms["format"].sum())
    found.questioner.add(paid)


def written(
    model: CoEvolution, videos: VideoBatch, kinds: tuple[str, ...], number: int, found: Inspection
) -> tuple[list[Question], Tensor]:
    """Questions for the pool about a batch of videos, and the row of each one's video."""
    draft = model.questioner.draft(videos, kinds, model.generator("check/pool", number), f"check-pool-{number}")
    found.faults.update(draft.faults)
    return distinct(draft.questions, draft.rows)


def pay_rollouts(
    model: CoEvolution, videos: VideoBatch, verdicts: list[Verdict], rows: Tensor, found: Inspection, number: int
) -> None:
    """The Solver's side: G rollouts a pooled question, each with every term of its reward."""
    if not verdicts:
        return
    questions = [labelled(v.question, v.pseudo_answer, v.pseudo_evidence) for v in verdicts]
    paid = model.solver.pay(videos, questions, rows, model.generator("check/rollout", number))
    found.solver.add(paid)
    for index in sorted({number * (len(verdicts) - 1) // (NUM_SAMPLES - 1) for number in range(NUM_SAMPLES)}):
        lines = [described(verdicts[index])]
        for g, said in enumerate(paid.said[index][:3]):
            terms = ", ".join(f"{name} {float(values[index, g]):.2f}" for name, values in paid.terms.items())
            lines.append(f"    rollout: {said}: {terms}")
        found.samples.append("\n".join(lines))


def described(verdict: Verdict) -> str:
    """One question with what became of it, in lines."""
    question = verdict.question
    spans = written_spans([[span.start_s, span.end_s] for span in question.evidence])
    raw = [f"    as written: {question.completion}"] if question.completion else []
    votes = ", ".join(f"{answer} {number}" for answer, number in verdict.votes.items())
    return "\n".join(
        [
            f"{question.video}: {question.text} [{question.kind}]",
            f"    Questioner: {question.answer or 'its spans'} {spans}",
            *raw,
            f"    votes: {votes or 'none'}; {'kept' if verdict.kept else f'dropped: {verdict.reason}'}",
            *(f"    reply: {reply}" for reply in verdict.replies),
        ]
    )
