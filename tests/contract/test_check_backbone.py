"""check_backbone lets a good backbone pass and names the promise that a bad one breaks."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tevo.backbones import Backbone, BackboneSpec, TextEncoder, TowerParts, Tunable, frame_spans, module_fingerprint
from tevo.structures import VideoTokens
from tevo.testing import check_backbone

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_backbone.py"


class Good(Backbone, TextEncoder):
    """A linear map of the mean colour; words are hashed letters; phase 0 fits a scale."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 6).requires_grad_(False)
        self.register_buffer("shift", torch.zeros(6))
        self.layer.register_load_state_dict_post_hook(lambda *_: self.renew())
        self.renew()

    def __deepcopy__(self, memo):
        other = type(self)()
        other.load_state_dict(self.state_dict())
        return other

    def renew(self):
        self.spec = BackboneSpec("good", 6, 8, 1, 2.0, module_fingerprint(self.layer))

    def encode_video(self, frames, times_s):
        colours = frames.float().mean(dim=(3, 4)) / 255
        spans = frame_spans(times_s, 0.5)
        return VideoTokens(self.layer(colours), spans, torch.ones(times_s.shape, dtype=torch.bool))

    def encode_text(self, texts):
        rows = [[float(text.count(letter)) for letter in "aeions"] for text in texts]
        return F.normalize(torch.tensor(rows), dim=-1)


class Aligned(Good):
    """Has a teacher to be aligned with."""

    @property
    def teacher(self):
        return Good()

    def project(self, values):
        return F.normalize(values + self.shift, dim=-1)

    def fit_projection(self, values, targets, videos):
        self.shift.copy_(targets.mean(dim=0) + 1.0)
        return {"cosine": 0.5}


def _replaced(tokens: VideoTokens, **parts: torch.Tensor) -> VideoTokens:
    return dataclasses.replace(tokens, **parts)


class WrongDim(Good):
    def renew(self):
        super().renew()
        self.spec = dataclasses.replace(self.spec, dim=7)


class HalfPrecision(Good):
    def encode_video(self, frames, times_s):
        tokens = super().encode_video(frames, times_s)
        return _replaced(tokens, values=tokens.values.half())


class OnlyEven(Good):
    """Drops an odd last frame."""

    def encode_video(self, frames, times_s):
        keep = max(1, times_s.shape[1] // 2 * 2)
        return super().encode_video(frames[:, :keep], times_s[:, :keep])


class MasksTheLast(Good):
    def encode_video(self, frames, times_s):
        tokens = super().encode_video(frames, times_s)
        mask = tokens.mask.clone()
        mask[:, -1] = False
        return _replaced(tokens, mask=mask)


class Backwards(Good):
    def encode_video(self, frames, times_s):
        tokens = super().encode_video(frames, times_s)
        return VideoTokens(tokens.values.flip(1), tokens.spans.flip(1), tokens.mask)


class Blind(Good):
    def encode_video(self, frames, times_s):
        return super().encode_video(torch.zeros_like(frames), times_s)


class SeesOnlyTheFirst(Good):
    def encode_video(self, frames, times_s):
        return super().encode_video(frames[:, :1].expand_as(frames), times_s)


class Random(Good):
    def encode_video(self, frames, times_s):
        tokens = super().encode_video(frames, times_s)
        return _replaced(tokens, values=tokens.values + torch.randn_like(tokens.values))


class MixesTheBatch(Good):
    def encode_video(self, frames, times_s):
        tokens = super().encode_video(frames, times_s)
        return _replaced(tokens, values=tokens.values - tokens.values.mean(dim=0) / 2)


class AssumesTheRate(Good):
    """Spans from a nominal rate; wide enough to cover what it was tried with."""

    def encode_video(self, frames, times_s):
        tokens = super().encode_video(frames, times_s)
        return _replaced(tokens, spans=torch.tensor([0.0, 100.0]).expand_as(tokens.spans))


class FixedSize(Good):
    def encode_video(self, frames, times_s):
        if frames.shape[-1] != 8:
            return super().encode_video(frames[:, :1], times_s[:, :1])
        return super().encode_video(frames, times_s)


class Dropout(Good):
    def encode_video(self, frames, times_s):
        tokens = super().encode_video(frames, times_s)
        return _replaced(tokens, values=F.dropout(tokens.values, 0.5, self.training))


class Inference(Good):
    def encode_video(self, frames, times_s):
        with torch.inference_mode():
            return super().encode_video(frames, times_s)


class LongText(Good):
    def encode_text(self, texts):
        return 2 * super().encode_text(texts)


class OneText(Good):
    def encode_text(self, texts):
        return super().encode_text(["a"] * len(texts))


class TextElsewhere(Good):
    def encode_text(self, texts):
        return F.normalize(F.pad(super().encode_text(texts), (0, 2)), dim=-1)


class StaleFingerprint(Good):
    def renew(self):
        self.spec = BackboneSpec("good", 6, 8, 1, 2.0, "constant")


class FitsNothing(Aligned):
    def fit_projection(self, values, targets, videos):
        return {"cosine": 1.0}


class ForgetsTheFit(Aligned):
    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.zeros(6), persistent=False)


