import pytest
import torch

from tevo.tasks.language.judge import LanguageJudge
from tevo.tasks.words import Words

RIGHT, WRONG = "<answer>B</answer><glue>[(4.0, 8.0)]</glue>", "<answer>A</answer><glue>[(15.0, 19.0)]</glue>"


@pytest.fixture
def judge(model):
    return LanguageJudge(model, None, Words(max_new_tokens=40), num_votes=5)


def sees(prompt, second):
    """Whether the model is shown what was seen at a second, in its place."""
    return prompt.video is not None and any(first <= second <= last for first, last in prompt.video.times_s.tolist())


def test_scores_tell_what_the_answer_rests_on(judge, video, choice, when, written):
    """A model that is right exactly when it sees second 106, but for one reply of five."""
    written(lambda prompt, member: _reply(prompt, RIGHT if sees(prompt, 106) and member != 2 else WRONG))
    seen = judge.examine([choice, when], [video, video], torch.Generator().manual_seed(0))
    assert seen.consensus.answer.tolist() == [1, -1] and seen.consensus.agreement.tolist() == pytest.approx([0.8, 0.8])
    assert seen.consensus.spans[:, 0].tolist() == [[104.0, 108.0]] * 2
    assert seen.with_video.tolist() == pytest.approx([0.8, 0.8])
    assert seen.key.tolist() == [0.75, 0.75] and seen.shuffled.tolist() == [0.75, 0.75]  # of four replies
    assert seen.without_video.tolist() == seen.masked.tolist() == seen.random.tolist() == [0.0, 0.0]
    assert seen.signals()["dependency"].tolist() == pytest.approx([0.8, 0.8])


def _reply(prompt, text):
    return text if "A)" in prompt.text else text[text.index("<glue>") :]


def test_dear_controls_are_left_out_on_demand(judge, video, choice, written):
    written(lambda prompt, member: RIGHT)
    seen = judge.examine([choice], [video], torch.Generator(), controls=False)
    assert seen.masked.isnan().all() and seen.shuffled.isnan().all()
    assert seen.without_video.tolist() == [1.0]  # a question that needs no video


def test_a_real_model_is_examined(judge, video, choice, when):
    seen = judge.examine([choice, when], [video, video], torch.Generator().manual_seed(0))
    assert seen.votes.shape == (2, 5) and bool(seen.consensus.none.all())  # random weights do not parse
    assert all(values.shape == (2,) for values in seen.signals().values())


def test_a_vote_ends_when_it_cannot_change(judge, video, choice, when, written):
    drawn = []

    def write(prompt, member):
        drawn.append(prompt.text)
        return _reply(prompt, RIGHT)

    written(write)
    replies = judge.vote([choice, when], [video, video], torch.Generator())
    assert sum("A)" in text for text in drawn) == 3  # of 5: the other two could not have changed it
    assert len(drawn) == 8  # where the answer is a span, all are asked for
    assert [len(row) for row in replies.readings] == [5, 5]
    assert replies.index([choice, when], ["", ""])[0].tolist() == [[1] * 5, [-1] * 5]


def test_a_close_vote_is_drawn_to_its_end(judge, video, choice, written):
    drawn = []
    written(lambda prompt, member: drawn.append(member) or (WRONG if member == 1 else RIGHT))
    seen = judge.examine([choice], [video], torch.Generator(), controls=False)
    assert drawn[:5] == [0, 1, 2, 0, 1] and seen.consensus.agreement.tolist() == pytest.approx([0.6])
    assert seen.texts[0].count(WRONG) == 2
