"""``tevo index``: what a collection holds, and what of it cannot be used."""

from pathlib import Path

from tevo.data.collection import default_cache_dir, manifest_of
from tevo.video.index import update_index

SHOWN = 50  # bad files that are printed; all of them are in bad_videos.jsonl


def run_index(
    root: Path,
    manifest: Path | None,
    timeout_s: float,
    workers: int,
    rank: int,
    world_size: int,
    cache_dir: Path | None,
) -> None:
    """Scan, and print what came of it. The arguments are the verb's."""
    place = manifest or manifest_of(root, (cache_dir or default_cache_dir()).expanduser())
    found = update_index(root, place, timeout_s, workers, rank=rank, world_size=world_size)
    for bad in found.bad[:SHOWN]:
        print(f"bad    {bad.path}: {bad.reason}")
    if len(found.bad) > SHOWN:
        print(f"bad    and {len(found.bad) - SHOWN} more, with their reasons in bad_videos.jsonl beside {place}")
    left = f"; {found.num_left} files are left to the other processes" if found.num_left else ""
    print(f"{found.num_videos} videos, {found.duration_s / 3600:.2f} hours; {len(found.bad)} bad files{left}")
    print(f"kept in {place.parent}")
