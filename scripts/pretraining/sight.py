"""The first lesson of a tiny Qwen-VL: its vision tower alone learns to tell the captions of single clips apart.

Through the language model's loss a tower this small learns nothing for hundreds of steps: what would have to look is
not yet listened to. A linear head on what the tower says of a clip's steps (their mean, their greatest, and how the
last differs from the first) gives it a gradient from the first step on. The head is thrown away.
"""

import random
import time
from collections.abc import Callable

import torch
from pretraining.lessons import Teacher
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.qwen_vl import QwenVL
from tevo.backbones.qwen_vl.budget import spread, to_patches

Optimizers = Callable[[nn.Module], tuple[list[torch.optim.Optimizer], Callable[[float], float]]]
"""Of a module: its optimizers, and their rate at a share of the steps."""

BATCH = 96  # clips a step


class Sight(nn.Module):
    """Guesses captions from the tower's merged cells.

    Args:
        model: whose tower is taught.
        captions: all there are.
        side: every grid is pooled, or repeated, to so many cells a side.
    """

    def __init__(self, model: QwenVL, captions: list[str], side: int) -> None:
        super().__init__()
        self._model = (model,)
        self.classes = {caption: index for index, caption in enumerate(captions)}
        self.side = side
        self.head = nn.Linear(3 * side**2 * model.spec.dim, len(captions))

    def forward(self, clips: list[Tensor], side: int) -> Tensor:
        """Scores of the captions, [clip caption]."""
        model = self._model[0]
        patches = []
        for frames in clips:
            steps = -(-len(frames) // model.patches.frames)
            patches.append(
                to_patches(frames[spread(len(frames), steps * model.patches.frames)], model.patches, side, side)
            )
        made = model._encode(model.model, torch.cat(patches), (side, side))[0]
        cells = made.unflatten(1, (side, side)).permute(0, 3, 1, 2)
        cells = F.interpolate(cells, size=(self.side, self.side), mode="nearest").flatten(1)
        told = []
        for each in cells.split([len(part) for part in patches]):
            told.append(torch.cat([each.mean(0), each.amax(0), each[-1] - each[0]]))
        return self.head(torch.stack(told))


def teach_sight(
    model: QwenVL,
    teacher: Teacher,
    sides: list[int],
    opts_of: Optimizers,
    steps: int,
    seed: int,
    report: Callable[[dict[str, float]], None],
) -> None:
    """Train the tower.

    Args:
        model: with a tower that learns.
        teacher: whose clips are shown, those with least in them first.
        sides: of the grids, in cells, as they are drawn.
        opts_of: makes the optimizers of a module, and a schedule of their rate.
        steps: of training.
        seed: of the draws.
        report: told the figures now and then.
    """
    rng = random.Random(seed)
    sight = Sight(model, teacher.bank, max(sides))
    both = nn.ModuleDict({"visual": model.model.model.visual, "sight": sight})
    opts, rate = opts_of(both)
    began, right, loss_mean = time.time(), 0.0, 0.0
    for step in range(1, steps + 1):
        done = step / steps
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = rate(done)
        most = min(len(teacher.order), max(BATCH, round((0.08 + 1.4 * done) * len(teacher.order))))
        chosen = [teacher.order[rng.randrange(most)] for _ in range(BATCH)]
        clips = [teacher.augment(teacher.clips[i][rng.randrange(2) :: 2]) for i in chosen]
        scores = sight(clips, rng.choice(sides))
        wanted = torch.tensor([sight.classes[teacher.captions[i]] for i in chosen])
        loss = F.cross_entropy(scores, wanted)
        for opt in opts:
            opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        for opt in opts:
            opt.step()
        hit = float((scores.argmax(-1) == wanted).float().mean())
        right = hit if step == 1 else 0.97 * right + 0.03 * hit
        loss_mean = loss.item() if step == 1 else 0.97 * loss_mean + 0.03 * loss.item()
        if step % max(1, steps // 20) == 0:
            seconds = round((time.time() - began) / step, 2)
            report(
                {
                    "sight_step": step,
                    "loss": round(loss_mean, 3),
                    "right": round(100 * right, 1),
                    "seconds_a_step": seconds,
                }
            )
