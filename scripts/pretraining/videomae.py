"""videomae_tiny by a teacher and by captions."""

import argparse

import torch
from pretraining.taught import TaughtTrainer
from torch import Tensor, nn

from tevo.backbones.alignment import fit_ridge
from tevo.backbones.clip import clip_tiny
from tevo.backbones.tiny import CLIP_TINY, VIDEOMAE_TINY, load_tiny, save_tiny


class VideoMaeTrainer(TaughtTrainer):
    """VideoMAE by a teacher (as UMT and InternVideo's encoders are taught) and by captions.

    A linear head takes its tokens to clip_tiny's space, whose words stay as they are. The head is thrown away; phase 0
    of a run fits its own.
    """

    window, frames_per_token = VIDEOMAE_TINY["num_frames"], VIDEOMAE_TINY["tubelet_size"]
    change_weight, other_names = 5.0, 128

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        from transformers import VideoMAEConfig, VideoMAEModel

        self.model = VideoMAEModel(VideoMAEConfig(**VIDEOMAE_TINY))
        self.head = nn.Linear(VIDEOMAE_TINY["hidden_size"], CLIP_TINY["embed_dim"])
        self.tower = clip_tiny()
        super().__init__(clips, captions, args)
        self.text = dict(zip(self.names, self.tower.encode_text(self.names), strict=True))
        if args.start:
            load_tiny(self.model, args.start)
            self.fit_head()

    @torch.no_grad()
    def fit_head(self) -> None:
        """Begin where the tokens of some clips say that the head should."""
        values, goals = [], []
        for _ in range(20):
            windows, goal = self.views(self.rng.sample(self.train_ids, self.args.batch), self.rng)
            values.append(self.hidden(windows).flatten(0, 1))
            goals.append(goal.flatten(0, 1))
        center, weight, bias = fit_ridge(torch.cat(values), torch.cat(goals), 1e-2)
        self.head.weight.copy_(weight.T)
        self.head.bias.copy_(bias - center @ weight)

    def parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), *self.head.parameters(), self.scale]

    def hidden(self, windows: Tensor) -> Tensor:
        """What the backbone gives: [window, token, dim]."""
        patches = self.model(pixel_values=windows).last_hidden_state
        return patches.unflatten(1, (self.window // self.frames_per_token, -1)).mean(2)

    def tokens(self, windows: Tensor) -> Tensor:
        return self.head(self.hidden(windows))

    def encode(self, texts: list[str]) -> Tensor:
        if all(text in self.text for text in texts):
            return torch.stack([self.text[text] for text in texts])
        return self.tower.encode_text(texts)

    def save(self) -> None:
        save_tiny(self.model, self.args.out / "videomae_tiny.safetensors")
