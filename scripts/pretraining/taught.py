"""Towers of windows of frames: taught by clip_tiny frame by frame, named by the captions as it was."""

import argparse
import math
import random
from abc import abstractmethod

import torch
from pretraining.clips import augment, caption_accuracy, describe, teach
from pretraining.loop import Trainer
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD
from tevo.prompts.phrases import world_phrases


class TaughtTrainer(Trainer):
    """Tokens lie where clip_tiny's embeddings of the same frames lie; whole clips are named against the captions.

    Descriptions of whole clips are scored as clip_tiny's were, so that motion counts too. A clip is seen as a video
    will be: windows end to end.
    """

    window: int  # frames
    frames_per_token: int
    change_weight = 0.0  # of how the teacher's embeddings change within a clip, beside where they lie
    other_names = 48  # captions a clip is told from, beside those of its batch

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        super().__init__(clips, captions, args)
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.mean = torch.tensor(IMAGENET_MEAN)[:, None, None] * 255
        self.std = torch.tensor(IMAGENET_STD)[:, None, None] * 255
        self.goals = teach(clips)
        self.frames = math.ceil(max(len(clip) for clip in clips) / self.window) * self.window

    @abstractmethod
    def tokens(self, windows: Tensor) -> Tensor:
        """Windows [window, frame, 3, height, width] as tokens in the teacher's space [window, token, dim]."""

    @abstractmethod
    def encode(self, texts: list[str]) -> Tensor:
        """Unit-norm text embeddings."""

    def views(self, ids: list[int], rng: random.Random) -> tuple[Tensor, Tensor]:
        """Windows of whole clips, and the teacher's view of the same frames [clip, token, dim], unit norm.

        The windows begin at another frame each time; what is missing at the end is the last frame again.
        """
        views, goals = [], []
        for i in ids:
            start = rng.randrange(4)
            index = [min(start + n, len(self.clips[i]) - 1) for n in range(self.frames)]
            views.append((augment(self.clips[i][index], rng) - self.mean) / self.std)
            goals.append(self.goals[i][index])
        goal = torch.stack(goals).unflatten(1, (-1, self.frames_per_token)).mean(2)
        return torch.cat(views).unflatten(0, (-1, self.window)), F.normalize(goal, dim=-1)

    def look(self, ids: list[int], rng: random.Random) -> tuple[Tensor, Tensor]:
        """Tokens of whole clips, and the teacher's of the same frames: [clip, token, dim], both unit norm."""
        windows, goal = self.views(ids, rng)
        return F.normalize(self.tokens(windows), dim=-1).flatten(0, 1).unflatten(0, (len(ids), -1)), goal

    def shown(self, tokens: Tensor, rng: random.Random) -> Tensor:
        """Descriptions of clips: the first token, two inside, the last: [clip, dim]."""
        last = tokens.shape[1] - 1
        inside = [round(rng.uniform(low, low + 0.3) * last) for low in (0.2, 0.5)]
        return describe(tokens[:, 0], tokens[:, inside].mean(1), tokens[:, last])

    def loss(self, ids: list[int]) -> Tensor:
        """Distance to the teacher, and cross-entropy of each clip's caption against the batch's and some others."""
        tokens, goal = self.look(ids, self.rng)
        distance = 10 * (1 - F.cosine_similarity(tokens, goal, dim=-1).mean())
        if self.change_weight:
            distance = distance + self.change_weight * change_missed(tokens, goal)
        captions = [self.captions[i] for i in ids]
        names = sorted({*captions, *self.rng.sample(self.names, min(self.other_names, len(self.names)))})
        target = torch.tensor([names.index(caption) for caption in captions])
        logits = self.scale.exp() * self.shown(tokens, self.rng) @ self.encode(names).T
        return distance + F.cross_entropy(logits, target, label_smoothing=0.02)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        rng, bank = random.Random(0), world_phrases()
        text = self.encode(list(bank))
        said, near, missed = [], [], []
        for first in range(0, len(self.test_ids), 50):
            tokens, goal = self.look(self.test_ids[first : first + 50], rng)
            near.append(F.cosine_similarity(tokens, goal, dim=-1).mean().item())
            missed.append(change_missed(tokens, goal).item())
            said += [bank[b] for b in (self.shown(tokens, rng) @ text.T).argmax(-1).tolist()]
        figures = caption_accuracy(said, [self.captions[i] for i in self.test_ids])
        mean = {name: round(sum(part) / len(part), 3) for name, part in (("cosine", near), ("change_missed", missed))}
        return {**mean, **figures}


def change_missed(tokens: Tensor, goal: Tensor) -> Tensor:
    """Share of the teacher's change within clips that the tokens do not follow: 0 at best, 1 for a constant."""
    change = goal - goal.mean(1, keepdim=True)
    return (tokens - tokens.mean(1, keepdim=True) - change).square().sum() / change.square().sum()
