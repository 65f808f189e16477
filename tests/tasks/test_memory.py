"""A long run does not grow: what a step needs, it gives back."""

import os
from pathlib import Path

import lightning.pytorch as pl
import pytest

STATM = Path("/proc/self/statm")
STEPS = 100  # of each role
WARM_UP = 30


def resident_bytes():
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Resident(pl.Callback):
    """The resident set after every step, by phase."""

    def __init__(self):
        self.bytes = {"questioner": [], "solver": []}

    def on_train_batch_end(self, trainer, model, *rest):
        self.bytes[model.phase.name].append(resident_bytes())


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="reads the resident set from Linux's /proc")
def test_two_hundred_steps_of_each_role_stay_within_two_percent(model, data, trainer):
    resident = Resident()
    epochs = STEPS // 8 + 1  # eight videos, one a batch; the pool is about as many batches an epoch
    one = model(
        questioner_epochs=epochs, pseudo_label_epochs=epochs, grpo_epochs=epochs // 3, checkpoint_every_steps=50
    )
    trainer(logger=True, callbacks=[resident]).fit(
        one, data(annotated=False, videos_per_batch=1, questions_per_batch=2)
    )
    for name, sizes in resident.bytes.items():
        assert len(sizes) >= STEPS, name
        early, late = (sum(part) / len(part) for part in (sizes[WARM_UP : WARM_UP + 20], sizes[-20:]))
        assert late <= 1.02 * early, f"{name}: {early / 1e6:.0f} MB after {WARM_UP} steps, {late / 1e6:.0f} MB at last"
