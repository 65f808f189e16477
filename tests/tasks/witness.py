"""A callback that writes down what each process of a fit has, beside what one process alone would have made of it."""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from lightning.pytorch import Callback

from tevo.data.datamodule import VideoQuestions
from tevo.data.pool import to_row
from tevo.tasks.records import measured


@contextmanager
def alone():
    """This process believes that it is the only one, and so waits for no other."""
    with (
        mock.patch.object(VideoQuestions, "_place", (0, 1)),
        mock.patch("tevo.tasks.rounds.gather_in_order", lambda numbered: [value for _, value in numbered]),
    ):
        yield


def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()


def weights_of(module):
    return {name: tensor.tolist() for name, tensor in sorted(module.state_dict().items())}


class Witness(Callback):
    def __init__(self):
        self.steps, self.seen = [], {}

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.steps.append(module.data.epoch.phase)

    def on_train_start(self, trainer, module):
        self.seen["before"] = {role: digest(weights_of(getattr(module, role))) for role in ("questioner", "solver")}

    def on_train_epoch_start(self, trainer, module):
        if module.data.epoch.phase == "solver" and module.data.epoch.epoch == 0:
            pool = module.data.pool
            self.seen["pool"] = digest([to_row(verdict) for verdict in pool.verdicts])
            self.seen["size"] = [pool.history[-1]["asked"], len(pool.verdicts)]
            with alone():
                module._build_pool(module.data.epoch.round)
            self.seen["pool alone"] = digest([to_row(verdict) for verdict in pool.verdicts])

    def on_fit_end(self, trainer, module):
        data = module.data
        with alone(), torch.no_grad():
            rows = [row for batch in data.val_batches() for row in module.answer_batch(batch)]
        self.seen |= {
            "steps": self.steps,
            "after": {role: digest(weights_of(getattr(module, role))) for role in ("questioner", "solver")},
            "videos": list(data.videos),
            "metrics": module.records.rounds[-1].metrics,
            "metrics alone": measured(rows, data.val_questions),
            "rows alone": rows,
            "curriculum": data.curriculum.state_dict(),
        }
        path = Path(trainer.default_root_dir) / f"rank-{trainer.global_rank}.json"
        path.write_text(json.dumps(self.seen))
