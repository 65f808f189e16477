"""Questions as tensors."""

import pytest
import torch

from tevo.backbones.base import TextEncoder
from tevo.heads.queries import encode_queries, pad_spans
from tevo.prompts.grammar import KINDS
from tevo.structures import Question, Span


class Letters(TextEncoder):
    """Counts of a few letters, made unit-norm; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def encode_text(self, texts):
        self.asked.append(list(texts))
        counts = torch.tensor([[text.count(letter) + 0.1 for letter in "aeinrt"] for text in texts])
        return torch.nn.functional.normalize(counts, dim=-1)


def question(text, options=()):
    return Question(id="q", video="v.mp4", text=text, kind="", options=options)


MIXED = (
    question("What happens right after this: the red shape grows?", ("the ant", "a rat", "the rain", "it is")),
    question("When does this happen: the red shape grows?"),
    question("What happens between 2.5 s and 7 s?", ("a rat", "an ear")),
    question("Is there a rat?"),
    question("How often does this happen: the ant blinks?", ("once", "twice")),
)


def test_questions_are_taken_apart():
    encoder = Letters()
    queries = encode_queries(MIXED, torch.tensor([0, 0, 1, 1, 2]), encoder)
    embed = encoder.encode_text
    assert [KINDS[kind] for kind in queries.kind.tolist()] == ["after", "when", "what", "open", "count"]
    assert torch.equal(queries.phrase[0], embed(["the red shape grows"])[0])
    assert torch.equal(queries.phrase[1], queries.phrase[0])
    assert not queries.phrase[2].any()
    assert torch.equal(queries.phrase[3], embed(["Is there a rat?"])[0])
    assert queries.within[2].tolist() == [2.5, 7.0]
    assert queries.within[0].isinf().all()
    assert queries.option_mask.tolist() == [
        [True] * 4,
        [False] * 4,
        [True, True, False, False],
        [False] * 4,
        [True, True, False, False],
    ]
    assert torch.equal(queries.options[2, :2], embed(["a rat", "an ear"]))
    assert queries.max_spans.tolist() == [1, 1, 1, 4, 4]
    assert queries.is_when.tolist() == [False, True, False, False, False]
    assert len(queries) == 5


def test_each_distinct_text_is_embedded_once():
    encoder = Letters()
    encode_queries(MIXED, torch.zeros(5, dtype=torch.long), encoder)
    (asked,) = encoder.asked
    assert len(asked) == len(set(asked))
    assert asked.count("a rat") == 1


def test_a_question_is_the_same_in_any_company():
    rows = torch.tensor([0, 0, 1, 1, 2])
    together = encode_queries(MIXED, rows, Letters())
    for index, one in enumerate(MIXED):
        alone = encode_queries([one], rows[index : index + 1], Letters())
        width = alone.option_mask.shape[1]
        taken = together.take(torch.tensor([index]))
        assert torch.equal(alone.phrase, taken.phrase)
        assert torch.equal(alone.options, taken.options[:, :width])
        assert torch.equal(alone.option_mask, taken.option_mask[:, :width])
        assert not taken.option_mask[:, width:].any()
        assert torch.equal(alone.kind, taken.kind)


def test_no_questions_are_no_trouble():
    queries = encode_queries([], torch.zeros(0, dtype=torch.long), Letters())
    assert len(queries) == 0
    assert queries.options.shape == (0, 1, 6)


def test_pad_spans_keeps_every_span_in_place():
    padded, mask = pad_spans([(Span(1.0, 2.0), Span(4.0, 5.5)), (), (Span(3.0, 3.5),)])
    assert mask.tolist() == [[True, True], [False, False], [True, False]]
    assert padded.tolist() == [[[1.0, 2.0], [4.0, 5.5]], [[0.0, 0.0]] * 2, [[3.0, 3.5], [0.0, 0.0]]]
    padded, mask = pad_spans([])
    assert padded.shape == (0, 1, 2)
    assert not mask.any()


@pytest.mark.parametrize("kind", ["count", "open"])
def test_only_what_may_repeat_has_several_spans(kind):
    text = {"count": "How often does this happen: x?", "open": "Which animals appear"}[kind]
    assert encode_queries([question(text)], torch.zeros(1, dtype=torch.long), Letters()).max_spans.item() > 1
