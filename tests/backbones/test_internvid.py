import copy
import pickle

import huggingface_hub.constants
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tevo.backbones.internvid import InternVidBackbone, internvid_tiny
from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD
from tevo.backbones.tiny import INTERNVID_TINY
from tevo.errors import TevoError

TEXTS = ["a red circle", "a blue square", "a red circle"]


@pytest.fixture(scope="module")
def internvid() -> InternVidBackbone:
    torch.manual_seed(0)
    return internvid_tiny(pretrained=False)


def _frames(time: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(time)
    frames = torch.randint(0, 256, (2, time, 3, 64, 64), generator=generator, dtype=torch.uint8)
    return frames, torch.arange(time).expand(2, -1) * 0.25 + 1.0


def _published(model: nn.Module) -> dict[str, torch.Tensor]:
    """A checkpoint as OpenGVLab wrote it, with these weights."""
    state = {"temp": torch.tensor(0.01)}
    for name, value in model.state_dict().items():
        tower, _, rest = name.partition(".")
        value = value.unsqueeze(2) if name == "visual.conv1.weight" else value
        state[f"{'vision_encoder' if tower == 'visual' else 'text_encoder'}.{rest}"] = value.clone()
    return state


def test_tokens_are_what_the_tower_reads_in_normalised_pixels(internvid):
    frames, times_s = _frames(16)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    clips = ((frames / 255 - mean) / std).view(4, 8, 3, 64, 64)
    with torch.no_grad():
        wanted = F.normalize(internvid.model.encode_clips(clips), dim=-1).view(2, 8, 128)
    values = internvid.encode_video(frames, times_s).values
    torch.testing.assert_close(values, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(internvid.project(values), values)


@pytest.mark.parametrize(("time", "tokens"), [(1, 1), (2, 1), (3, 2), (8, 4), (9, 5)])
def test_any_number_of_frames_gives_a_token_for_every_begun_pair(internvid, time, tokens):
    encoded = internvid.encode_video(*_frames(time))
    assert encoded.values.shape == (2, tokens, 128)
    assert bool(encoded.mask.all())


def test_spans_are_the_share_of_time_of_a_tokens_own_frames(internvid):
    frames, _ = _frames(3)
    times_s = torch.tensor([[1.0, 2.0, 5.0], [10.0, 10.5, 11.0]])
    spans = internvid.encode_video(frames, times_s).spans
    assert spans.tolist() == [[[0.5, 3.5], [3.5, 6.5]], [[9.75, 10.75], [10.75, 11.25]]]


def test_a_cpu_gives_the_same_bits_in_any_company(internvid):
    frames, times_s = _frames(11)
    alone = internvid.encode_video(frames[1:], times_s[1:]).values
    assert torch.equal(internvid.encode_video(frames, times_s).values[1:], alone)
    fresh = copy.deepcopy(internvid)
    assert torch.equal(internvid.encode_text(TEXTS), torch.cat([fresh.encode_text([text]) for text in TEXTS]))


def test_the_chunk_size_does_not_change_the_tokens(internvid):
    frames, times_s = _frames(17)
    small = copy.deepcopy(internvid)
    small.clips_per_chunk = 1
    torch.testing.assert_close(
        small.encode_video(frames, times_s).values, internvid.encode_video(frames, times_s).values, atol=1e-5, rtol=0
    )


def test_long_texts_are_cut_and_none_gives_none(internvid):
    assert internvid.encode_text([]).shape == (0, 128)
    assert internvid.encode_text(["a shape " * 40]).shape == (1, 128)


def test_frozen_stays_frozen_and_unfrozen_learns(internvid):
    nn.ModuleList([internvid]).train()
    assert not any(module.training for module in internvid.modules())
    free = InternVidBackbone(INTERNVID_TINY, frozen=False)
    image = free.encode_video(*_frames(2)).values.mean(dim=(0, 1))
    (1 - (image * free.encode_text(["a red circle"])[0]).sum()).backward()
    for weight in (free.model.visual.conv1.weight, free.model.visual.class_embedding, free.model.text.text_projection):
        assert weight.grad.abs().sum() > 0


def test_travels_to_another_process(internvid):
    back = pickle.loads(pickle.dumps(internvid))
    assert torch.equal(back.encode_video(*_frames(2)).values, internvid.encode_video(*_frames(2)).values)
    assert back.spec == internvid.spec


@pytest.mark.parametrize("form", ["file", "folder"])
def test_published_weights_are_read_from_a_file_or_a_folder(internvid, form, tmp_path):
    if form == "file":
        source = tmp_path / "ViClip-InternVid-10M-FLT.pth"
        torch.save({"model": _published(internvid.model)}, source)
    else:
        from safetensors.torch import save_file

        source = tmp_path
        save_file(_published(internvid.model), tmp_path / "model.safetensors")
    back = InternVidBackbone(INTERNVID_TINY, str(source))
    assert back.spec.fingerprint == internvid.spec.fingerprint
    assert torch.equal(back.encode_text(TEXTS), internvid.encode_text(TEXTS))


def test_weights_that_cannot_be_fetched_are_named_with_the_ways_out(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for source in ("OpenGVLab/none", "/no/such/viclip.pth", str(tmp_path)):
        with pytest.raises(TevoError) as error:
            InternVidBackbone(INTERNVID_TINY, source)
        said = str(error.value)
        assert f"the ViCLIP weights {source!r} could not be loaded" in said
        assert str(tmp_path) in said  # where it looked
        assert "`pretrained: /path/to/model.safetensors`" in said and "`pretrained: false`" in said
