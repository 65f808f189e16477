"""A Questioner and a Solver on one frozen backbone: what every verb needs of them, and what a checkpoint holds."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from torch import Tensor
from tqdm import tqdm

from tevo.backbones.base import Backbone
from tevo.backbones.registry import build_backbone
from tevo.data.datamodule import VideoQuestions
from tevo.data.datasets import QuestionBatch
from tevo.data.ranks import gather
from tevo.errors import TevoError
from tevo.structures import Question, Span
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.asking import prediction_row, usual_options, window_outside
from tevo.tasks.casting import cast_roles
from tevo.tasks.matching import describe_backbone, differences, teacher_of
from tevo.tasks.records import RunRecords, measured, write_rows
from tevo.tasks.solving import SolverConfig

FORMAT = 1  # of a checkpoint's own part; raised when an older tevo could not read it
ANSWERS = "answers.jsonl"  # what ``tevo predict`` leaves in the run's folder


class Roles(pl.LightningModule):
    """Both roles, their backbone and their records; answers questions, and saves and restores itself.

    Args:
        backbone: a registered name, or a backbone. It is frozen and stays outside the module tree: nothing of it is
            trained, and a checkpoint holds what phase 0 fitted in it alone.
        questioner: how questions are made and rewarded.
        solver: how the Solver learns.
        seed: of the first weights and of every draw.

    Raises:
        TevoError: when the backbone neither has text in its space nor writes, or a reward cannot be found.
    """

    def __init__(self, backbone: Backbone | str, questioner: QuestionerConfig, solver: SolverConfig, seed: int) -> None:
        super().__init__()
        built = build_backbone(backbone) if isinstance(backbone, str) else backbone
        self._backbone = (built.eval(),)  # in a tuple: not a submodule
        self.encoder_facts = describe_backbone(built)
        self.questioner, self.solver = cast_roles(built, self.encoder_facts, questioner, solver, seed)
        self.seed, self.records = seed, RunRecords()
        self.alignment: dict[str, Tensor] = {}  # what phase 0 wrote in the backbone's state dict
        self._collected: list[dict[str, Any]] = []  # answers of an evaluation or prediction

    @property
    def backbone(self) -> Backbone:
        """What both roles look through."""
        return self._backbone[0]

    @property
    def teacher(self) -> Backbone | None:
        """The backbone that phase 0 aligns this one with, where it needs that."""
        return teacher_of(self.backbone)

    @property
    def data(self) -> VideoQuestions:
        """The run's DataModule."""
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, VideoQuestions):
            raise TevoError(
                "CoEvolution needs a tevo.data.VideoQuestions: trainer.fit(model, datamodule=VideoQuestions(...))"
            )
        return data

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.trainer.default_root_dir)

    # --- answering ---

    def answer_batch(self, batch: QuestionBatch) -> list[dict[str, Any]]:
        """Rows of ``predictions.jsonl`` for a batch of questions."""
        limits = [self._limits(question) for question in batch.questions]
        said = self.solver.say(batch.videos.to(self.device), batch.questions, batch.rows, limits)
        return [prediction_row(*pair) for pair in zip(batch.questions, said, strict=True)]

    def _limits(self, question: Question) -> Span:
        """From the first frame of a question's video to its end, seconds (pts)."""
        data = self.data
        info = (data.found.asked.videos if data.val_questions else data.videos)[question.video]
        return Span(info.start_s, info.end_s)

    def on_validation_start(self) -> None:
        """Refuse a backbone that reads no words yet."""
        self._check_aligned()

    def on_test_start(self) -> None:
        """As validation."""
        self._check_aligned()

    def on_predict_start(self) -> None:
        """As validation."""
        self._check_aligned()

    def _check_aligned(self) -> None:
        if self.teacher is not None and not self.alignment:
            raise TevoError(
                f"{_name(self.encoder_facts)} reads words only after phase 0 of a fit: give a checkpoint of one with "
                "--ckpt_path (last, best or a file)"
            )

    def validation_step(self, batch: QuestionBatch, batch_idx: int) -> None:
        """Collect answers; measured at the end of the epoch."""
        self._collected += self.answer_batch(batch)

    def on_validation_epoch_end(self) -> None:
        """Metrics of the annotated questions, which the Trainer prints as a table."""
        rows = {row["qid"]: row for row in self._take_answers()}  # all ranks take as many steps: some are there twice
        self.log_dict(measured(list(rows.values()), self.data.val_questions))
        self._say(self._unread())

    def test_step(self, batch: QuestionBatch, batch_idx: int) -> None:
        """As validation."""
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """As validation."""
        self.on_validation_epoch_end()

    def predict_step(self, batch: QuestionBatch, batch_idx: int) -> list[dict[str, Any]]:
        """Rows of ``answers.jsonl``; an open question is answered over the phrase bank of the run.

        A question that names seconds outside its video is not answered: its row says so under ``reason``.
        """
        phrases = self.questioner.phrases
        put = [replace(q, options=q.options or usual_options(q, phrases)) for q in batch.questions]
        rows = self.answer_batch(replace(batch, questions=put))
        for index, question in enumerate(batch.questions):
            rows[index]["options"] = list(question.options)
            reason = window_outside(question, self._limits(question))
            if reason:
                rows[index] |= {"pred_answer": "", "pred_answer_confidence": None, "pred_relevant_windows": []}
                rows[index]["reason"] = reason
        self._collected += rows
        return rows

    def on_predict_epoch_end(self) -> None:
        """Write the answers in the order of the questions, and say where, and what was not answered."""
        place = {question.id: number for number, question in enumerate(self.data.val_questions)}
        rows = sorted(self._take_answers(), key=lambda row: place[row["qid"]])
        if not self.trainer.is_global_zero:
            return
        path = self.folder / ANSWERS
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, rows)
        refused = [f"not answered: {row['reason']}" for row in rows if "reason" in row]
        untrained = (
            [] if self.records.rounds else ["these are the untrained model's answers: give a --ckpt_path for others"]
        )
        self._say([*refused, *self._unread(), *untrained, f"{len(rows) - len(refused)} questions answered: {path}"])

    def _unread(self) -> list[str]:
        return [f"{bad.path} cannot be read ({bad.reason}), nor any question about it" for bad in self.data.bad_videos]

    def _say(self, lines: list[str]) -> None:
        if lines and self.trainer.is_global_zero:
            tqdm.write("\n".join(lines))

    def _take_answers(self) -> list[dict[str, Any]]:
        """The answers of all processes, and begin anew."""
        mine, self._collected = self._collected, []
        return [row for share in gather(mine) for row in share]

    # --- checkpoints ---

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Besides both roles' weights: what phase 0 fitted, the records, and which backbone it was."""
        checkpoint["tevo"] = {
            "format": FORMAT,
            "backbone": self.encoder_facts,
            "alignment": self.alignment,
            "records": self.records.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take back what :meth:`on_save_checkpoint` left.

        Raises:
            TevoError: for a checkpoint of another version, or of another program, backbone or size.
        """
        own = checkpoint.get("tevo")
        if not isinstance(own, dict) or own.get("format") != FORMAT:
            what = f"format {own.get('format')!r}" if isinstance(own, dict) else "nothing of tevo's in it"
            raise TevoError(
                f"the checkpoint is of another version of tevo, or of another program: {what}, wanted is format "
                f"{FORMAT}. Start anew without --ckpt_path; models of finished rounds can be loaded from hf/round-N"
            )
        unlike = differences(own["backbone"], self.encoder_facts)
        if unlike:
            raise TevoError(
                f"the checkpoint was made with the backbone {_name(own['backbone'])}; the one here differs in "
                f"{', '.join(unlike)}. Give the run's own config.yaml with --config, or start anew without --ckpt_path"
            )
        _check_shapes(checkpoint["state_dict"], self.state_dict())
        self.alignment = own["alignment"]
        self.backbone.load_state_dict(self.alignment, strict=False)
        self.records.load_state_dict(own["records"])


def _name(facts: Mapping[str, Any]) -> str:
    return str(facts["name"] or facts["class_path"])


def _check_shapes(saved: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> None:
    strange = sorted(
        name
        for name in saved.keys() | here.keys()
        if name not in saved or name not in here or saved[name].shape != here[name].shape
    )
    if strange:
        raise TevoError(
            f"the checkpoint was made with other settings of the model: {len(strange)} of its tensors do not fit, "
            f"{strange[0]} among them. Give the run's own config.yaml with --config, or start anew without --ckpt_path"
        )
