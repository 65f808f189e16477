"""videomae_tiny by a teacher and by labels."""

import argparse
import random

import torch
from pretraining.clips import augment, noun, teach, verb
from pretraining.loop import Trainer
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD
from tevo.backbones.tiny import CLIP_TINY, VIDEOMAE_TINY, save_tiny


class VideoMaeTrainer(Trainer):
    """VideoMAE by a teacher and by labels.

    Its tokens predict CLIP's embeddings of the same frames (as UMT and InternVideo's encoders are taught), and its
    pooled tokens the noun and the verb of the caption (as VideoMAE is fine-tuned on actions). Both linear heads are
    thrown away; phase 0 of a run fits its own.
    """

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        super().__init__(clips, captions, args)
        from transformers import VideoMAEConfig, VideoMAEModel

        self.model = VideoMAEModel(VideoMAEConfig(**VIDEOMAE_TINY))
        dim, self.clip_frames = VIDEOMAE_TINY["hidden_size"], VIDEOMAE_TINY["num_frames"]
        self.nouns, self.verbs = sorted(set(map(noun, captions))), sorted(set(map(verb, captions)))
        self.teach, self.label = (
            nn.Linear(dim, CLIP_TINY["embed_dim"]),
            nn.Linear(dim, len(self.nouns) + len(self.verbs)),
        )
        self.mean = torch.tensor(IMAGENET_MEAN)[:, None, None] * 255
        self.std = torch.tensor(IMAGENET_STD)[:, None, None] * 255
        self.goals = teach(clips)

    def parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), *self.teach.parameters(), *self.label.parameters()]

    def look(self, ids: list[int], rng: random.Random) -> tuple[Tensor, Tensor]:
        """Tokens [clip, tubelet, dim] of a two-second window of each clip, and the teacher's view of its frames."""
        views, goals = [], []
        for i in ids:
            start = rng.randint(0, max(0, len(self.clips[i]) - self.clip_frames))
            index = [min(start + n, len(self.clips[i]) - 1) for n in range(self.clip_frames)]
            views.append((augment(self.clips[i][index], rng) - self.mean) / self.std)
            goals.append(self.goals[i][index])
        hidden = self.model(pixel_values=torch.stack(views)).last_hidden_state
        tubelets = self.clip_frames // VIDEOMAE_TINY["tubelet_size"]
        goal = F.normalize(torch.stack(goals).unflatten(1, (tubelets, -1)).mean(2), dim=-1)
        return hidden.unflatten(1, (tubelets, -1)).mean(2), goal

    def scores(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Noun and verb logits of a window."""
        nouns, verbs = self.label(tokens.mean(1)).split([len(self.nouns), len(self.verbs)], -1)
        return nouns, verbs

    def loss(self, ids: list[int]) -> Tensor:
        self.model.train()
        tokens, goal = self.look(ids, self.rng)
        nouns, verbs = self.scores(tokens)
        said = [self.captions[i] for i in ids]
        distance = 1 - F.cosine_similarity(self.teach(tokens), goal, dim=-1).mean()
        noun_loss = F.cross_entropy(nouns, torch.tensor([self.nouns.index(noun(c)) for c in said]))
        verb_loss = F.cross_entropy(verbs, torch.tensor([self.verbs.index(verb(c)) for c in said]))
        return 10 * distance + 0.2 * (noun_loss + verb_loss)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        self.model.eval()
        rng, hits, near = random.Random(0), [], []
        for first in range(0, len(self.test_ids), 100):
            ids = self.test_ids[first : first + 100]
            tokens, goal = self.look(ids, rng)
            near.append(F.cosine_similarity(self.teach(tokens), goal, dim=-1).mean().item())
            nouns, verbs = (part.argmax(-1).tolist() for part in self.scores(tokens))
            said = [self.captions[i] for i in ids]
            hits += [
                (self.nouns[n] == noun(c), self.verbs[v] == verb(c)) for n, v, c in zip(nouns, verbs, said, strict=True)
            ]
        thing, action = (100 * sum(column) / len(hits) for column in zip(*hits, strict=True))
        return {
            "teacher_cosine": round(sum(near) / len(near), 3),
            "object": round(thing, 1),
            "action": round(action, 1),
        }

    def save(self) -> None:
        save_tiny(self.model, self.args.out / "videomae_tiny.safetensors")
