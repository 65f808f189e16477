"""The group-shared update is exact, rollouts say the truth about themselves, and the model sees the video."""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn

from tevo.backbones.language import Prompt, Sampling
from tevo.errors import TevoError

TEXTS = ("When does this happen: the red shape grows?", "What happens first?", "Say hello.")


def separate_log_probs(transformers_model, model, prompts, completions, temperature=1.0):
    """Every completion as a row of its own through plain transformers, pixels and all."""
    plain = transformers_model
    plain.model.language_model.set_attn_implementation("eager")
    rows = torch.zeros(completions.mask.shape)
    for i, prompt in enumerate(prompts):
        prefix = model.chat.lay_out(prompt)
        for j in range(completions.mask.shape[1]):
            told = completions.tokens[i, j][completions.mask[i, j]]
            if not len(told):
                continue
            ids = torch.cat([prefix.ids, told])
            following = prefix.next_position + torch.arange(len(told))
            inputs = {
                "input_ids": ids[None],
                "position_ids": torch.cat([prefix.positions, following.expand(3, -1)], 1)[:, None],
                "mm_token_type_ids": (ids == model.chat.video_id).int()[None] * 2,
            }
            if prompt.video is not None:
                grid = [side * model.patches.merge for side in prompt.video.grid]
                inputs["video_grid_thw"] = torch.tensor([[prompt.video.num_steps, *grid]])
                inputs["pixel_values_videos"] = prompt.video.patches.flatten(0, 1)
            logits = plain(**inputs).logits[0, len(prefix.ids) - 1 : -1] / temperature
            log_probs = logits.masked_fill(model._never, -torch.inf).log_softmax(-1)
            rows[i, j, : len(told)] = log_probs.gather(1, told[:, None])[:, 0]
    return rows


@pytest.fixture(scope="module")
def completions(seeing, prompts):
    """Four of each, of different lengths: one of a single token, one of none."""
    texts = [["<answer>A</answer>", "x", "<glue>[(1.0, 2.5)]</glue> and so on", ""] for _ in prompts]
    return seeing.encode_reply(texts)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_and_gradients_are_those_of_separate_rows(seeing, prompts, completions, temperature):
    with seeing.acting("solver"):
        scored = seeing.log_probs(prompts, completions, temperature)
        plain = copy.deepcopy(seeing.roles.model)
        trained = dict(seeing.roles.model.named_parameters())
        weights = torch.rand(scored.log_probs.shape, generator=torch.Generator().manual_seed(0)) - 0.5
        ours = torch.autograd.grad((scored.log_probs * weights).sum(), trained.values())
    rows = separate_log_probs(plain, seeing, prompts, completions, temperature)
    assert (scored.log_probs - rows).abs().max() < 1e-5
    theirs = torch.autograd.grad((rows * weights).sum(), dict(plain.named_parameters()).values())
    seen = 0
    for name, mine, other in zip(trained, ours, theirs, strict=True):
        assert (mine - other).norm() <= 1e-4 * other.norm() + 1e-7, name
        seen += bool(mine.norm() > 0)
    assert seen > 0.95 * len(trained)  # the gradient reaches the whole model: prefix and pixels included


def test_nothing_is_scored_where_no_token_is(seeing, prompts, completions):
    scored = seeing.log_probs(prompts, completions)
    assert bool((scored.log_probs[~completions.mask] == 0).all() and (scored.entropy[~completions.mask] == 0).all())
    assert bool((scored.log_probs[completions.mask] < 0).all() and (scored.entropy[completions.mask] > 0).all())


@pytest.mark.parametrize("at_once", [1, 150])
def test_batches_of_any_size_give_the_same(seeing, prompts, completions, at_once, monkeypatch):
    whole = seeing.log_probs(prompts, completions).log_probs
    monkeypatch.setattr(seeing, "max_tokens_at_once", at_once)
    torch.testing.assert_close(seeing.log_probs(prompts, completions).log_probs, whole, atol=1e-5, rtol=0)


def test_chunked_logits_give_the_same(seeing, prompts, completions, monkeypatch):
    def gradient():
        seeing.roles.model.zero_grad()
        scored = seeing.log_probs(prompts, completions)
        scored.log_probs.sum().backward()
        return scored.log_probs.detach(), seeing.roles.model.lm_head.weight.grad.clone()

    with seeing.acting("solver"):
        whole = gradient()
        monkeypatch.setattr("tevo.backbones.qwen_vl.scoring.MAX_LOGITS", 3 * len(seeing._never))
        chunked = gradient()
    torch.testing.assert_close(chunked, whole, atol=1e-4, rtol=1e-4)


def test_checkpointing_gives_the_same_gradients(build, family, prompts, completions, monkeypatch):
    grads, calls = [], []
    layer = type(build(family).model.model.language_model.layers[0].mlp)
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda *args: calls.append(1) or forward(*args))
    for checkpointing in (False, True):
        model = build(family, train_vision=True, checkpointing=checkpointing)
        role = model.add_role("solver")
        with model.acting("solver"):
            model.log_probs(prompts, completions).log_probs.sum().backward()
        grads.append([p.grad for p in role.parameters() if p.grad is not None])
    torch.testing.assert_close(*grads, atol=1e-5, rtol=1e-4)
    assert len(calls) == 3 * 4  # four layers forward once, and with checkpointing a second time


def test_bf16_stays_near(build, family, prompts, completions):
    exact = build(family, train_vision=True)
    near = build(family, train_vision=True)
    near.model.to(torch.bfloat16)
    ours, theirs = (m.log_probs(prompts, completions).log_probs for m in (near, exact))
    assert ours.dtype == torch.float32
    assert 0 < (ours - theirs).abs().max() < 0.3


