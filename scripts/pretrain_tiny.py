"""Trains the shipped tiny weights on the captioned single-event clips of the procedural world.

The stand-in for web pretraining: it reads ``clips/`` and ``clips/captions.jsonl`` alone (never an untrimmed video,
never a span) and writes ``src/tevo/weights/{clip_tiny,videomae_tiny}.safetensors``.

    tevo world runs/world --size full --seed 0
    python scripts/pretrain_tiny.py clip runs/world/clips --steps 2800 --threads 1
    python scripts/pretrain_tiny.py videomae runs/world/clips --steps 1800 --threads 1

``clip``: a clip is described by what its end shows and its beginning does not, plus what is seen only in between
(:func:`describe`, the same reading that the Questioner gives a segment); cross-entropy against the captions.
``videomae``: two-second windows; tokens predict the embeddings that clip_tiny gives the same frames, pooled tokens the
caption's noun and verb.
"""

import argparse
import json
import math
import random
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from tevo.backbones.clip import ClipBackbone
from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD
from tevo.backbones.tiny import CLIP_TINY, VIDEOMAE_TINY, WEIGHTS, load_tiny, save_tiny
from tevo.prompts.grammar import LEVELS, Ask, render
from tevo.prompts.phrases import COUNTS, DURATIONS, world_phrases
from tevo.structures import Span

FPS = 4.0
HELD_OUT = 20  # every 20th clip measures, the others train


def load_clips(folder: Path, limit: int) -> tuple[list[Tensor], list[str]]:
    """Every clip at 4 frames a second, uint8 [time, 3, 64, 64], and its caption."""
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()][:limit]
    clips = []
    for row in tqdm(rows, desc="reading clips", mininterval=5):
        frames, next_s = [], 0.0
        with av.open(str(folder / row["vid"])) as container:
            for frame in container.decode(video=0):
                if frame.time is not None and frame.time >= next_s - 1e-6:
                    frames.append(frame.to_ndarray(format="rgb24"))
                    next_s += 1 / FPS
        clips.append(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous())
    return clips, [row["caption"] for row in rows]


def augment(frames: Tensor, rng: random.Random) -> Tensor:
    """Shift a clip by up to three pixels and change its brightness: float [..., 3, height, width] in 0..255."""
    dx, dy = rng.randint(-3, 3), rng.randint(-3, 3)
    shifted = torch.roll(frames, (dy, dx), dims=(-2, -1)).float()
    return (shifted * rng.uniform(0.85, 1.15) + rng.uniform(-10, 10)).clamp(0, 255)


def describe(before: Tensor, inside: Tensor, after: Tensor) -> Tensor:
    """What an event shows: the change from before to after, plus what is seen only in between: [clip, dim]."""
    return (after - before) + (inside - (before + after) / 2)


def pick(clip: Tensor, rng: random.Random) -> Tensor:
    """Frames of one view: one before, two inside, one after: [4, 3, 64, 64]."""
    length = len(clip)
    inside = [rng.uniform(low, low + 0.3) for low in (0.2, 0.5)]
    index = [rng.randint(0, 1), *(int(part * (length - 1)) for part in inside), length - 1 - rng.randint(0, 1)]
    return augment(clip[index], rng)


def schedule(elapsed: float) -> float:
    """Share of the learning rate at a share of the steps: a short warm-up, then cosine."""
    return min(1.0, elapsed / 0.03) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(elapsed, 1.0))))


class Trainer:
    """The loop both towers share: subclasses say what a batch costs and how it is measured."""

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        self.clips, self.captions, self.args = clips, captions, args
        self.names = sorted(set(captions))
        self.rng = random.Random(args.seed)
        self.train_ids = [i for i in range(len(clips)) if i % HELD_OUT]
        self.test_ids = [i for i in range(len(clips)) if not i % HELD_OUT]

    def parameters(self) -> list[nn.Parameter]:
        raise TypeError("say what is trained")

    def loss(self, ids: list[int]) -> Tensor:
        raise TypeError("say what a batch costs")

    def measure(self) -> dict[str, float]:
        raise TypeError("say how it is measured")

    def save(self) -> None:
        raise TypeError("say what is kept")

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
        names = sorted({*captions, *self.rng.sample(self.names, 32)})
        target = torch.tensor([names.index(caption) for caption in captions])
        return F.cross_entropy(self.scale.exp() * seen @ self.encode(names).T, target, label_smoothing=0.02)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        self.clip.model.eval()
        rng = random.Random(0)
        bank = world_phrases()  # every clause there is, also those that the clips never show
        text = self.encode(list(bank))
        hits: list[tuple[bool, bool, bool]] = []
        for first in range(0, len(self.test_ids), 100):
            ids = self.test_ids[first : first + 100]
            best = (self.embed(torch.stack([pick(self.clips[i], rng) for i in ids])) @ text.T).argmax(-1)
            for i, b in zip(ids, best.tolist(), strict=True):
                said, true = bank[b].split(" ", 3), self.captions[i].split(" ", 3)
                hits.append((said == true, said[1:3] == true[1:3], said[3] == true[3]))
        whole, thing, action = (100 * sum(column) / len(hits) for column in zip(*hits, strict=True))
        return {"caption": round(whole, 1), "object": round(thing, 1), "action": round(action, 1)}

    def save(self) -> None:
        texts = [*world_phrases(), *COUNTS, *DURATIONS, *(render(Ask(kind, "x", Span(0, 1))) for kind in LEVELS)]
        words = {int(i) for row in self.clip.tokenizer(texts) for i in row}
        save_tiny(self.clip.model, self.args.out / "clip_tiny.safetensors", words)


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
        teacher = ClipBackbone(CLIP_TINY)
        load_tiny(teacher.model, args.out / "clip_tiny.safetensors")
        self.goals = [
            teacher.encode_video(clip[None], torch.arange(len(clip))[None] / FPS).values[0]
            for clip in tqdm(clips, desc="teacher", mininterval=5)
        ]

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


def noun(caption: str) -> str:
    """``the red shape`` of ``the red shape grows``."""
    return " ".join(caption.split()[:3])


def verb(caption: str) -> str:
    """``grows`` of ``the red shape grows``."""
    return caption.split(" ", 3)[3]


def main() -> None:
    """Parse the command line and train one tower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tower", choices=["clip", "videomae"])
    parser.add_argument("clips", type=Path, help="the world's clips/ folder")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="clips a step")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10**9, help="clips to use")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    clips, captions = load_clips(args.clips, args.limit)
    (ClipTrainer if args.tower == "clip" else VideoMaeTrainer)(clips, captions, args).run()


if __name__ == "__main__":
    main()
