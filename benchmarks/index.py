"""What does ``tevo index`` take for a million files?

    python benchmarks/index.py runs/listing --files 1000000

Makes a listing of empty files (a thousand a folder), and the journal that a scan of them would have left: a video of a
minute each with 20 keyframes, one in a hundred bad. Then, each in a process of its own:

 - a bare ``os.walk`` with an ``os.stat`` a file, which everything is compared with;
 - ``tevo index`` that takes up the journal and moves it into Parquet (needs pyarrow);
 - ``tevo index`` once more, nothing changed;
 - the same with one file of each folder touched, which it therefore probes;
 - one of 8 processes that share the files, nothing changed.

Wall time is what a user waits; CPU time is steadier on a machine with other work. The figures of the first line are the
measure of the disk: a listing that is not in the system's memory takes longer, for all alike.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER_FILES = 1000
MEMORY_BAR, TIME_BAR = 2**30, 60.0
NUM_KEYFRAMES = 20
BARE = (
    "import os, sys\n"
    "paths = (os.path.join(here, name) for here, _, names in os.walk(sys.argv[1]) for name in names)\n"
    "print(sum(os.stat(path).st_size >= 0 for path in paths), 'files')"
)


def make_listing(root: Path, num_files: int) -> None:
    """Empty files; those that are there stay."""
    for first in range(0, num_files, FOLDER_FILES):
        folder = root / f"{first // FOLDER_FILES // 100:03d}" / f"{first // FOLDER_FILES:06d}"
        if folder.exists():
            continue
        unfinished = root / "unfinished"
        unfinished.mkdir(parents=True, exist_ok=True)
        for number in range(first, min(num_files, first + FOLDER_FILES)):
            (unfinished / f"video_{number:08d}.mp4").touch()
        folder.parent.mkdir(exist_ok=True)
        unfinished.rename(folder)


def write_journal(root: Path, journal: Path) -> None:
    """What a scan that had probed them would have left."""
    from tevo.video.listing import Stamps, find_videos
    from tevo.video.manifest import VERSION

    paths = find_videos(root)
    stamps = Stamps(paths)
    with journal.open("w") as file:
        for number, path in enumerate(paths):
            size, mtime_ns = stamps[number]
            row = {"version": VERSION, "path": path, "size": size, "mtime_ns": mtime_ns, "timeout_s": 20.0}
            file.write(json.dumps(row | (_info(number, path) if number % 100 else {"reason": "not a video"})) + "\n")


def touch_some(root: Path) -> int:
    """Change the time of one file of each folder; how many that are."""
    folders = list(root.glob("*/*"))
    for folder in folders:
        (folder / min(os.listdir(folder))).touch()
    return len(folders)


def _info(number: int, path: str) -> dict[str, object]:
    times = {"start_s": 0.0, "end_s": 60.0, "duration_s": 60.0, "fps": 25.0, "num_frames": 1500}
    keyframes = [3 * keyframe + number % 1000 / 1000 for keyframe in range(NUM_KEYFRAMES)]
    picture = {"width": 1280, "height": 720, "codec": "h264", "rotation": 0}
    return {"info": {"path": path, **times, **picture, "fingerprint": f"{number:032x}", "keyframes_s": keyframes}}


def run(title: str, words: list[str], bare_s: tuple[float, float] | None = None) -> tuple[float, float, int]:
    """(wall seconds, CPU seconds, peak bytes) of a process and of those that it waits for; prints a row."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s, cpu_s = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    if status:
        raise SystemExit(f"{title} failed: {printed}")
    ratio = f"{wall_s / bare_s[0]:.1f} | {cpu_s / bare_s[1]:.1f}" if bare_s else "1 | 1"
    said = [line for line in printed.splitlines() if " files" in line][-1]
    print(f"| {title} | {wall_s:.1f} | {cpu_s:.1f} | {ratio} | {usage.ru_maxrss / 1024:.0f} | {said} |", flush=True)
    return wall_s, cpu_s, usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the listing and its manifest are made")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--cpu_time", action="store_true", help="judge by CPU time, on a machine with other work")
    given = parser.parse_args()
    root, kept = given.folder.absolute() / "videos", given.folder.absolute() / "index"
    make_listing(root, given.files)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    write_journal(root, kept / "manifest.jsonl")
    print(f"journal of {(kept / 'manifest.jsonl').stat().st_size / 1e6:.0f} MB")
    print("| what | wall s | CPU s | wall ratio | CPU ratio | peak MiB | it said |\n|---|---|---|---|---|---|---|")
    bare = run("os.walk + os.stat", ["-c", BARE, str(root)])[:2]
    verb = ["-m", "tevo", "index", str(root), "--manifest", str(kept / "manifest.jsonl")]
    taken = [run("taking up the journal", verb, bare)]
    rescans = [run("re-scan, nothing changed", verb, bare)]
    rescans += [run(f"re-scan, {touch_some(root)} touched", verb, bare)]
    rescans += [run("re-scan, one of 8 processes", [*verb, "--rank", "3", "--world_size", "8"], bare)]
    sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.0f} MB" for path in sorted(kept.iterdir()))
    print(f"on disk: {sizes}")
    memory = max(peak for *_, peak in taken + rescans)
    seconds = max(cpu if given.cpu_time else wall for wall, cpu, _ in rescans)
    held = memory <= MEMORY_BAR and seconds <= TIME_BAR
    bars = f"1 GiB and {TIME_BAR:.0f} s{' of CPU' if given.cpu_time else ''} a re-scan"
    print(f"{'within' if held else 'NOT within'} {bars}: {memory / 2**20:.0f} MiB, {seconds:.1f} s")


if __name__ == "__main__":
    main()
