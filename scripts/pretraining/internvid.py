"""internvid_tiny by a teacher and by captions."""

import argparse
import math
import random

import torch
from pretraining.clips import all_words, augment, caption_accuracy, describe, teach
from pretraining.loop import Trainer
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.clip import clip_tiny
from tevo.backbones.internvid import InternVidBackbone
from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD
from tevo.backbones.tiny import INTERNVID_TINY, save_tiny
from tevo.prompts.phrases import world_phrases


class InternVidTrainer(Trainer):
    """ViCLIP by a teacher and by captions.

    As the published one began as an image CLIP, this one begins with clip_tiny's text tower, and its tokens lie where
    clip_tiny's embeddings of the same frames lie. Its descriptions of whole clips are named against the captions, as
    clip_tiny's were, so that motion counts too. A clip is seen as a video will be: windows end to end.
    """

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        super().__init__(clips, captions, args)
        self.backbone = InternVidBackbone(INTERNVID_TINY, frozen=False)
        self.model = self.backbone.model
        words = clip_tiny().model.state_dict()
        self.model.text.load_state_dict({name: words[name] for name in self.model.text.state_dict()})
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.mean = torch.tensor(IMAGENET_MEAN)[:, None, None] * 255
        self.std = torch.tensor(IMAGENET_STD)[:, None, None] * 255
        self.goals = teach(clips)
        window = INTERNVID_TINY.num_frames
        self.frames = math.ceil(max(len(clip) for clip in clips) / window) * window

    def parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), self.scale]

    def look(self, ids: list[int], rng: random.Random) -> tuple[Tensor, Tensor]:
        """Tokens of whole clips, and the teacher's view of the same frames: [clip, token, dim], both unit norm.

        The windows begin at another frame each time; what is missing at the end is the last frame again.
        """
        views, goals = [], []
        for i in ids:
            start = rng.randrange(4)
            index = [min(start + n, len(self.clips[i]) - 1) for n in range(self.frames)]
            views.append((augment(self.clips[i][index], rng) - self.mean) / self.std)
            goals.append(self.goals[i][index])
        windows = torch.cat(views).unflatten(0, (-1, INTERNVID_TINY.num_frames))
        tokens = F.normalize(self.model.encode_clips(windows), dim=-1).flatten(0, 1).unflatten(0, (len(ids), -1))
        goal = torch.stack(goals).unflatten(1, (-1, INTERNVID_TINY.frames_per_token)).mean(2)
        return tokens, F.normalize(goal, dim=-1)

    def shown(self, tokens: Tensor, rng: random.Random) -> Tensor:
        """Descriptions of clips: the first token, two inside, the last: [clip, dim]."""
        last = tokens.shape[1] - 1
        inside = [round(rng.uniform(low, low + 0.3) * last) for low in (0.2, 0.5)]
        return describe(tokens[:, 0], tokens[:, inside].mean(1), tokens[:, last])

    def encode(self, texts: list[str]) -> Tensor:
        """Unit-norm text embeddings, with gradients where they are wanted."""
        return F.normalize(self.model.encode_text(self.backbone.tokenizer(texts)), dim=-1)

    def loss(self, ids: list[int]) -> Tensor:
        """Distance to the teacher, and cross-entropy of each clip's caption against the batch's and some others."""
        tokens, goal = self.look(ids, self.rng)
        distance = 1 - F.cosine_similarity(tokens, goal, dim=-1).mean()
        captions = [self.captions[i] for i in ids]
        names = sorted({*captions, *self.rng.sample(self.names, min(48, len(self.names)))})
        target = torch.tensor([names.index(caption) for caption in captions])
        logits = self.scale.exp() * self.shown(tokens, self.rng) @ self.encode(names).T
        return 10 * distance + F.cross_entropy(logits, target, label_smoothing=0.02)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        rng, bank = random.Random(0), world_phrases()
        text = self.encode(list(bank))
        said, near = [], []
        for first in range(0, len(self.test_ids), 50):
            tokens, goal = self.look(self.test_ids[first : first + 50], rng)
            near.append(F.cosine_similarity(tokens, goal, dim=-1).mean().item())
            said += [bank[b] for b in (self.shown(tokens, rng) @ text.T).argmax(-1).tolist()]
        figures = caption_accuracy(said, [self.captions[i] for i in self.test_ids])
        return {"teacher_cosine": round(sum(near) / len(near), 3), **figures}

    def save(self) -> None:
        words = {int(i) for row in self.backbone.tokenizer(all_words()) for i in row}
        save_tiny(self.model, self.args.out / "internvid_tiny.safetensors", words)
