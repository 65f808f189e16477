"""internvid_tiny by a teacher and by captions."""

import argparse

from pretraining.clips import all_words
from pretraining.taught import TaughtTrainer
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.backbones.clip import clip_tiny
from tevo.backbones.internvid import InternVidBackbone
from tevo.backbones.tiny import INTERNVID_TINY, save_tiny


class InternVidTrainer(TaughtTrainer):
    """ViCLIP by a teacher and by captions.

    As the published one began as an image CLIP, this one begins with clip_tiny's text tower, which goes on learning.
    """

    window, frames_per_token = INTERNVID_TINY.num_frames, INTERNVID_TINY.frames_per_token

    def __init__(self, clips: list[Tensor], captions: list[str], args: argparse.Namespace) -> None:
        self.backbone = InternVidBackbone(INTERNVID_TINY, frozen=False)
        self.model = self.backbone.model
        words = clip_tiny().model.state_dict()
        self.model.text.load_state_dict({name: words[name] for name in self.model.text.state_dict()})
        super().__init__(clips, captions, args)

    def parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), self.scale]

    def tokens(self, windows: Tensor) -> Tensor:
        return self.model.encode_clips(windows)

    def encode(self, texts: list[str]) -> Tensor:
        return F.normalize(self.model.encode_text(self.backbone.tokenizer(texts)), dim=-1)

    def save(self) -> None:
        words = {int(i) for row in self.backbone.tokenizer(all_words()) for i in row}
        save_tiny(self.model, self.args.out / "internvid_tiny.safetensors", words)
