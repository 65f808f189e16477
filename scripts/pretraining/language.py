"""How a tiny Qwen-VL is taught: its tower by itself first, then, the tower frozen, words about single and joined clips.

The first is :mod:`pretraining.sight`. In the second all turns about a video share its tokens: the video is read once a
step, as in the update of the co-evolution. Hidden matrices are trained by Muon, the rest by AdamW: with AdamW alone a
model this small stalls on the pictures. At first every video is one clip and nearly every turn its caption, as many as
a step holds, and the clips are those with least in them; then come all of them, and videos grow to many clips.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from pretraining.clips import FPS, load_clips
from pretraining.lessons import Event, Lesson, Teacher
from pretraining.loop import HELD_OUT
from pretraining.sight import teach_sight
from torch import Tensor, nn
from tqdm import tqdm

from tevo.backbones.language import Prompt, Sampling, Watched
from tevo.backbones.qwen_vl import QwenVL, qwen2_5_vl_tiny, qwen3_vl_tiny
from tevo.backbones.qwen_vl.chat import Prefix
from tevo.backbones.tiny import load_tiny, save_tiny
from tevo.ops import span_iou
from tevo.prompts.solver import read_reply
from tevo.structures import Question, Span

SIDE_PX = 64  # of a clip's frames
TURNS = 6
FEWEST = 0.08  # share of the clips at first


def schedule(done: float) -> float:
    """Share of the learning rate at a share of the steps: a short warm-up, level, then down to nothing."""
    return min(1.0, done / 0.02) * (1.0 if done < 0.6 else 0.5 * (1 + math.cos(math.pi * (done - 0.6) / 0.4)))


def optimizers(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings, the patch convolution, norms and biases."""
    hidden = [
        p
        for name, p in model.named_parameters()
        if p.ndim == 2 and p.requires_grad and "embed" not in name and "lm_head" not in name
    ]
    chosen = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in chosen and p.requires_grad]
    return [
        torch.optim.Muon(hidden, lr=lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=lr, weight_decay=0.0, betas=(0.9, 0.95)),
    ]


