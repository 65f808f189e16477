"""Trains the shipped tiny Qwen-VL weights on the captioned clips of the procedural world, single and joined.

The stand-in for web pretraining: it reads ``clips/`` and ``clips/captions.jsonl`` alone (no untrimmed video, never
a span) and writes ``src/tevo/weights/{qwen2_5_vl_tiny,qwen3_vl_tiny}.safetensors``.

    tevo world runs/world --size full --seed 0
    python scripts/pretrain_qwen.py qwen2_5_vl_tiny runs/world/clips
    python scripts/pretrain_qwen.py qwen3_vl_tiny runs/world/clips

How it is taught: :mod:`pretraining.language`.
"""

import argparse
from pathlib import Path

import torch
from pretraining.language import School

from tevo.backbones.tiny import WEIGHTS


def main(words: list[str] | None = None) -> None:
    """Parse the command line (or these words) and train one variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=["qwen2_5_vl_tiny", "qwen3_vl_tiny"])
    parser.add_argument("clips", type=Path, help="the world's clips/ folder")
    parser.add_argument("--steps", type=int, default=3200, help="of words")
    parser.add_argument("--sight", type=int, default=450, help="steps of the vision tower alone, before the others")
    parser.add_argument("--train_sight", action="store_true", help="the tower learns from words too")
    parser.add_argument("--captions_alone", type=float, default=0.12, help="share of the steps with single clips alone")
    parser.add_argument("--most_clips", type=int, default=7, help="clips of the longest videos")
    parser.add_argument("--tokens", type=int, default=3000, help="tokens a step, about")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lr", type=float, default=2.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10**9, help="clips to use")
    parser.add_argument("--exams", type=int, default=60, help="held-out videos that measure")
    parser.add_argument("--reports", type=int, default=24, help="times that figures and weights are written")
    parser.add_argument("--resume", type=Path, help="weights to begin with")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args(words)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    School(args).run()


if __name__ == "__main__":
    main()
