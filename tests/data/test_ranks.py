"""Two processes share the looking, and agree on what failed."""

import json
import shutil

import pytest
import torch.distributed as dist
import torch.multiprocessing as mp

from tevo.data.datamodule import VideoQuestions

WORLD_SIZE = 2


def look(rank, root, folder, backbone):
    """One rank: attach, and write down what it ended up with."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD_SIZE)
    VideoQuestions._place = (rank, WORLD_SIZE)
    data = VideoQuestions(root, cache_dir=f"{folder}/cache", workers=1, progress=False)
    data.setup("fit")
    dist.barrier()
    if rank == 0:  # it was readable when both ranks read the index
        with open(data.videos["000003.mp4"].path, "r+b") as file:
            file.truncate(200)
    dist.barrier()
    data.attach(backbone)
    bad = [(row.path, row.reason) for row in data.bad_videos]
    result = {"videos": list(data.videos), "bad": bad, "encoded": backbone.num_frames}
    with open(f"{folder}/{rank}.json", "w") as file:
        json.dump(result, file)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not dist.is_gloo_available(), reason="gloo is not built into this torch")
def test_each_rank_encodes_its_share_and_all_drop_the_same_video(world, tmp_path, colours):

    root = tmp_path / "videos"
    shutil.copytree(world / "train", root)
    mp.start_processes(look, (str(root), str(tmp_path), colours()), WORLD_SIZE, start_method="fork")
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(WORLD_SIZE))
    assert first["videos"] == second["videos"] and len(first["videos"]) == 7
    assert first["bad"] == second["bad"] and len(first["bad"]) == 1 and first["bad"][0][0].endswith("000003.mp4")
    assert first["encoded"] > 0 and second["encoded"] > 0
