import copy
import json
import pickle

import huggingface_hub.constants
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import nn

from tevo.backbones.clip import ClipBackbone
from tevo.backbones.tiny import CLIP_TINY
from tevo.errors import TevoError


@pytest.fixture(scope="module")
def clip() -> ClipBackbone:
    torch.manual_seed(0)
    return ClipBackbone(CLIP_TINY)


def _frames(time: int, size_px: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(time)
    frames = torch.randint(0, 256, (2, time, 3, size_px, size_px), generator=generator, dtype=torch.uint8)
    return frames, torch.arange(time).expand(2, -1) * 0.5 + 1.0


def test_tokens_are_what_open_clip_itself_makes_of_the_frames(clip):
    frames, times_s = _frames(3)
    transform = image_transform_v2(PreprocessCfg(size=64), is_train=False)
    images = torch.stack([transform(Image.fromarray(frame.permute(1, 2, 0).numpy())) for frame in frames.flatten(0, 1)])
    with torch.no_grad():
        wanted = clip.model.encode_image(images, normalize=True).view(2, 3, -1)
    torch.testing.assert_close(clip.encode_video(frames, times_s).values, wanted, atol=1e-4, rtol=0)


def test_larger_frames_are_resized_much_as_open_clip_resizes_them(clip):
    smooth = nn.functional.interpolate(torch.rand(1, 3, 6, 6) * 255, (160, 160), mode="bicubic").clamp(0, 255)
    frame = smooth.to(torch.uint8)
    image = image_transform_v2(PreprocessCfg(size=64), is_train=False)(
        Image.fromarray(frame[0].permute(1, 2, 0).numpy())
    )
    with torch.no_grad():
        wanted = clip.model.encode_image(image[None], normalize=True)
    ours = clip.encode_video(frame[None], torch.tensor([[1.0]])).values[0]
    assert float((ours * wanted).sum()) > 0.999


def test_spans_are_each_frames_share_of_time(clip):
    frames, _ = _frames(3)
    times_s = torch.tensor([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]])
    spans = clip.encode_video(frames, times_s).spans
    assert spans[0].tolist() == [[0.5, 1.5], [1.5, 3.5], [3.5, 6.5]]
    alone = clip.encode_video(frames[:, :1], times_s[:, :1]).spans
    assert alone[0].tolist() == [[0.75, 1.25]]  # 1 / fps seconds, centred


def test_the_chunk_size_does_not_change_the_tokens(clip):
    frames, times_s = _frames(5)
    small = copy.deepcopy(clip)
    small.frames_per_chunk = 3
    torch.testing.assert_close(
        small.encode_video(frames, times_s).values, clip.encode_video(frames, times_s).values, atol=1e-5, rtol=0
    )


def test_texts_follow_open_clip_and_keep_their_order(clip):
    texts = ["a red circle", "a blue square", "a red circle"]
    with torch.no_grad():
        wanted = clip.model.encode_text(clip.tokenizer(texts), normalize=True)
    torch.testing.assert_close(clip.encode_text(texts), wanted, atol=1e-5, rtol=0)
    assert clip.encode_text([]).shape == (0, 128)


def test_a_cpu_gives_the_same_bits_in_any_company(clip):
    frames, times_s = _frames(5)
    assert torch.equal(clip.encode_video(frames, times_s).values[1:], clip.encode_video(frames[1:], times_s[1:]).values)
    texts = [f"a {colour} {shape}" for colour in ("red", "blue", "green") for shape in ("circle", "square")]
    alone = copy.deepcopy(clip)
    assert torch.equal(clip.encode_text(texts), torch.cat([alone.encode_text([text]) for text in texts]))


def test_a_phrase_is_encoded_once_until_the_weights_change(clip, monkeypatch):
    backbone = copy.deepcopy(clip)
    seen: list[str] = []
    tokenizer = backbone.tokenizer

    def counting(texts: list[str]) -> torch.Tensor:
        seen.extend(texts)
        return tokenizer(texts)

    monkeypatch.setattr(backbone, "tokenizer", counting)
    backbone.encode_text(["one", "two", "one"])
    backbone.encode_text(["two", "three"])
    assert seen == ["one", "two", "three"]
    backbone.model.load_state_dict(backbone.model.state_dict())
    backbone.encode_text(["two"])
    assert seen == ["one", "two", "three", "two"]


