"""The co-evolution: one fit is all rounds. It holds the schedule and hands plain data from one role to the other."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch import Tensor
from tqdm import tqdm

from tevo.backbones.base import Backbone
from tevo.data.collection import videos_folder
from tevo.data.datasets import PooledBatch, VideoBatch
from tevo.data.ranks import gather
from tevo.data.serving import PooledLoader, VideoLoader
from tevo.errors import TevoError
from tevo.metrics.evaluation import PROTOCOL
from tevo.metrics.results import RunSpec
from tevo.objectives.consensus import PoolRule
from tevo.structures import Question
from tevo.tasks.alignment import changed, fit_alignment
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.checkpoints import RunCheckpoint, is_default
from tevo.tasks.clock import part
from tevo.tasks.examination import Examination
from tevo.tasks.labels import labelled
from tevo.tasks.matching import as_encoder
from tevo.tasks.progress import RunBar, is_default_bar
from tevo.tasks.role import Gathered
from tevo.tasks.rounds import Rounds
from tevo.tasks.schedule import Phase, Schedule, decayed
from tevo.tasks.solving import SolverConfig


class CoEvolution(Rounds):
    """A Questioner and a Solver on one frozen backbone, improving each other round by round without labels.

    With ``solver.tower.trainable`` the Solver's video tower learns too, apart from the backbone: the Questioner, the
    round-0 judge and the words stay what they were, so that names and the measure of progress do not drift.

    Args:
        backbone: a registered name (``tevo list`` shows them) or a backbone class with its arguments.
        rounds: of one Questioner phase and one Solver phase each; later rounds plateau or fall (EV, EG, RZ, VZ).
        questioner_epochs: passes of the Questioner over the videos a round; 0 leaves it as it begins.
        pseudo_label_epochs: passes of the Solver over the pool a round, by likelihood of the pseudo-labels.
        grpo_epochs: passes of the Solver over the pool a round after those, by GRPO at its lower rate.
        questioner: how questions are made and rewarded.
        solver: how the Solver learns.
        pool: which questions are kept.
        votes: M, answers of the Solver to each question.
        views: jittered views of a video that share the votes.
        witness: who vouches for a pseudo-label: solver (the papers), both, or questioner (assumed).
        checkpoint_every_steps: optimizer steps between two checkpoints inside an epoch; 0 for none there. Each epoch
            ends with one anyway.
        early_stop: end the run when the unlabelled signal falls below that of an earlier round (assumed rule).
        seed: of every draw; the run is a function of it.

    Raises:
        TevoError: when the backbone has no text in its space.
    """

    def __init__(
        self,
        backbone: Backbone | str = "clip_tiny",
        rounds: int = 3,
        questioner_epochs: int = 1,
        pseudo_label_epochs: int = 3,
        grpo_epochs: int = 1,
        questioner: QuestionerConfig = QuestionerConfig(),  # noqa: B008 - frozen
        solver: SolverConfig = SolverConfig(),  # noqa: B008
        pool: PoolRule = PoolRule(),  # noqa: B008
        votes: int = 10,
        views: int = 2,
        witness: str = "questioner",
        checkpoint_every_steps: int = 500,  # assumed
        early_stop: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(backbone, questioner, solver, seed, pool, witness, votes, views)
        self.schedule = Schedule(rounds, questioner_epochs, pseudo_label_epochs, grpo_epochs)
        self.early_stop, self.checkpoint_every_steps = early_stop, checkpoint_every_steps
        self._val_limit: float | int = 1.0  # the Trainer's own
        self._place = ""  # epoch and batch under way
        self._gathered: Gathered | None = None  # rollouts that a step was taken on already

    # --- the run ---

    def setup(self, stage: str) -> None:
        """Encode every video once (cached), and say how long the run is."""
        self.data.attach(self.backbone, with_frames=self.solver.needs_frames)
        if stage != "fit":
            return
        trainer, num_epochs = self.trainer, self.schedule.num_epochs
        updates = max(self.questioner.config.policy.updates, self.solver.config.policy.updates)
        if updates > 1 and trainer.accumulate_grad_batches > 1:
            raise TevoError(
                f"policy.updates is {updates} and trainer.accumulate_grad_batches {trainer.accumulate_grad_batches}: "
                "several steps on the same rollouts need the whole batch at once; set one of the two to 1"
            )
        limit = trainer.max_epochs
        trainer.fit_loop.max_epochs = num_epochs if limit is None or limit < 0 else min(limit, num_epochs)
        self._val_limit, trainer.limit_val_batches = trainer.limit_val_batches or 0, 0  # measured between epochs
        self._set_phase(0)

    def teardown(self, stage: str) -> None:
        """Leave the Trainer as it was, for its other verbs."""
        if stage == "fit":
            self.trainer.limit_val_batches = self._val_limit

    def configure_callbacks(self) -> list[pl.Callback]:
        """Checkpoints and a bar that know rounds and phases, in the place of those that a Trainer makes by itself."""
        trainer: Any = self.trainer  # its type does not declare its callbacks
        if trainer.state.fn != "fit":
            return []
        ours: list[pl.Callback] = [
            RunCheckpoint(self.folder / "checkpoints", self.checkpoint_every_steps, self.records)
        ]
        if any(is_default_bar(callback) for callback in trainer.callbacks):
            ours.append(RunBar(self.schedule))
        trainer.callbacks = [c for c in trainer.callbacks if not (is_default(c) or is_default_bar(c))]
        return ours

    def on_fit_start(self) -> None:
        """Phase 0, and round 0, the zero-shot backbone; a resumed run has both. Its checkpoint is loaded by now."""
        self._describe_run()
        if self.teacher is not None and not self.alignment:
            self._align(self.teacher)
        self.backbone.requires_grad_(False)
        if not self.records.rounds:
            self._finish_round(0)
        if (
            self.schedule.questioner_epochs == 0
            and self.data.pool.round < self.data.epoch.round <= self.schedule.rounds
        ):
            self._build_pool(self.data.epoch.round)

    @part("align")
    def _align(self, teacher: Backbone) -> None:
        """Phase 0: the backbone's tokens learn, label-free, where they lie in the text's space."""
        before = {name: tensor.clone() for name, tensor in self.backbone.state_dict().items()}
        self.records.alignment = fit_alignment(as_encoder(self.backbone), self.data.teacher_pairs(teacher))
        after = self.backbone.state_dict()
        self.alignment = {name: after[name].clone() for name in changed(before, after)}
        if self.trainer.is_global_zero:
            tqdm.write(self.records.alignment_line())

    def _describe_run(self) -> None:
        """What was run, for ``metrics.json``."""
        data = self.data
        self.records.spec = RunSpec(
            backbone=self.backbone.spec.name,
            data_root=str(videos_folder(data.sources.root)),
            annotations=data.sources.val_annotations,
            seed=self.seed,
            rounds=self.schedule.rounds,
            tevo_version=version("tevo"),
            protocol=PROTOCOL,
            videos_indexed=len(data.videos),
            videos_bad=len(data.bad_videos),
            started=self.records.spec.get("started", datetime.now().isoformat(timespec="seconds")),
        )
        if self.witness != "questioner":  # its own rule reads the band on the share that gives its answer
            self.records.spec["agreement_band"] = [self.rule.agreement_low, self.rule.agreement_high]

    def _set_phase(self, epoch: int) -> None:
        """Tell the DataModule what the next epoch serves; after the last, what further rounds would begin with."""
        phase = self.schedule.phase(epoch)
        self.data.set_phase(phase.name, phase.round, phase.epoch, phase.num_epochs)

    @property
    def phase(self) -> Phase:
        """The phase of the present epoch."""
        return self.schedule.phase(self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One AdamW, a parameter group a role, and one for a tower that learns; the rate follows the phase."""
        groups: list[Any] = [*self.questioner.groups(), *self.solver.groups()]
        return torch.optim.AdamW(groups, weight_decay=0.01)

    def on_train_start(self) -> None:
        """A run that was killed where it was to end early ends here; one that goes on inside an epoch has its role."""
        rounds, rest = divmod(self.current_epoch, self.schedule.epochs_per_round)
        if rounds and not rest and self.early_stop and self.records.is_falling():
            self.trainer.should_stop = True
        else:
            self._switch_roles()

    def on_train_epoch_start(self) -> None:
        """One role learns, the other is frozen; both require grad only while DDP wraps them."""
        self._switch_roles()

    def _switch_roles(self) -> None:
        for role, name in ((self.questioner, "questioner"), (self.solver, "solver")):
            for group in role.groups():
                for weight in group["params"]:
                    weight.requires_grad_(self.phase.name == name)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Every batch draws from its own place in the run, and takes its phase's learning rate."""
        number = batch_idx * self.trainer.world_size + self.trainer.global_rank
        self._place, self._gathered = f"{self.current_epoch}/{number}", None
        torch.manual_seed(random.Random(f"{self.seed}/step/{self._place}").randrange(2**62))
        phase = self.phase
        batches = max(1, int(self.trainer.num_training_batches))
        if phase.name == "questioner":
            base, done, total = self.questioner.config.lr, phase.epoch, phase.num_epochs
        elif phase.objective == "pseudo_label":
            base, done, total = self.solver.config.lr, phase.epoch, self.schedule.pseudo_label_epochs
        else:
            done, total = phase.epoch - self.schedule.pseudo_label_epochs, self.schedule.grpo_epochs
            base = self.solver.config.grpo_lr
        progress = (done + batch_idx / batches) / total
        for group in cast(torch.optim.Optimizer, self.optimizers(use_pl_optimizer=False)).param_groups:
            group["lr"] = decayed(self.solver.config.tower.lr if group["name"] == "tower" else base, progress)

    def training_step(self, batch: VideoBatch | PooledBatch, batch_idx: int) -> Tensor:
        """One step of the role whose phase it is."""
        phase = self.phase
        generator = self.generator("step", self._place)
        tag = f"{phase.round}-{phase.epoch}-{batch_idx}"
        if isinstance(batch, VideoBatch):
            loss, figures = self._questioner_step(batch, phase, generator, tag)
        else:
            loss, figures = self._solver_step(batch, phase, generator)
        self.log_dict({f"{phase.name}/{name}": value for name, value in figures.items()}, batch_size=1)
        self.log("loss", loss.detach(), prog_bar=True, batch_size=1)
        return loss

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,  # noqa: ANN401 - Lightning's own annotation leaves out its wrapper
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """As many steps on a batch's rollouts as the role's policy rule says; Lightning counts them as one."""
        phase = self.phase
        role = self.questioner if phase.name == "questioner" else self.solver
        with self.clock.stage("update"):  # the closure is the training step and its backward pass
            for _ in range(role.config.policy.updates if phase.objective == "grpo" else 1):
                optimizer.step(closure=optimizer_closure)

    def _questioner_step(
        self, videos: VideoBatch, phase: Phase, generator: torch.Generator, tag: str
    ) -> tuple[Tensor, dict[str, float]]:
        if self._gathered is not None:
            return self.questioner.update(self._gathered, fresh=False)
        kinds = self.data.curriculum.allowed_kinds(phase.round)
        with self.clock.stage("sample"):
            self._gathered = self.questioner.gather(videos, kinds, self._examine, generator, tag)
        return self.questioner.update(self._gathered)

    def _solver_step(
        self, batch: PooledBatch, phase: Phase, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        questions = [
            labelled(verdict.question, verdict.pseudo_answer, verdict.pseudo_evidence) for verdict in batch.verdicts
        ]
        given = batch.videos, questions, batch.rows, generator
        if phase.objective == "pseudo_label":
            return self.solver.fit_labels(*given)
        if self._gathered is not None:
            return self.solver.update(self._gathered, fresh=False)
        with self.clock.stage("sample"):
            self._gathered = self.solver.roll(*given)
        loss, figures = self.solver.update(self._gathered)
        seen = [(verdict.question.level, verdict.agreement, figures["reward/answer"]) for verdict in batch.verdicts]
        for observed in (row for share in gather(seen) for row in share):  # what is drawn next follows from these
            self.data.curriculum.observe(*observed)
        return loss, figures

    def _examine(self, videos: VideoBatch, questions: Sequence[Question], rows: Tensor) -> Examination:
        with self.clock.stage("score"):
            return self.judge().put(videos, questions, rows, self.generator("examine", self._place))

    def on_train_epoch_end(self) -> None:
        """At the end of a phase: build the pool, or measure the round; then set the next epoch's phase."""
        phase = self.phase
        self.clock.seconds["wait"] += cast(VideoLoader | PooledLoader, self.trainer.train_dataloader).wait_s
        if phase.is_last and phase.name == "questioner":
            self._build_pool(phase.round)
        if phase.is_last and phase.name == "solver":
            self._finish_round(phase.round)
            if self.early_stop and self.records.is_falling():
                self.trainer.should_stop = True
            elif self.schedule.questioner_epochs == 0 and phase.round < self.schedule.rounds:
                self._build_pool(phase.round + 1)
        self._set_phase(self.current_epoch + 1)
