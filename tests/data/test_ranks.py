"""Two processes share the looking, and agree on what failed."""

import json
import shutil
from dataclasses import replace
from functools import partialmethod

import pytest
import torch.distributed as dist
import torch.multiprocessing as mp

from tevo.data.datamodule import VideoQuestions
from tevo.data.ranks import gather, gather_in_order
from tevo.data.sources import Facts, Sources, disputed
from tevo.video.index import BadVideo

WORLD_SIZE = 2


def strange(self, original, *args, **kwargs):
    """What a machine finds whose disk is not quite that of the others."""
    found = original(self, *args, **kwargs)
    videos = dict(found.videos)
    lost = videos.pop("000007.mp4")
    videos["000005.mp4"] = replace(videos["000005.mp4"], fingerprint="another")
    return replace(found, videos=videos, bad=[*found.bad, BadVideo(lost.path, "not readable")])


def look(rank, root, folder, backbone):
    """One rank: attach, and write down what it ended up with."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD_SIZE)
    VideoQuestions._place = (rank, WORLD_SIZE)
    data = VideoQuestions(root, cache_dir=f"{folder}/cache", workers=1, progress=False)
    if rank == 1:  # its machine has another copy of one video, and cannot read a second one
        Sources.find = partialmethod(strange, Sources.find)
    data.setup("fit")
    dist.barrier()
    if rank == 0:  # it was readable when both ranks read the index
        with open(data.videos["000003.mp4"].path, "r+b") as file:
            file.truncate(200)
    dist.barrier()
    data.attach(backbone)
    bad = [(row.path, row.reason) for row in data.bad_videos]
    result = {"videos": list(data.videos), "bad": sorted(bad), "encoded": backbone.num_frames}
    result["told"] = [gather(f"of {rank}"), gather_in_order([(3 - rank, rank), (5 + rank, rank)])]
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
    assert first["videos"] == second["videos"] == [f"00000{number}.mp4" for number in (0, 1, 2, 4, 6)]
    assert first["bad"] == second["bad"]
    names, reasons = zip(*((path[-10:], reason) for path, reason in first["bad"]), strict=True)
    assert names == ("000003.mp4", "000005.mp4", "000007.mp4")
    assert reasons[1:] == ("not the same on all machines", "not readable")
    assert first["encoded"] > 0 and second["encoded"] > 0
    assert first["told"] == second["told"] == [["of 0", "of 1"], [1, 0, 0, 1]]


def test_one_process_has_nothing_to_wait_for():
    assert gather("all") == ["all"]
    assert gather_in_order([(2, "b"), (0, "a")]) == ["a", "b"]


def test_a_file_that_one_process_sees_otherwise_is_nobodys():
    one = Facts({"a": "1", "b": "2", "c": "3"}, {})
    two = Facts({"a": "1", "b": "9"}, {"c": "decode error"})
    wanted = {"b": BadVideo("b", "not the same on all machines"), "c": BadVideo("c", "decode error")}
    assert disputed([one, two]) == disputed([two, one]) == wanted
    assert disputed([one, one]) == {}
    assert one.digest() == Facts({"c": "3", "b": "2", "a": "1"}, {"x": "empty file"}).digest() != two.digest()
