import pytest
import torch
from safetensors.torch import load_file

from tevo.backbones import tiny
from tevo.backbones.clip import ClipBackbone, clip_tiny
from tevo.backbones.internvid import InternVidBackbone, internvid_tiny
from tevo.backbones.tiny import CLIP_TINY, INTERNVID_TINY, VIDEOMAE_TINY, load_tiny, save_tiny, tiny_weights
from tevo.backbones.videomae import build_videomae, videomae_tiny
from tevo.errors import TevoError

TEXTS = ["a red shape", "the blue shape moves left"]


@pytest.fixture(scope="module")
def clip() -> ClipBackbone:
    torch.manual_seed(0)
    return ClipBackbone(CLIP_TINY)


def _pieces(clip: ClipBackbone) -> list[int]:
    return clip.tokenizer(TEXTS).flatten().tolist()


def test_clip_comes_back_up_to_half_precision_and_fits_the_package(clip, tmp_path):
    size = save_tiny(clip.model, tmp_path / "clip.safetensors", _pieces(clip))
    assert size == (tmp_path / "clip.safetensors").stat().st_size <= tiny.MAX_BYTES
    back = clip_tiny(pretrained=str(tmp_path / "clip.safetensors"))
    for name, value in clip.model.state_dict().items():
        if name == "token_embedding.weight":
            continue
        wanted = value.half().float() if value.is_floating_point() else value
        assert torch.equal(back.model.state_dict()[name], wanted), name
    torch.testing.assert_close(back.encode_text(TEXTS), clip.encode_text(TEXTS), atol=5e-3, rtol=0)


def test_word_pieces_out_of_use_share_one_row(clip, tmp_path):
    save_tiny(clip.model, tmp_path / "clip.safetensors", _pieces(clip))
    back = clip_tiny(pretrained=str(tmp_path / "clip.safetensors"))
    table, before = back.model.token_embedding.weight, clip.model.token_embedding.weight
    used = sorted(set(_pieces(clip)))
    assert torch.equal(table[used], before[used].half().float())
    unused = [piece for piece in range(1000, 1100) if piece not in used]
    assert torch.equal(table[unused], table[unused[:1]].expand(len(unused), -1))
    torch.testing.assert_close(table[unused[0]], before[used].mean(dim=0), atol=1e-3, rtol=0)


def test_saving_what_was_loaded_writes_the_same_file(clip, tmp_path):
    save_tiny(clip.model, tmp_path / "first.safetensors", _pieces(clip))
    back = clip_tiny(pretrained=str(tmp_path / "first.safetensors"))
    save_tiny(back.model, tmp_path / "second.safetensors")
    first, second = load_file(tmp_path / "first.safetensors"), load_file(tmp_path / "second.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_videomae_comes_back_up_to_half_precision(tmp_path):
    torch.manual_seed(0)
    model = build_videomae(VIDEOMAE_TINY)
    assert save_tiny(model, tmp_path / "videomae.safetensors") <= tiny.MAX_BYTES
    back = videomae_tiny(str(tmp_path / "videomae.safetensors"), text_tower=clip_tiny(pretrained=None))
    for name, value in model.state_dict().items():
        assert torch.equal(back.model.state_dict()[name], value.half().float()), name


def test_a_file_too_large_to_ship_is_refused_and_not_written(clip, tmp_path):
    with pytest.raises(TevoError, match="token_ids"):
        save_tiny(clip.model, tmp_path / "clip.safetensors")
    assert not (tmp_path / "clip.safetensors").exists()


def test_a_tower_inside_a_model_comes_back_with_its_words(tmp_path):
    torch.manual_seed(0)
    backbone = InternVidBackbone(INTERNVID_TINY)
    pieces = backbone.tokenizer(TEXTS).flatten().tolist()
    assert save_tiny(backbone.model, tmp_path / "internvid.safetensors", pieces) <= tiny.MAX_BYTES
    back = internvid_tiny(pretrained=str(tmp_path / "internvid.safetensors"))
    assert torch.equal(back.model.visual.proj, backbone.model.visual.proj.half().float())
    torch.testing.assert_close(back.encode_text(TEXTS), backbone.encode_text(TEXTS), atol=5e-3, rtol=0)


@pytest.mark.parametrize("build", [clip_tiny, videomae_tiny, internvid_tiny])
def test_missing_weights_are_named_with_the_way_out(build, tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "WEIGHTS", tmp_path)
    with pytest.raises(TevoError, match=r"tiny\.safetensors.*`pretrained: false`"):
        build()
    assert build(pretrained=False).spec.image_size_px == 64


def test_weights_of_another_model_are_refused(clip, tmp_path):
    save_tiny(build_videomae(VIDEOMAE_TINY), tmp_path / "videomae.safetensors")
    with pytest.raises(TevoError, match="another config"):
        load_tiny(clip.model, tmp_path / "videomae.safetensors")


def test_shipped_means_the_file_in_the_package():
    assert tiny_weights("clip_tiny", "shipped") == tiny.WEIGHTS / "clip_tiny.safetensors"
    assert str(tiny_weights("clip_tiny", "/elsewhere/x.safetensors")) == "/elsewhere/x.safetensors"
