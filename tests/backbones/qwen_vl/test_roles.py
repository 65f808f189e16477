import importlib.util
import json

import pytest
import torch

from tevo.backbones.language import Prompt
from tevo.backbones.qwen_vl import QwenVL
from tevo.backbones.qwen_vl.budget import to_patches
from tevo.backbones.qwen_vl.tiny import QWEN2_5_VL_TINY, TOKENIZER
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


@pytest.fixture
def saved(two, trainable, random_frames, tmp_path):
    """A trained role's scores, its model, and where it was saved."""
    model, weights = two
    train(model, "solver", weights["solver"], random_frames)
    if trainable != "all":
        model.save_role("solver", str(tmp_path / "adapter"), merged=False)
    model.save_role("solver", str(tmp_path / "merged"), merged=True)
    return model, scores(model, "solver", random_frames), tmp_path


def plain_scores(loaded, model, random_frames):
    """As ``scores``, by transformers alone: pixels in, one row a completion."""
    video = model.watch(random_frames(5), torch.arange(5) / 2, 64)
    prefix, form = model.chat.lay_out(Prompt("When?", video)), model.patches
    rows, columns = (side * form.merge for side in video.grid)
    frames = random_frames(5)[[0, 1, 2, 3, 4, 4]]
    made = torch.zeros(1, 2, 0)
    for member, text in enumerate(["<answer>A</answer>", "no"]):
        told = torch.tensor(model.chat.encode(text))
        ids = torch.cat([prefix.ids, told])
        following = (prefix.next_position + torch.arange(len(told))).expand(3, -1)
        logits = loaded(
            input_ids=ids[None],
            position_ids=torch.cat([prefix.positions, following], 1)[:, None],
            mm_token_type_ids=(ids == model.chat.video_id).int()[None] * 2,
            pixel_values_videos=to_patches(frames, form, *video.grid).flatten(0, 1),
            video_grid_thw=torch.tensor([[video.num_steps, rows, columns]]),
        ).logits[0, len(prefix.ids) - 1 : -1]
        log_probs = logits.masked_fill(model._never, -torch.inf).log_softmax(-1).gather(1, told[:, None])[:, 0]
        made = torch.nn.functional.pad(made, (0, max(0, len(told) - made.shape[-1])))
        made[0, member, : len(told)] = log_probs
    return made


def test_a_merged_role_is_read_by_transformers_alone(saved, random_frames):
    from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig

    model, trained, folder = saved
    loaded = AutoModelForImageTextToText.from_pretrained(folder / "merged")
    torch.testing.assert_close(plain_scores(loaded, model, random_frames), trained, atol=2e-5, rtol=0)
    assert "tevo" not in (folder / "merged" / "config.json").read_text()
    assert GenerationConfig.from_pretrained(folder / "merged").eos_token_id == model.chat.end_id
    assert AutoProcessor.from_pretrained(folder / "merged").tokenizer.get_vocab() == model.chat.tokenizer.get_vocab()


def test_a_merged_role_leaves_the_base_and_the_roles_as_they_were(saved, random_frames):
    model, trained, _ = saved
    assert torch.equal(scores(model, "solver", random_frames), trained)
    assert torch.equal(scores(model, "questioner", random_frames), scores(model, None, random_frames))


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # what peft calls, transformers renames
@pytest.mark.parametrize("trainable", [LORA, LORA_ALL])
def test_an_adapter_is_read_by_peft(saved, random_frames, tmp_path):
    from peft import PeftModel

    model, trained, folder = saved
    base = type(model.model)(model.model.config)
    base.model.language_model.set_attn_implementation("sdpa")
    state = {name.replace(".base_layer", ""): value for name, value in model.model.state_dict().items()}
    base.load_state_dict({name: state[name] for name in base.state_dict()})
    loaded = PeftModel.from_pretrained(base, folder / "adapter").eval()
    torch.testing.assert_close(plain_scores(loaded, model, random_frames), trained, atol=2e-5, rtol=0)
    assert (folder / "adapter" / "tokenizer.json").is_file()


def test_an_adapter_names_the_base_that_it_belongs_to(build, tmp_path):
    pytest.importorskip("peft")
    made = build("qwen2_5_vl_tiny")
    made.model.save_pretrained(tmp_path / "base")
    made.processor.save_pretrained(tmp_path / "base")
    model = QwenVL(str(tmp_path / "base"))
    model.add_role("solver")
    model.save_role("solver", str(tmp_path / "adapter"), merged=False)
    told = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == model.base_source == str(tmp_path / "base")


def test_what_cannot_be_saved_is_said(build, tmp_path):
    model = build("qwen2_5_vl_tiny")
    with pytest.raises(TevoError, match="no role 'solver'"):
        model.save_role("solver", str(tmp_path), merged=True)
    model.add_role("solver")
    with pytest.raises(TevoError, match="has no adapter"):
        model.save_role("solver", str(tmp_path), merged=False)


@pytest.mark.parametrize("trainable", [LORA, LORA_ALL])
def test_adapters_learn_in_float32_on_a_base_in_half_precision(trainable, random_frames):
    torch.manual_seed(0)
    model = QwenVL(QWEN2_5_VL_TINY, str(TOKENIZER), trainable=trainable, dtype="bfloat16")
    weights = {"solver": model.add_role("solver")}
    assert {p.dtype for p in weights["solver"].parameters()} == {torch.float32}
    assert {p.dtype for name, p in model.model.named_parameters() if "lora_" not in name} == {torch.bfloat16}
    before = scores(model, "solver", random_frames).detach()
    train(model, "solver", weights["solver"], random_frames)
    after = scores(model, "solver", random_frames)
    assert torch.isfinite(after).all() and not torch.equal(after, before)


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