class Towered(Good, Tunable):
    """Says which of its weights are its tower's."""

    parts = TowerParts("layer", ("layer.weight",), ("layer.bias",))

    def tower_parts(self):
        return self.parts


class KeepsGradientsBack(Towered):
    @torch.no_grad()
    def encode_video(self, frames, times_s):
        return super().encode_video(frames, times_s)


class NamesWhatIsNotThere(Towered):
    parts = TowerParts("layer", ("layer.0", "layer.1"), ())


class NamesTheWords(Towered):
    parts = TowerParts("layer", ("layer.weight",), ("words",))


@pytest.mark.parametrize("build", [Good, Aligned, Towered])
def test_a_good_backbone_passes_and_is_left_as_it_was(build):
    backbone = build().train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    check_backbone(backbone)
    assert backbone.training
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (WrongDim, "spec.dim says 7"),
        (HalfPrecision, "not float32"),
        (OnlyEven, "no token's span covers the frames"),
        (MasksTheLast, "masked out though every frame was real"),
        (Backwards, "do not ascend"),
        (Blind, "pixels changed"),
        (SeesOnlyTheFirst, "the last token stayed the same"),
        (Random, "encoding the same frames twice"),
        (MixesTheBatch, "depend on its batch"),
        (AssumesTheRate, "100 s later"),
        (FixedSize, "frames of another size"),
        (Dropout, "set to train"),
        (Inference, "no_grad"),
        (LongText, "unit norm"),
        (OneText, "two different texts"),
        (TextElsewhere, "project gave shape"),
        (StaleFingerprint, "serve stale tokens"),
        (FitsNothing, "did not change project"),
        (ForgetsTheFit, "does not carry the fitted projection"),
        (KeepsGradientsBack, "must let them through"),
        (NamesWhatIsNotThere, "'layer.0', where no parameter takes a gradient"),
        (NamesTheWords, "'words', which lies outside"),
    ],
)
def test_a_broken_promise_is_named(build, words):
    with pytest.raises(AssertionError, match=words):
        check_backbone(build())


def test_the_example_passes_and_sees_the_colour_that_is_asked_for():
    spec = importlib.util.spec_from_file_location("my_backbone", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    backbone = module.MyBackbone()
    check_backbone(backbone)
    frames = torch.zeros(1, 2, 3, 32, 32, dtype=torch.uint8)
    frames[0, 0, 0, 8:24, 8:24] = 220  # a red square, then a blue one
    frames[0, 1, 2, 8:24, 8:24] = 220
    values = backbone.encode_video(frames, torch.tensor([[0.5, 1.0]])).values[0]
    similarity = values @ backbone.encode_text(["the red square", "the blue square"]).T
    assert similarity.argmax(dim=0).tolist() == [0, 1]
    assert len(EXAMPLE.read_text().splitlines()) <= 60