def watch(model: QwenVL, lesson: Lesson, side: int) -> Watched:
    """The video at so many cells a side."""
    steps = -(-len(lesson.frames) // model.patches.frames)
    return model.watch(lesson.frames, lesson.times_s, steps * side * side, origin_s=0.0)


class School:
    """The model, its lessons and its examinations."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.rng = args, random.Random(args.seed)
        build = {"qwen2_5_vl_tiny": qwen2_5_vl_tiny, "qwen3_vl_tiny": qwen3_vl_tiny}[args.variant]
        self.model = build(pretrained=False, train_vision=True)
        if args.resume:
            load_tiny(self.model.model, args.resume)
        self.model.model.requires_grad_(True)
        most = SIDE_PX // self.model.patches.cell_px  # cells a side at full size; a whole video is seen at half of it
        self.sides = [most // 2] * 3 + list(range(most // 2 + 1, most + 1))
        clips, captions = load_clips(args.clips, args.limit)
        split = [[i for i in range(len(clips)) if bool(i % HELD_OUT) == kept] for kept in (True, False)]
        bank = sorted(set(captions))
        self.teacher, self.examiner = (
            Teacher([clips[i] for i in ids], [captions[i] for i in ids], bank, random.Random(args.seed))
            for ids in split
        )

    def num_clips(self, done: float) -> int:
        """Clips of the next video: one at first, two for as long as the other lessons take, then up to the most."""
        alone, grown = self.args.captions_alone, max(0.0, done - 0.5) / 0.3
        if done < alone or self.rng.random() < 0.2:
            return 1
        return self.rng.randint(2, 2 + round((self.args.most_clips - 2) * min(1.0, grown)))

    def loss(self, done: float) -> tuple[Tensor, int]:
        """Cross-entropy of the replies in some lessons, and the number of tokens read."""
        self.teacher.share = min(1.0, FEWEST + (1 - FEWEST) * done / 0.4)
        self.teacher.open = 1.0 - 0.7 * min(1.0, max(0.0, done - 0.4) / 0.3)
        videos, turns, tokens = [], [], 0
        while tokens < self.args.tokens:
            num_clips = self.num_clips(done)
            caption = num_clips == 1 and self.rng.random() < 0.8
            lesson = self.teacher.lesson(
                num_clips, 1 if caption else min(TURNS, 2 * num_clips), self.rng.choice([2.0, 2.0, 4.0]), caption
            )
            side = self.rng.choice(self.sides)
            videos.append(watch(self.model, lesson, side))
            turns.append(lesson.turns)
            tokens += videos[-1].num_tokens + (30 if caption else 80) * len(lesson.turns)
        prefixes, replies, begins = [], [], []
        for video, asked in zip(videos, turns, strict=True):
            shared, tails, starts = self.share(video, asked)
            prefixes.append(shared)
            replies.append(tails)
            begins.append(starts)
        given = self.model.encode_reply(replies)
        scores = self.model.score(prefixes, given, 1.0).log_probs
        place = torch.arange(scores.shape[-1])
        wanted = torch.zeros_like(given.mask)
        for i, starts in enumerate(begins):
            for j, start in enumerate(starts):
                wanted[i, j] = given.mask[i, j] & (place >= start)
        return -scores[wanted].mean(), tokens

    def share(self, video: Watched, turns: list[tuple[str, str]]) -> tuple[Prefix, list[str], list[int]]:
        """The video's tokens as a shared prefix; each turn's text, and how many tokens of it are the question."""
        chat = self.model.chat
        prefix = chat.lay_out(Prompt("", video))
        end = int(prefix.is_video.nonzero()[-1]) + 2  # the video, and the token that ends it
        shared = Prefix(
            prefix.ids[:end], prefix.is_video[:end], prefix.positions[:, :end], int(prefix.positions[0, end]), video
        )
        close = "<|im_end|>\n<|im_start|>assistant\n"
        texts = [f"{asked}{close}{reply}<|im_end|>" for asked, reply in turns]
        return shared, texts, [len(chat.encode(asked + close)) for asked, _ in turns]

    def run(self) -> None:
        """Train for a number of steps; weights and figures are written on the way."""
        torch.manual_seed(self.args.seed)
        if self.args.sight:
            self.see()
        self.rng, self.teacher.rng = random.Random(self.args.seed), random.Random(self.args.seed)
        self.model.model.model.visual.requires_grad_(self.args.train_sight)
        opts = optimizers(self.model.model, self.args.lr)
        began, average = time.time(), 0.0
        for step in tqdm(range(1, self.args.steps + 1), mininterval=10):
            done = step / self.args.steps
            for opt in opts:
                for group in opt.param_groups:
                    group["lr"] = self.args.lr * schedule(done)
            loss, tokens = self.loss(done)
            for opt in opts:
                opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.model.parameters(), 1.0)
            for opt in opts:
                opt.step()
            average = loss.item() if step == 1 else 0.98 * average + 0.02 * loss.item()
            if step % max(1, self.args.steps // self.args.reports) == 0 or step == self.args.steps:
                seconds = round((time.time() - began) / step, 2)
                figures = {"step": step, "loss": round(average, 3), "tokens": tokens, "seconds_a_step": seconds}
                print(json.dumps(figures | self.measure()), flush=True)
                save_tiny(self.model.model, self.args.out / f"{self.args.variant}.safetensors")

    def see(self) -> None:
        """The tower's own lesson."""

        def report(figures: dict[str, float]) -> None:
            print(json.dumps(figures), flush=True)
            save_tiny(self.model.model, self.args.out / f"{self.args.variant}.safetensors")

        def opts_of(module: nn.Module) -> tuple[list[torch.optim.Optimizer], Callable[[float], float]]:
            return optimizers(module, self.args.lr), lambda done: self.args.lr * schedule(done)

        teach_sight(self.model, self.teacher, self.sides, opts_of, self.args.sight, self.args.seed, report)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Held-out clips: captions, named events and choices that are right, IoU of *when*, replies that parse."""
        self.examiner.rng = random.Random(0)
        hits: dict[str, list[float]] = {"caption": [], "what": [], "choice": [], "when_iou": [], "parsed": []}
        for number in range(self.args.exams):
            frames, events = self.examiner.join(1 + number % 3)
            self.examine(Lesson(frames[::2], torch.arange(len(frames))[::2] / FPS, []), events, hits)
        return {name: round(100 * sum(values) / max(1, len(values)), 1) for name, values in hits.items()}

    def examine(self, lesson: Lesson, events: list[Event], hits: dict[str, list[float]]) -> None:
        """Ask about one video, greedily."""
        video, single = watch(self.model, lesson, self.sides[0]), len(events) == 1
        end_s = float(lesson.times_s[-1]) + 0.5
        kinds = ("open",) if single else ("when", "what", "before", "after", "first")
        for kind in kinds:
            question = (
                Question("", "", "What happens?", "open", (), events[0].phrase)
                if single
                else self.examiner.question(kind, events)
            )
            if question is None:
                continue
            if kind == "what":
                question = replace(question, options=())
            prompt = Prompt(self.examiner.solve(question, events, end_s)[0], video)
            drawn = self.model.sample([prompt], 1, Sampling(48, 1e-4, ("</glue>",)), torch.Generator().manual_seed(0))
            read = read_reply(drawn.texts[0][0], question, Span(0.0, end_s))
            hits["parsed"].append(float(not read.faults))
            if kind == "when":
                said = read.reply.spans[0] if read.reply.spans else Span(0.0, 0.0)
                pair = [torch.tensor([s.start_s, s.end_s]) for s in (said, question.evidence[0])]
                hits["when_iou"].append(float(span_iou(*pair)))
            elif not question.options:
                hits["caption" if single else "what"].append(float(read.reply.answer == question.answer))
            else:
                hits["choice"].append(float(read.choice == question.options.index(question.answer)))
