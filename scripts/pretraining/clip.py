"""clip_tiny on captions."""

import argparse
import math
import random

import torch
from pretraining.clips import all_words, augment, caption_accuracy, describe
from pretraining.loop import Trainer
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.clip import ClipBackbone
from tevo.backbones.tiny import CLIP_TINY, save_tiny
from tevo.prompts.phrases import world_phrases


def pick(clip: Tensor, rng: random.Random) -> Tensor:
    """Frames of one view: one before, two inside, one after: [4, 3, 64, 64]."""
    length = len(clip)
    inside = [rng.uniform(low, low + 0.3) for low in (0.2, 0.5)]
    index = [rng.randint(0, 1), *(int(part * (length - 1)) for part in inside), length - 1 - rng.randint(0, 1)]
    return augment(clip[index], rng)


class ClipTrainer(Trainer):
    """CLIP on captions: cross-entropy of a clip's description against the captions of the batch, both ways."""

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        super().__init__(clips, captions, args)
        self.clip = ClipBackbone(CLIP_TINY, frozen=False)
        self.clip.model.visual.to(memory_format=torch.channels_last)  # a third faster on a CPU
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        mean, std = torch.tensor(self.clip.mean), torch.tensor(self.clip.std)
        self.mean, self.std = mean[:, None, None] * 255, std[:, None, None] * 255

    def parameters(self) -> list[nn.Parameter]:
        skipped = ("logit_scale",)
        return [p for name, p in self.clip.model.named_parameters() if name not in skipped] + [self.scale]

    def embed(self, views: Tensor) -> Tensor:
        """Descriptions of views [clip, 4, 3, 64, 64]."""
        pixels = ((views - self.mean) / self.std).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        values = F.normalize(self.clip.model.encode_image(pixels), dim=-1).view(len(views), 4, -1)
        return describe(values[:, 0], values[:, 1:3].mean(1), values[:, 3])

    def encode(self, texts: list[str]) -> Tensor:
        """Unit-norm text embeddings, with gradients."""
        return F.normalize(self.clip.model.encode_text(self.clip.tokenizer(texts)), dim=-1)

    def loss(self, ids: list[int]) -> Tensor:
        """Cross-entropy of each clip's caption against the batch's captions and some others."""
        self.clip.model.train()
        seen = self.embed(torch.stack([pick(self.clips[i], self.rng) for i in ids]))
        captions = [self.captions[i] for i in ids]
        names = sorted({*captions, *self.rng.sample(self.names, min(32, len(self.names)))})
        target = torch.tensor([names.index(caption) for caption in captions])
        return F.cross_entropy(self.scale.exp() * seen @ self.encode(names).T, target, label_smoothing=0.02)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        self.clip.model.eval()
        rng = random.Random(0)
        bank = world_phrases()  # every clause there is, also those that the clips never show
        text = self.encode(list(bank))
        said: list[str] = []
        for first in range(0, len(self.test_ids), 100):
            ids = self.test_ids[first : first + 100]
            best = (self.embed(torch.stack([pick(self.clips[i], rng) for i in ids])) @ text.T).argmax(-1)
            said += [bank[b] for b in best.tolist()]
        return caption_accuracy(said, [self.captions[i] for i in self.test_ids])

    def save(self) -> None:
        words = {int(i) for row in self.clip.tokenizer(all_words()) for i in row}
        save_tiny(self.clip.model, self.args.out / "clip_tiny.safetensors", words)
