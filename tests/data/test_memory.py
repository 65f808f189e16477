"""References travel, not pixels: serving does not grow the process."""

import gc
import itertools
import os

import pytest
import torch

from tevo.data.datamodule import VideoQuestions
from tevo.structures import VideoTokens


def resident_bytes():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the resident set from /proc")
def test_two_hundred_batches_do_not_grow_the_process(world, tmp_path, colours):
    class Wide(colours):
        """Tokens wide enough that one batch kept alive a step would all but double the process."""

        def encode_video(self, frames, times_s):
            tokens = super().encode_video(frames, times_s)
            return VideoTokens(tokens.values.repeat(1, 1, 100), tokens.spans, tokens.mask)

    data = VideoQuestions(
        str(world / "train"), cache_dir=str(tmp_path), fps=4.0, videos_per_batch=4, workers=1, progress=False
    )
    data.prepare_data()
    data.setup("fit")
    data.attach(Wide())
    batches = itertools.chain.from_iterable(data.train_dataloader() for _ in itertools.count())
    bytes_served = 0
    for batch in itertools.islice(batches, 40):
        bytes_served += sum(part.values.nbytes for part in (batch.tokens, batch.shuffled, batch.dense))
    before = resident_bytes()
    for batch in itertools.islice(batches, 200):
        bytes_served += sum(part.values.nbytes for part in (batch.tokens, batch.shuffled, batch.dense))
        assert torch.isfinite(batch.tokens.values).all()
    assert resident_bytes() < 1.02 * before
    assert bytes_served > 0.2 * before  # had it been kept, the process would have grown by ten times the bound