# --- rollouts ---


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_a_rollout_says_the_probability_it_was_drawn_with(model, video, temperature):
    prompts = [Prompt(TEXTS[0], video), Prompt(TEXTS[1], video.take(torch.tensor([1, 3]))), Prompt(TEXTS[2])]
    drawn = model.sample(prompts, 4, Sampling(12, temperature), torch.Generator().manual_seed(0))
    scored = model.log_probs(prompts, drawn, temperature).log_probs
    assert drawn.mask.any() and (scored - drawn.log_probs).abs().max() < 1e-5


def test_sampling_follows_the_distribution(model, video):
    """First tokens of two thousand completions against the probabilities of all tokens."""
    drawn = model.sample([Prompt(TEXTS[0], video)], 2000, Sampling(1), torch.Generator().manual_seed(0))
    first = drawn.tokens[0, :, 0]
    probs = drawn.log_probs[0, :, 0].exp()
    share = (first[:, None] == first[None]).float().mean(1)
    common = probs > 0.01
    assert common.any() and (share - probs)[common].abs().max() < 0.02


def test_vision_tokens_are_never_drawn(model, video):
    drawn = model.sample([Prompt(TEXTS[0], video)], 200, Sampling(10), torch.Generator().manual_seed(1))
    told = drawn.tokens[drawn.mask]
    assert not bool(torch.isin(told, torch.tensor(model.chat.never_ids)).any())
    assert int(told.max()) < len(model.chat.tokenizer)


def test_a_completion_stops_at_its_tag_and_not_before(model, video):
    """The weights are bent so that one text is written again and again."""
    bent = copy.deepcopy(model)
    text = "<answer>A</answer>"
    loop = bent.chat.encode(text * 2)
    follows = dict(itertools.pairwise(loop))
    never = bent._never

    class Head(nn.Module):
        def forward(self, hidden):
            logits = torch.full((*hidden.shape[:-1], len(never)), -30.0)
            flat = logits.view(-1, len(never))
            for row in range(len(flat)):
                flat[row, loop[0] if head.last is None else follows[int(head.last[row % len(head.last)])]] = 30.0
            head.last = flat.argmax(-1)
            return logits

    head = Head()
    head.last = None
    bent.model.lm_head = head
    drawn = bent.sample([Prompt(TEXTS[2])], 2, Sampling(50, stop=("</answer>",)), torch.Generator().manual_seed(0))
    assert drawn.texts == ((text, text),) and bool(drawn.closed.all())
    head.last = None
    cut = bent.sample([Prompt(TEXTS[2])], 2, Sampling(3, stop=("</answer>",)), torch.Generator().manual_seed(0))
    assert not bool(cut.closed.any()) and int(cut.mask.sum()) == 6


def test_the_same_seed_draws_the_same(model, video):
    prompts = [Prompt(TEXTS[0], video), Prompt(TEXTS[2])]
    one, two, other = (model.sample(prompts, 3, Sampling(8), torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert torch.equal(one.tokens, two.tokens) and not torch.equal(one.tokens, other.tokens)


def test_rows_that_have_ended_make_no_difference_to_the_others(model, video):
    """Some groups end early and are dropped: what the others write, and with which probability, stays as it was."""
    prompts = [Prompt(text, video if number % 2 else None) for number, text in enumerate(TEXTS * 2)]
    whole = model.sample(prompts, 2, Sampling(24), torch.Generator().manual_seed(3))
    ended = model.sample(prompts, 2, Sampling(24, stop=("e",)), torch.Generator().manual_seed(3))
    lengths = ended.mask.sum(-1)
    assert len(set(lengths.flatten().tolist())) > 3 and int(lengths.amax(1).sort().values[2]) < int(lengths.max())
    width = ended.tokens.shape[-1]
    assert torch.equal(ended.tokens, whole.tokens[..., :width].masked_fill(~ended.mask, 0))
    torch.testing.assert_close(
        ended.log_probs, whole.log_probs[..., :width].masked_fill(~ended.mask, 0.0), atol=1e-5, rtol=0
    )


# --- choosing ---


def test_choosing_is_the_likelihood_of_each_reply(model, video):
    prompt = Prompt(TEXTS[0], video, reply="<answer>")
    scores = model.choose([prompt, Prompt(TEXTS[2])], [["A", "B", "no way"], ["yes"]])
    given = model.encode_reply([["<answer>A", "<answer>B", "<answer>no way"]])
    expected = model.log_probs([Prompt(TEXTS[0], video)], given).log_probs.sum(-1)
    torch.testing.assert_close(scores[0], expected[0].detach(), atol=1e-5, rtol=0)
    assert scores[1, 0] > -torch.inf and bool((scores[1, 1:] == -torch.inf).all())


# --- never blind ---


def test_other_pixels_give_other_log_probs(model, video):
    reply = model.encode_reply([["<answer>A</answer>"]])
    seen = model.log_probs([Prompt(TEXTS[0], video)], reply).log_probs
    shuffled = model.log_probs([Prompt(TEXTS[0], video.reordered(torch.tensor([3, 1, 0, 2])))], reply).log_probs
    blind = model.log_probs([Prompt(TEXTS[0])], reply).log_probs
    assert (seen - shuffled).abs().max() > 1e-4 and (seen - blind).abs().max() > 1e-4


def test_fewer_rows_than_placeholders_are_refused(model, video):
    reply = model.encode_reply([["<answer>A</answer>"]])
    broken = replace(video, values=video.values[:, :, 1:])
    with pytest.raises(TevoError, match="rows of video features"):
        model.log_probs([Prompt(TEXTS[0], broken)], reply)
