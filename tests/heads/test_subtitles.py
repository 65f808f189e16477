import pytest
import torch

from tevo.backbones.base import TextEncoder
from tevo.heads.subtitles import TextTokens, fuse, text_tokens
from tevo.structures import Span, TimedText


class Letters(TextEncoder):
    """Text as the counts of its letters, so that equal words are equal and others are not."""

    def encode_text(self, texts):
        rows = [[text.count(letter) + 0.5 for letter in "abcdefg"] for text in texts]
        return torch.nn.functional.normalize(torch.tensor(rows), dim=-1)


SPANS = torch.tensor([[[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]])
USUAL = Letters().encode_text(["abcdefg"])[0]


def cue(start, end, text):
    return TimedText(Span(start, end), text)


def tokens(*cues):
    return text_tokens(cues, Letters(), USUAL)


def test_a_token_a_cue_of_unit_length_with_its_seconds():
    made = tokens(cue(1.0, 2.0, "aa"), cue(2.0, 3.5, "bb"), cue(3.0, 4.0, "aa"))
    assert made.spans.tolist() == [[1.0, 2.0], [2.0, 3.5], [3.0, 4.0]]
    assert torch.allclose(made.values.norm(dim=-1), torch.ones(3))
    assert torch.equal(made.values[0], made.values[2])
    assert float(made.values[0] @ made.values[1]) < 0  # what they share is taken off


def test_only_what_is_spoken_over_changes():
    joint = torch.nn.functional.normalize(torch.rand(1, 4, 7), dim=-1)
    fused = fuse(joint, SPANS, [tokens(cue(1.0, 2.0, "aa"))])
    changed = (fused != joint).any(-1)[0].tolist()
    assert changed == [False, True, False, False]
    assert float(fused[0, 1] @ Letters().encode_text(["aa"])[0]) > float(joint[0, 1] @ Letters().encode_text(["aa"])[0])


def test_a_cue_counts_by_the_time_it_shares():
    joint = torch.ones(1, 4, 7) / 7**0.5
    half = fuse(joint, SPANS, [tokens(cue(1.5, 2.0, "aa"))]) - joint
    whole = fuse(joint, SPANS, [tokens(cue(1.0, 2.0, "aa"))]) - joint
    assert torch.allclose(2 * half, whole, atol=1e-6)
    both = fuse(joint, SPANS, [tokens(cue(1.0, 2.0, "aa"), cue(1.0, 2.0, "bb"))]) - joint
    other = fuse(joint, SPANS, [tokens(cue(1.0, 2.0, "bb"))]) - joint
    assert torch.allclose(both, (whole + other) / 2, atol=1e-6)


def test_rows_do_not_mix_and_a_row_without_is_as_it_was():
    joint = torch.rand(2, 4, 7)
    fused = fuse(joint, SPANS.expand(2, -1, -1), [None, tokens(cue(0.0, 4.0, "g"))])
    assert torch.equal(fused[0], joint[0]) and not torch.equal(fused[1], joint[1])


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_longer_video_tokens_take_up_as_much(scale):
    """What is added is in proportion: an encoder whose tokens are not of unit length is served alike."""
    joint = torch.rand(1, 4, 7)
    texts = [TextTokens(torch.eye(7)[:1], torch.tensor([[0.0, 4.0]]))]
    assert torch.allclose(fuse(scale * joint, SPANS, texts), scale * fuse(joint, SPANS, texts), atol=1e-5)
