import copy
import importlib.util

import pytest
import torch

from tevo.backbones.language import Prompt
from tevo.errors import TevoError

LORA = pytest.param("lora", marks=pytest.mark.skipif(not importlib.util.find_spec("peft"), reason="peft is missing"))
LORA_ALL = pytest.param("lora_all", marks=LORA.marks)
KINDS = [LORA, LORA_ALL, "all"]


@pytest.fixture(params=KINDS)
def trainable(request):
    return request.param


@pytest.fixture
def two(build, family, trainable):
    """A model with two roles, and the weights of each."""
    model = build(family, trainable=trainable)
    return model, {name: model.add_role(name) for name in ("questioner", "solver")}


def scores(model, role, random_frames):
    video = model.watch(random_frames(5), torch.arange(5) / 2, 64)
    reply = model.encode_reply([["<answer>A</answer>", "no"]])
    with model.acting(role):
        return model.log_probs([Prompt("When?", video)], reply).log_probs


def train(model, role, weights, random_frames):
    optimizer = torch.optim.SGD(weights.parameters(), lr=0.05)
    for _ in range(2):  # an adapter's second factor starts at zero: the first step moves that one alone
        optimizer.zero_grad()
        with model.acting(role):
            scores(model, role, random_frames).sum().backward()
        optimizer.step()


def test_a_new_role_acts_exactly_as_the_base(two, random_frames):
    model, _ = two
    reference = scores(model, None, random_frames)
    assert torch.equal(scores(model, "solver", random_frames), reference)
    assert torch.equal(scores(model, "questioner", random_frames), reference)


def test_training_one_role_leaves_the_other_and_the_reference(two, random_frames):
    model, weights = two
    before = {role: scores(model, role, random_frames).detach() for role in (None, "questioner", "solver")}
    train(model, "solver", weights["solver"], random_frames)
    after = {role: scores(model, role, random_frames) for role in before}
    assert torch.equal(after[None], before[None]) and torch.equal(after["questioner"], before["questioner"])
    assert (after["solver"] - before["solver"]).abs().max() > 1e-4
    assert all(parameter.grad is None for parameter in weights["questioner"].parameters())
    assert not any(parameter.grad is not None for parameter in model.model.model.visual.parameters())


def test_acting_ends_with_its_context_even_after_an_error(two, random_frames):
    model, weights = two
    train(model, "solver", weights["solver"], random_frames)
    with pytest.raises(ValueError, match="stop"), model.acting("solver"):
        with model.acting(None):
            pass
        assert model.roles.acting == "solver"
        raise ValueError("stop")
    assert torch.equal(scores(model, "questioner", random_frames), scores(model, None, random_frames))


def test_who_acts_does_not_change_what_is_trained(two, random_frames):
    model, weights = two
    weights["questioner"].requires_grad_(False)
    for role in ("solver", "questioner", None, "solver"):
        scores(model, role, random_frames)
    assert not any(p.requires_grad for p in weights["questioner"].parameters())
    assert any(p.requires_grad for p in weights["solver"].parameters())


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # what peft calls, transformers renames
def test_a_role_saved_is_read_by_the_models_own_library(two, trainable, random_frames, tmp_path, family):
    model, weights = two
    train(model, "solver", weights["solver"], random_frames)
    trained = scores(model, "solver", random_frames)
    model.model.config.save_pretrained(tmp_path / "base")
    model.save_role("solver", str(tmp_path / "solver"))
    fresh = copy.deepcopy(model)
    if trainable == "all":
        from transformers import AutoModelForImageTextToText

        loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / "solver")
    else:
        from peft import PeftModel

        base = type(model.model)(model.model.config)
        wanted = base.state_dict()
        state = {name.replace(".base_layer", ""): value for name, value in model.model.state_dict().items()}
        base.load_state_dict({name: state[name] for name in wanted})
        loaded = PeftModel.from_pretrained(base, tmp_path / "solver").merge_and_unload()
    loaded.model.language_model.set_attn_implementation("tevo_group")
    fresh.roles.base = loaded.eval()
    torch.testing.assert_close(scores(fresh, None, random_frames), trained, atol=2e-5, rtol=0)
    assert (tmp_path / "solver" / "tokenizer.json").is_file()
    assert (tmp_path / "solver" / "processor_config.json").is_file()


def test_adapters_are_small_and_only_the_language_model_has_them(build, family):
    pytest.importorskip("peft")
    few, more = (
        sum(p.numel() for p in build(family, trainable=t).add_role("solver").parameters()) for t in ("lora", "lora_all")
    )
    whole = sum(p.numel() for p in build(family).model.parameters())
    assert 0 < few < more < whole / 3
    seeing = build(family, trainable="lora", train_vision=True)
    seeing.add_role("solver")
    named = [name for name, _ in seeing.model.named_parameters() if "lora_A.solver" in name]
    assert any("visual" in name for name in named) and any("language_model" in name for name in named)


@pytest.mark.parametrize("name", ["Solver", "a role", "", "solver"])
def test_bad_names_are_refused(build, name):
    model = build("qwen2_5_vl_tiny")
    model.add_role("solver")
    with pytest.raises(TevoError, match="new name"):
        model.add_role(name)


def test_an_unknown_role_is_refused(build):
    with pytest.raises(TevoError, match="no role 'solver'"), build("qwen2_5_vl_tiny").acting("solver"):
        pass


def test_an_unknown_choice_is_refused(build):
    with pytest.raises(TevoError, match="lora, lora_all, all"):
        build("qwen2_5_vl_tiny", trainable="adapter")
