"""The loop that every tower shares."""

import argparse
import json
import math
import random
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from tqdm import tqdm

HELD_OUT = 20  # every 20th clip measures, the others train


def schedule(elapsed: float) -> float:
    """Share of the learning rate at a share of the steps: a short warm-up, then cosine."""
    return min(1.0, elapsed / 0.03) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(elapsed, 1.0))))


class Trainer(ABC):
    """The loop: subclasses say what a batch costs and how it is measured."""

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        self.clips, self.captions, self.args = clips, captions, args
        self.names = sorted(set(captions))
        self.rng = random.Random(args.seed)
        self.train_ids = [i for i in range(len(clips)) if i % HELD_OUT]
        self.test_ids = [i for i in range(len(clips)) if not i % HELD_OUT]

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""

    @abstractmethod
    def loss(self, ids: list[int]) -> Tensor:
        """What a batch of clips costs."""

    @abstractmethod
    def measure(self) -> dict[str, float]:
        """Figures on the clips held out."""

    @abstractmethod
    def save(self) -> None:
        """Write the weights."""

    def run(self) -> None:
        """Train for a number of steps; the weights and a line of figures are written twenty times on the way."""
        decay = [p for p in self.parameters() if p.ndim >= 2]
        rest = [p for p in self.parameters() if p.ndim < 2]
        optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=self.args.lr
        )
        for step in tqdm(range(1, self.args.steps + 1), desc=self.args.tower, mininterval=10):
            for group in optimizer.param_groups:
                group["lr"] = self.args.lr * schedule(step / self.args.steps)
            loss = self.loss(self.rng.sample(self.train_ids, self.args.batch))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            optimizer.step()
            if step % max(1, self.args.steps // 20) == 0:
                print(json.dumps({"step": step, "loss": round(loss.item(), 3), **self.measure()}), flush=True)
                self.save()