def test_the_phrase_not_used_for_longest_is_forgotten_first(clip):
    backbone = copy.deepcopy(clip)
    backbone.texts.size = 2
    for text in ("one", "two", "one", "three"):
        backbone.encode_text([text])
    assert list(backbone.texts.rows) == ["one", "three"]
    assert backbone.encode_text(["one", "two", "three", "four"]).shape == (4, 128)  # more at once than it keeps


def test_frozen_stays_frozen_inside_a_model_in_training(clip):
    parent = nn.ModuleList([clip]).train()
    assert not any(module.training for module in clip.modules())
    assert not any(parameter.requires_grad for parameter in parent.parameters())


def test_an_unfrozen_backbone_learns():
    backbone = ClipBackbone(CLIP_TINY, frozen=False)
    assert backbone.model.training
    frames, times_s = _frames(2)
    image = backbone.encode_video(frames, times_s).values.mean(dim=(0, 1))
    loss = 1 - (image * backbone.encode_text(["a red circle"])[0]).sum()
    loss.backward()
    assert backbone.model.visual.conv1.weight.grad.abs().sum() > 0
    assert backbone.model.token_embedding.weight.grad.abs().sum() > 0


def test_the_fingerprint_follows_weights_loaded_through_a_parent(clip):
    other = ClipBackbone(CLIP_TINY)
    assert other.spec.fingerprint != clip.spec.fingerprint
    nn.ModuleDict({"solver": other}).load_state_dict(nn.ModuleDict({"solver": clip}).state_dict())
    assert other.spec.fingerprint == clip.spec.fingerprint


def test_the_fingerprint_follows_the_preprocessing(clip, monkeypatch):
    other = copy.deepcopy(clip)
    other.mean = (0.5, 0.5, 0.5)
    other.model.load_state_dict(clip.model.state_dict())
    assert other.spec.fingerprint != clip.spec.fingerprint


def test_travels_to_another_process(clip):
    frames, times_s = _frames(1)
    back = pickle.loads(pickle.dumps(clip))
    assert torch.equal(back.encode_video(frames, times_s).values, clip.encode_video(frames, times_s).values)
    assert torch.equal(back.encode_text(["a red circle"]), clip.encode_text(["a red circle"]))


def test_reads_a_local_open_clip_folder_and_a_local_file(clip, tmp_path):
    torch.save(clip.model.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    preprocess = {"size": 64, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear"}
    config = {"model_cfg": CLIP_TINY, "preprocess_cfg": preprocess}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    folder = ClipBackbone(f"local-dir:{tmp_path}")
    assert (folder.mean, folder.std, folder.interpolation) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")
    file = ClipBackbone(CLIP_TINY, str(tmp_path / "open_clip_pytorch_model.bin"))
    assert file.spec.fingerprint == clip.spec.fingerprint != folder.spec.fingerprint
    assert torch.equal(folder.encode_text(["a red circle"]), clip.encode_text(["a red circle"]))


def test_a_folder_without_weights_is_refused_not_filled_with_noise(tmp_path):
    config = {"model_cfg": CLIP_TINY, "preprocess_cfg": {"size": 64}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(TevoError, match="could not be loaded"):
        ClipBackbone(f"local-dir:{tmp_path}")


def test_weights_that_cannot_be_fetched_are_named_with_the_ways_out(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(TevoError, match=r"cc12m.*RN50.*could not be loaded.*/path/to/weights.*pretrained: false"):
        ClipBackbone("RN50", "cc12m")
    with pytest.raises(TevoError, match=r"no_such_tag.*could not be loaded"):
        ClipBackbone("RN50", "no_such_tag")
    with pytest.raises(TevoError, match=r"missing\.pt.*could not be loaded.*no such file"):
        ClipBackbone(CLIP_TINY, "missing.pt")


def test_wrong_models_are_answered_in_words():
    with pytest.raises(TevoError, match=r"no model 'ViT-B32'.*ViT-B-32"):
        ClipBackbone("ViT-B32")
    with pytest.raises(TevoError, match=r"embed_dim.*not in"):
        ClipBackbone({"vision_cfg": {}, "text_cfg": {}})
    with pytest.raises(TevoError, match=r"folder|local-dir"):
        ClipBackbone("local-dir:/no/such/folder")


def test_the_config_given_is_left_as_it_was():
    before = copy.deepcopy(CLIP_TINY)
    ClipBackbone(CLIP_TINY)
    assert before == CLIP_TINY
    assert "ViT-B-32" in open_clip.list_models()
