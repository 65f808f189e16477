"""Phase 0: what the backbone is taught by its paired tower, and what of it must be kept."""

import pytest
import torch

from tevo.structures import VideoTokens
from tevo.tasks.alignment import average_over, changed, fit_alignment


def tokens(values, spans, mask=None):
    values, spans = torch.tensor(values)[None], torch.tensor(spans)[None]
    return VideoTokens(values, spans, torch.ones(values.shape[:2], dtype=torch.bool) if mask is None else mask)


TEACHER = tokens([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])


def test_a_token_learns_the_mean_of_what_the_teacher_saw_in_its_time():
    spans = torch.tensor([[[0.0, 2.0], [1.9, 3.2], [6.0, 7.0]]])
    mean, found = average_over(TEACHER, spans, torch.ones(1, 3, dtype=torch.bool))
    assert found.tolist() == [[True, True, False]]  # the teacher saw nothing at 6 s
    half = 0.5**0.5
    torch.testing.assert_close(mean, torch.tensor([[half, half], [-1.0, 0.0]]))


def test_padding_teaches_and_learns_nothing():
    spans = torch.tensor([[[0.0, 2.0], [0.0, 1.0]]])
    mean, found = average_over(
        VideoTokens(TEACHER.values, TEACHER.spans, torch.tensor([[True, False, True, True]])),
        spans,
        torch.tensor([[True, False]]),
    )
    assert found.tolist() == [[True, False]]
    torch.testing.assert_close(mean, torch.tensor([[1.0, 0.0]]))


def test_the_projection_is_fitted_on_all_pairs_at_once(scene, concepts):
    videos = scene([(0, 4, 7)], [(1, 10, 14)])
    seen = []

    class Learner(type(concepts)):
        def fit_projection(self, values, targets, videos):
            seen.append((values, targets, videos))
            return {"r2": 0.5}

    figures = fit_alignment(Learner(), [(videos, videos.tokens), (videos, videos.tokens)])
    assert figures == {"r2": 0.5}
    ((values, targets, numbers),) = seen
    assert values.shape == targets.shape == (4 * 32, concepts.spec.dim)
    torch.testing.assert_close(values, targets)  # the teacher saw the very same
    assert numbers.tolist() == [video for video in range(4) for _ in range(32)]


def test_what_was_written_is_named():
    before = {"center": torch.zeros(2), "tower": torch.ones(2)}
    assert changed(before, {"center": torch.ones(2), "tower": torch.ones(2)}) == {"center"}


@pytest.mark.slow
def test_videomae_learns_where_its_tokens_lie_in_the_words_space(data, world):
    from tevo.backbones import build_backbone

    backbone = build_backbone("videomae_tiny", pretrained=None).eval()
    one = data(annotated=False)
    one.prepare_data()
    one.setup("fit")
    one.attach(backbone)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    fit_alignment(backbone, one.teacher_pairs(backbone.teacher))
    written = changed(before, backbone.state_dict())
    assert written and not any(name.startswith(("model", "teacher", "tower")) for name in written)
    close = []
    for videos, teacher in one.teacher_pairs(backbone.teacher):
        goal, found = average_over(teacher, videos.tokens.spans, videos.tokens.mask)
        close.append(torch.nn.functional.cosine_similarity(backbone.project(videos.tokens.values[found]), goal, dim=-1))
    assert float(torch.cat(close).mean()) > 0.9
