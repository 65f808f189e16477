"""A role leaves a run as folders that its own library reads; that they give the same logits: test_roles."""

import importlib.util

import pytest
import torch
import yaml

from tevo.backbones import build_backbone
from tevo.errors import TevoError
from tevo.tasks.language.export import export_role, render_hub_card

CARD = {"round": 2, "seed": 0, "metrics": {"test/mIoU": 41.25}}
needs_peft = pytest.mark.skipif(not importlib.util.find_spec("peft"), reason="peft is missing")


@needs_peft
@pytest.mark.parametrize("merged", [True, False])
def test_an_adapter_goes_with_the_merged_model_or_without(merged, tmp_path):
    torch.manual_seed(0)
    model = build_backbone("qwen2_5_vl_tiny", pretrained=False, trainable="lora")
    model.add_role("solver")
    written = export_role(tmp_path / "solver", model, "solver", CARD, merged=merged)
    wanted = ["adapter", "merged"] if merged else ["adapter"]
    assert [path.name for path in written] == sorted(path.name for path in (tmp_path / "solver").iterdir()) == wanted
    for path in written:
        inside = {file.name for file in path.iterdir()}
        weights = "adapter_model.safetensors" if path.name == "adapter" else "model.safetensors"
        assert {weights, "README.md", "tokenizer.json", "processor_config.json"} <= inside
        assert ("generation_config.json" in inside) == (path.name == "merged")


def test_a_role_of_its_own_is_written_whole_over_an_earlier_one(model, tmp_path):
    from transformers import AutoModelForImageTextToText

    role = model.add_role("solver")
    export_role(tmp_path, model, "solver", CARD, merged=False)
    with torch.no_grad():
        next(role.parameters()).add_(1.0)
    assert export_role(tmp_path, model, "solver", {}) == [tmp_path / "merged"]
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / "merged").state_dict()
    mine = model.roles.copies["solver"].state_dict()
    assert loaded.keys() == mine.keys() and all(torch.equal(loaded[name], mine[name]) for name in mine)


def test_a_role_that_is_not_there_leaves_nothing(model, tmp_path):
    with pytest.raises(TevoError, match="no role 'solver'"):
        export_role(tmp_path / "solver", model, "solver", CARD)
    assert list((tmp_path / "solver").iterdir()) == []


@pytest.mark.parametrize("kind", ["adapter", "merged"])
@pytest.mark.parametrize("base", ["Qwen/Qwen2.5-VL-7B-Instruct", None])
@pytest.mark.parametrize("role", ["solver", "questioner"])
def test_the_card(role, base, kind):
    text = render_hub_card(role, kind, base, CARD)
    front = yaml.safe_load(text.split("---")[1])
    assert front.get("base_model") == base
    assert front["library_name"] == {"adapter": "peft", "merged": "transformers"}[kind]
    assert f"# tevo {role}, round 2\n" in text and "| test/mIoU | 41.25 |" in text
    assert "No label, caption, subtitle or timestamp annotation was read in training" in text
    snippet = text.split("```python\n")[1].split("```")[0]
    compile(snippet, "README.md", "exec")
    assert ("PeftModel" in snippet) == (kind == "adapter")
