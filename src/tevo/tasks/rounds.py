"""What lies between the phases of a co-evolution: the pool is built, a round is measured, its models are kept."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from tevo.backbones.base import Backbone
from tevo.data.datasets import VideoBatch
from tevo.data.loader import Batch, EpochLoader
from tevo.data.pool import write_questions
from tevo.data.ranks import gather_in_order
from tevo.errors import TevoError
from tevo.metrics.results import RoundResult, Signals
from tevo.objectives.consensus import PoolRule
from tevo.structures import Question, Verdict
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.base import Roles
from tevo.tasks.clock import Stopwatch, part
from tevo.tasks.folders import Release, save_questioner, save_solver
from tevo.tasks.labels import distinct
from tevo.tasks.pooling import WITNESSES, SignalTally, balance_answers, judge_pool, pool_signals
from tevo.tasks.records import measured, write_rows
from tevo.tasks.role import Examiner
from tevo.tasks.solving import SolverConfig


class Rounds(Roles):
    """Both roles, with what each round needs of them before and after its phases.

    Args:
        backbone: see :class:`~tevo.tasks.base.Roles`, as are the roles' settings.
        questioner: how questions are made and rewarded.
        solver: how the Solver learns.
        seed: of every draw.
        pool: which questions are kept.
        witness: who vouches for a pseudo-label.
        votes: M, answers of the Solver to each question.
        views: jittered views of a video that share the votes.

    Raises:
        TevoError: an unknown witness.
    """

    def __init__(
        self,
        backbone: Backbone | str,
        questioner: QuestionerConfig,
        solver: SolverConfig,
        seed: int,
        pool: PoolRule,
        witness: str,
        votes: int,
        views: int,
    ) -> None:
        super().__init__(backbone, questioner, solver, seed)
        if witness not in WITNESSES:
            raise TevoError(f"model.witness must be one of {', '.join(WITNESSES)}, got {witness!r}")
        self.rule, self.witness, self.votes, self.views = pool, witness, votes, views
        self.clock, self.parts = Stopwatch(), Stopwatch()  # by stage, for each round; by part, for planning

    def judge(self, frozen: bool = False) -> Examiner:
        """The Solver as a judge of questions; ``frozen``: as it was in round 0."""
        return self.solver.judge(self.votes, self.views, frozen)

    def generator(self, *where: object) -> torch.Generator:
        """A function of the seed and of the place in the run, so that a resumed run draws the same."""
        number = random.Random("/".join(map(str, (self.seed, *where)))).randrange(2**62)
        return torch.Generator().manual_seed(number)

    @part("pool")
    @torch.no_grad()
    def _build_pool(self, round: int) -> None:
        """The Questioner writes questions for every training video; the Solver votes; each is kept or dropped.

        With several processes each takes its share of the videos, and all have the whole pool afterwards.
        """
        self.data.curriculum.start_round(round)
        judge, batches = self.judge(), self.data.all_videos()
        done = list[tuple[int, tuple[list[Verdict], Counter[str]]]]()
        for index, videos in self._served(batches, f"round {round}: pool"):
            tally, verdicts = SignalTally(), list[Verdict]()
            asked = self._write_questions(videos.to(self.device), round, self.generator("pool", round, index), tally)
            if asked[0]:
                with self.clock.stage("score"):
                    seen = judge.put(videos, *asked, self.generator("vote", round, index), controls=False)
                verdicts = judge_pool(seen, *asked, videos, self.rule, self.witness, round)
            done.append((index, (verdicts, tally.faults)))
        parts = gather_in_order(done)
        verdicts = balance_answers([v for some, _ in parts for v in some], self.rule.max_answer_ratio)
        faults = sum((found for _, found in parts), Counter[str]())
        self.data.pool.replace(round, verdicts, faults)
        self.records.pool = pool_signals(verdicts, faults)
        if self.trainer.is_global_zero:
            write_questions(self.folder / "questions.jsonl", round, verdicts)
            tqdm.write(self.data.pool.summary())
        self.data.training_verdicts()  # refuses in words where nothing is left to learn from

    def _write_questions(
        self, videos: VideoBatch, round: int, generator: torch.Generator, tally: SignalTally
    ) -> tuple[list[Question], Tensor]:
        """Distinct questions about a batch of videos, and the row of each one's video."""
        with self.clock.stage("sample"):
            kinds = self.data.curriculum.allowed_kinds(max(round, 1))
            draft = self.questioner.draft(videos, kinds, generator, str(round))
        tally.faults.update(draft.faults)
        return distinct(draft.questions, draft.rows)

    @part("signals")
    @torch.no_grad()
    def _signals(self, round: int) -> tuple[Signals, Signals]:
        """The unlabelled signals on held-out videos (ALGORITHM 7): today's Solver as judge, and round 0's."""
        signals = []
        for judge in (self.judge(), self.judge(frozen=True)):
            batches, tallies = self.data.heldout_batches(), list[tuple[int, SignalTally]]()
            for index, videos in self._served(batches, f"round {round}: signals"):
                tally = SignalTally()
                questions, rows = self._write_questions(
                    videos.to(self.device), round, self.generator("probe", round, index), tally
                )
                if questions:
                    with self.clock.stage("score"):
                        seen = judge.put(videos, questions, rows, self.generator("judge", round, index))
                    tally.add(seen, questions, rows, videos)
                tallies.append((index, tally))
            signals.append(SignalTally.sum(gather_in_order(tallies)).signals())
        return signals[0], signals[1]

    @part("answers")
    @torch.no_grad()
    def _answers(self, round: int) -> list[dict[str, Any]]:
        """The Solver's answers to the questions that a round is measured on, of all processes."""
        answered = []
        for index, batch in self._served(self.data.val_batches(), f"round {round}: answers"):
            with self.clock.stage("answer"):
                answered.append((index, self.answer_batch(batch)))
        return [row for some in gather_in_order(answered) for row in some]

    @part("round")
    @torch.no_grad()
    def _finish_round(self, round: int) -> None:
        """Measure a round, write what it left, keep its models."""
        rows, questions = self._answers(round), self.data.val_questions
        if round == 0 and questions:
            self.records.note_controls(rows, questions)
        trained, frozen = self._signals(round)
        pool = self.records.pool if round else Signals()
        seconds = self.clock.take() | ({} if round else self.data.seconds)
        self.records.add(RoundResult(round, measured(rows, questions), trained | pool, frozen, seconds))
        if self.trainer.is_global_zero:
            self.records.write(self.folder)
            write_rows(self.folder / "predictions.jsonl", rows)
            self.data.write_bad_videos(self.folder)
            self._save_models(round)
            tqdm.write(self.records.line())

    def _save_models(self, round: int) -> None:
        """Write both roles under ``hf/round-N`` for :func:`tevo.load`, and for their own library where there is one."""
        card = {"round": round, **self.records.rounds[-1].metrics}
        release = Release(self.backbone, self.alignment, self.data.store.plan, self.questioner.phrases, card)
        place = self.folder / "hf" / f"round-{round}"
        save_solver(place / "solver", self.solver, release)
        save_questioner(place / "questioner", self.questioner, release)
        if round:  # before, a role is what it begins as
            self.solver.export(place / "solver", card)
            self.questioner.export(place / "questioner", card)

    def _served(self, batches: EpochLoader[Any, Batch], text: str) -> Iterator[tuple[int, Batch]]:
        """Each batch with its number, behind a bar; making them counts as waiting."""
        shown = self.trainer.is_global_zero and self.trainer.progress_bar_callback is not None
        bar = tqdm(batches, desc=text, leave=False, disable=None if shown else True)  # None: on a terminal alone
        yield from zip(batches.numbers, bar, strict=True)
        self.clock.seconds["wait"] += batches.wait_s
