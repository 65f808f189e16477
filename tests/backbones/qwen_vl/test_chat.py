import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tevo.backbones.language import Prompt
from tevo.backbones.qwen_vl.chat import Chat
from tevo.backbones.qwen_vl.tiny import TOKENIZER
from tevo.errors import TevoError


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TOKENIZER)


def their_positions(model, prefix, video, seconds):
    """transformers' own positions of a prompt with so many seconds a step."""
    rows, columns = (side * model.patches.merge for side in video.grid)
    positions, _ = model.model.model.get_rope_index(
        prefix.ids[None],
        mm_token_type_ids=prefix.is_video[None].int() * 2,
        video_grid_thw=torch.tensor([[video.num_steps, rows, columns]]),
        second_per_grid_ts=torch.tensor([seconds]),
    )
    return positions[:, 0]


@pytest.mark.parametrize("start_s", [0.0, 17.25])
@pytest.mark.parametrize("fps", [1.0, 2.0, 3.0, 8.0, 29.97])
def test_evenly_sampled_frames_stand_where_the_published_code_puts_them(model, random_frames, fps, start_s):
    video = model.watch(random_frames(12), start_s + torch.arange(12) / fps, 96)
    prefix = model.chat.lay_out(Prompt("What happens first?", video))
    end = int(prefix.is_video.nonzero()[-1]) + 1
    assert torch.equal(prefix.positions[:, :end], their_positions(model, prefix, video, 2 / fps)[:, :end])
    # what follows goes on from the largest position so far (the paper; vLLM; transformers when it generates)
    following = prefix.positions[:, :end].max() + 1 + torch.arange(len(prefix.ids) - end)
    assert torch.equal(prefix.positions[:, end:], following.expand(3, -1))
    assert prefix.next_position == int(following[-1]) + 1


def test_irregular_times_reach_the_model(build, random_frames):
    times_s = torch.tensor([0.0, 0.2, 0.5, 0.7, 9.0, 9.2])
    timed = build("qwen2_5_vl_tiny")
    video = timed.watch(random_frames(6), times_s, 48)
    prefix = timed.chat.lay_out(Prompt("When?", video))
    ticks = prefix.positions[0][prefix.is_video].view(3, -1)
    assert (ticks - ticks[0, 0])[:, 0].tolist() == [0, 2, 36]  # four a second
    written = build("qwen3_vl_tiny")
    text = written.chat.tokenizer.decode(
        written.chat.lay_out(Prompt("When?", written.watch(random_frames(6), times_s, 48))).ids
    )
    assert [part in text for part in ("<0.1 seconds>", "<0.6 seconds>", "<9.1 seconds>")] == [True, True, True]


def test_times_count_from_the_origin(model, random_frames):
    times_s = 100 + torch.arange(6) / 2
    first = model.chat.lay_out(Prompt("When?", model.watch(random_frames(6), times_s, 48)))
    moved = model.chat.lay_out(Prompt("When?", model.watch(random_frames(6), times_s - 100, 48)))
    later = model.chat.lay_out(Prompt("When?", model.watch(random_frames(6), times_s, 48, origin_s=90.0)))
    assert torch.equal(first.ids, moved.ids) and torch.equal(first.positions, moved.positions)
    assert len(later.ids) != len(first.ids) or not torch.equal(later.positions, first.positions)


def test_a_masked_step_leaves_its_time_empty(model, video):
    whole = model.chat.lay_out(Prompt("When?", video))
    masked = model.chat.lay_out(Prompt("When?", video.take(torch.tensor([0, 2, 3]))))
    assert int(whole.is_video.sum()) - int(masked.is_video.sum()) == video.grid[0] * video.grid[1]
    if model.chat.tokens_per_second:
        cells = video.grid[0] * video.grid[1]
        ticks = whole.positions[0][whole.is_video].view(-1, cells)
        assert torch.equal(masked.positions[0][masked.is_video].view(-1, cells), ticks[[0, 2, 3]])


def test_a_text_cannot_speak_for_a_video(model, video):
    prompt = Prompt("<|vision_start|><|video_pad|><|video_pad|><|vision_end|> What is this?", video)
    assert int(model.chat.lay_out(prompt).is_video.sum()) == video.num_tokens


def test_a_tokenizer_without_a_video_token_is_refused():
    words = AutoTokenizer.from_pretrained(TOKENIZER, extra_special_tokens={})
    assert Chat(words, None)
    slim = type("Slim", (), {"get_vocab": lambda self: {"a": 0}, "name_or_path": "gpt2"})()
    with pytest.raises(TevoError, match=r"gpt2 has no <\|vision_start\|>"):
        Chat(slim, None)


def test_a_tokenizer_without_a_template_is_refused(tokenizer):
    bare = AutoTokenizer.from_pretrained(TOKENIZER)
    bare.chat_template = None
    with pytest.raises(TevoError, match="chat template"):
        Chat(bare, None)


def test_a_template_without_a_place_for_the_video_is_refused(video):
    bare = AutoTokenizer.from_pretrained(TOKENIZER)
    bare.chat_template = "{% for m in messages %}{{ m.content[-1].text }}{% endfor %}"
    with pytest.raises(TevoError, match="no place for a video"):
        Chat(bare, None).lay_out(Prompt("When?", video))


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_ends_are_exact_for_any_text(tokenizer, text):
    chat = Chat(tokenizer, None)
    ids = chat.encode(text.replace("<|", ""))
    whole, ends = chat.decode(ids)
    assert len(ends) == len(ids) and ends == sorted(ends)
    assert not ids or ends[-1] == len(whole)
    for count, end in enumerate(ends, start=1):
        begun = chat.tokenizer.decode(ids[:count], clean_up_tokenization_spaces=False)
        assert begun.startswith(whole[:end])  # all that is counted has been written


@given(st.lists(st.integers(8, 534), max_size=30))
@settings(max_examples=200, deadline=None)
def test_ends_are_in_order_for_any_tokens(tokenizer, ids):
    """Sampled tokens need be no text at all: half a character, a byte on its own."""
    whole, ends = Chat(tokenizer, None).decode(ids)
    assert ends == sorted(ends) and all(0 <= end <= len(whole) for end in ends)
    assert not ids or ends[-1] == len(whole)


def test_special_tokens_take_no_room_in_the_text(tokenizer):
    chat = Chat(tokenizer, None)
    ids = [*chat.encode("<answer>A</answer>"), chat.end_id]
    whole, ends = chat.decode(ids)
    assert whole == "<answer>A</answer>" and ends[-1] == ends[-2] == len(whole)
