import pytest
import torch

from tevo.backbones.language import Sampling
from tevo.prompts.templates import load_templates
from tevo.tasks.language.judge import LanguageJudge

RIGHT, WRONG = "<answer>B</answer><glue>[(4.0, 8.0)]</glue>", "<answer>A</answer><glue>[(15.0, 19.0)]</glue>"


@pytest.fixture
def judge(model):
    return LanguageJudge(model, None, load_templates("tiny"), Sampling(40), num_votes=5, control_votes=4)


def sees(prompt, second):
    """Whether the model is shown what was seen at a second, in its place."""
    return prompt.video is not None and any(first <= second <= last for first, last in prompt.video.times_s.tolist())


def test_scores_tell_what_the_answer_rests_on(judge, video, choice, when, written):
    """A model that is right exactly when it sees second 106."""
    written(lambda prompt, member: _reply(prompt, RIGHT if sees(prompt, 106) and member != 4 else WRONG))
    seen = judge.examine([choice, when], [video, video], torch.Generator().manual_seed(0))
    assert seen.consensus.answer.tolist() == [1, -1] and seen.consensus.agreement.tolist() == pytest.approx([0.8, 0.8])
    assert seen.consensus.spans[:, 0].tolist() == [[104.0, 108.0]] * 2
    assert seen.with_video.tolist() == pytest.approx([0.8, 0.8])
    assert seen.key.tolist() == [1.0, 1.0] and seen.shuffled.tolist() == [1.0, 1.0]
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
