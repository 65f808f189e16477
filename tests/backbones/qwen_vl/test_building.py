import pytest
import torch

from tevo.backbones.language import Prompt
from tevo.backbones.qwen_vl import QwenVL
from tevo.backbones.qwen_vl.tiny import QWEN2_5_VL_TINY, QWEN3_VL_TINY, TOKENIZER
from tevo.errors import TevoError


def test_a_saved_folder_comes_back_whole(model, random_frames, tmp_path):
    model.model.save_pretrained(tmp_path)
    model.processor.save_pretrained(tmp_path)
    again = QwenVL(str(tmp_path), trainable="all")
    assert again.spec.fingerprint == model.spec.fingerprint and again.patches == model.patches
    assert again.chat.tokens_per_second == model.chat.tokens_per_second
    reply = model.encode_reply([["<answer>A</answer>"]])
    scores = [
        m.log_probs([Prompt("When?", m.watch(random_frames(4), torch.arange(4) / 2, 64))], reply).log_probs
        for m in (model, again)
    ]
    assert torch.equal(*scores)


def test_the_names_of_the_published_files_are_understood(build, tmp_path):
    """Qwen2.5-VL's files say ``visual.*`` and ``model.layers.*``, transformers model.visual and so on."""
    from safetensors.torch import load_file, save_file

    model = build("qwen2_5_vl_tiny")
    model.model.save_pretrained(tmp_path)
    model.processor.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    plain = {
        name.replace("model.visual.", "visual.").replace("model.language_model.", "model."): value
        for name, value in state.items()
    }
    assert "visual.blocks.0.attn.qkv.weight" in plain and "model.layers.0.self_attn.q_proj.weight" in plain
    save_file(plain, tmp_path / "model.safetensors", metadata={"format": "pt"})
    again = QwenVL(str(tmp_path), trainable="all").model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.model.state_dict().items())


def test_a_checkpoint_of_another_family_is_refused(tmp_path):
    from transformers import CLIPConfig

    CLIPConfig().save_pretrained(tmp_path)
    with pytest.raises(TevoError, match=r"clip; this adapter reads qwen2_5_vl and qwen3_vl\. Give a Qwen2\.5-VL"):
        QwenVL(str(tmp_path))


def test_a_tokenizer_of_another_checkpoint_is_refused():
    text = QWEN2_5_VL_TINY["text_config"]
    with pytest.raises(TevoError, match="the model's embedding 512 rows"):
        QwenVL(QWEN2_5_VL_TINY | {"text_config": text | {"vocab_size": 512}}, str(TOKENIZER))
    with pytest.raises(TevoError, match="video token at 7, the model at 300"):
        QwenVL(QWEN2_5_VL_TINY | {"video_token_id": 300}, str(TOKENIZER))


def test_a_checkpoint_that_lacks_weights_is_refused(model, tmp_path):
    from safetensors.torch import load_file, save_file

    model.model.save_pretrained(tmp_path)
    model.processor.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    name = next(key for key in state if key.endswith("layers.1.mlp.up_proj.weight"))
    del state[name]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TevoError, match="lacks 1 of the model's weights"):
        QwenVL(str(tmp_path))


def test_a_name_that_is_nowhere_says_where_it_was_looked_for(monkeypatch):
    with pytest.raises(TevoError, match="weights 'nobody/nothing' could not be loaded"):
        QwenVL("nobody/nothing")


def test_a_configuration_needs_a_tokenizer():
    with pytest.raises(TevoError, match="name one with `tokenizer`"):
        QwenVL(QWEN2_5_VL_TINY)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(TevoError, match="float32, bfloat16, float16"):
        QwenVL(QWEN2_5_VL_TINY, str(TOKENIZER), dtype="int8")


def test_a_sliding_window_is_refused():
    config = QWEN2_5_VL_TINY | {"text_config": QWEN2_5_VL_TINY["text_config"] | {"use_sliding_window": True}}
    with pytest.raises(TevoError, match="sliding window"):
        QwenVL(config, str(TOKENIZER))


@pytest.mark.parametrize("config", [QWEN2_5_VL_TINY, QWEN3_VL_TINY], ids=lambda config: config["model_type"])
def test_tiny_configurations_keep_the_rules_of_the_large_ones(config):
    text, vision = config["text_config"], config["vision_config"]
    head_dim = text["hidden_size"] // text["num_attention_heads"]
    assert 2 * sum(text["rope_parameters"]["mrope_section"]) == head_dim == text.get("head_dim", head_dim)
    assert vision["out_hidden_size"] == text["hidden_size"]
    assert text["num_attention_heads"] % text["num_key_value_heads"] == 0 < text["num_key_value_heads"]
