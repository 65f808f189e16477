"""Trains the shipped tiny weights on the captioned single-event clips of the procedural world.

The stand-in for web pretraining: it reads ``clips/`` and ``clips/captions.jsonl`` alone (never an untrimmed video,
never a span) and writes ``src/tevo/weights/{clip_tiny,videomae_tiny,internvid_tiny}.safetensors``.

    tevo world runs/world --size full --seed 0
    python scripts/pretrain_tiny.py clip runs/world/clips --steps 2800 --threads 1
    python scripts/pretrain_tiny.py videomae runs/world/clips --steps 2400 --batch 16 --lr 1e-3 --start OLDER
    python scripts/pretrain_tiny.py internvid runs/world/clips --steps 2400 --batch 16 --threads 1

``clip``: a clip is described by what its end shows and its beginning does not, plus what is seen only in between
(:func:`pretraining.clips.describe`, the same reading that the Questioner gives a segment); cross-entropy against the
captions.
``internvid``: whole clips, cut as a video is; tokens lie where clip_tiny's embeddings of the same frames lie, and a
clip is described by them and named against the captions as ``clip`` is.
``videomae``: the same through a linear head, which also has to follow how the embeddings change within a clip. The
shipped weights went on from OLDER ones, which 1,800 steps of 64 two-second windows had taught the embeddings alone
(the same file as it was in commit 8b84f0b; so was the script).
"""

import argparse
from pathlib import Path

import torch
from pretraining.clip import ClipTrainer
from pretraining.clips import load_clips
from pretraining.internvid import InternVidTrainer
from pretraining.loop import Trainer
from pretraining.videomae import VideoMaeTrainer

from tevo.backbones.tiny import WEIGHTS

TOWERS: dict[str, type[Trainer]] = {"clip": ClipTrainer, "videomae": VideoMaeTrainer, "internvid": InternVidTrainer}


def main(words: list[str] | None = None) -> None:
    """Parse the command line (or these words) and train one tower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tower", choices=list(TOWERS))
    parser.add_argument("clips", type=Path, help="the world's clips/ folder")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="clips a step")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10**9, help="clips to use")
    parser.add_argument("--start", type=Path, help="weights to go on from (videomae)")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args(words)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    clips, captions = load_clips(args.clips, args.limit)
    TOWERS[args.tower](clips, captions, args).run()


if __name__ == "__main__":
    main()
