import pytest
import torch

from tevo.backbones.alignment import change_explained, fit_ridge, mean_cosine, stress_change, video_means


def _pairs(rows: int = 400) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(rows, 12, generator=generator) + 3.0
    weight = torch.randn(12, 5, generator=generator)
    return values, values @ weight - 1.5, weight


def test_recovers_a_linear_map_with_its_offset():
    values, targets, weight = _pairs()
    center, fitted, bias = fit_ridge(values, targets, ridge=1e-9)
    torch.testing.assert_close(fitted.float(), weight, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(((values - center) @ fitted + bias).float(), targets, atol=1e-3, rtol=1e-3)


def test_the_penalty_does_not_depend_on_the_scale_of_the_inputs():
    values, targets, _ = _pairs()
    center, weight, bias = fit_ridge(values, targets, ridge=0.5)
    large_center, large_weight, large_bias = fit_ridge(values * 100, targets, ridge=0.5)
    torch.testing.assert_close(
        (values * 100 - large_center) @ large_weight + large_bias,
        (values - center) @ weight + bias,
        atol=1e-4,
        rtol=0,
    )


def test_a_stronger_penalty_shrinks_the_map():
    values, targets, _ = _pairs()
    norms = [float(fit_ridge(values, targets, ridge)[1].norm()) for ridge in (0.0, 0.1, 10.0)]
    assert norms[0] > norms[1] > norms[2]


def test_fewer_rows_than_dimensions_still_has_a_solution():
    values, targets, _ = _pairs(rows=6)
    assert all(bool(part.isfinite().all()) for part in fit_ridge(values, targets, ridge=1e-2))


def test_mean_cosine_is_the_mean_over_paired_rows():
    first = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    second = torch.tensor([[3.0, 0.0], [1.0, 0.0]])
    assert mean_cosine(first, second) == 0.5


def test_each_row_gets_the_mean_of_its_video():
    rows = torch.tensor([[0.0], [2.0], [10.0], [4.0]])
    assert video_means(rows, torch.tensor([7, 7, 3, 7]))[:, 0].tolist() == [2.0, 2.0, 10.0, 2.0]


def test_stressing_change_draws_videos_together_and_leaves_what_happens_in_them():
    values, videos = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)), torch.arange(30) // 10
    stressed = stress_change(values, videos, 0.3)
    torch.testing.assert_close(stressed - video_means(stressed, videos), values - video_means(values, videos))
    middle = values.mean(0)
    torch.testing.assert_close(video_means(stressed, videos) - middle, 0.3 * (video_means(values, videos) - middle))
    torch.testing.assert_close(stress_change(values, videos, 1.0), values)


def test_a_map_too_small_for_both_follows_the_change():
    generator = torch.Generator().manual_seed(0)
    videos = torch.arange(400) // 20
    scene = 10 * torch.randn(20, 1, generator=generator)[videos]  # large, and the same through a video
    event = torch.randn(400, 1, generator=generator)
    values, targets = scene + event, torch.cat([-scene, event], -1)  # one number in, two that want it differently

    def explained(still: float) -> float:
        center, weight, bias = fit_ridge(
            stress_change(values, videos, still), stress_change(targets, videos, still), 0.0
        )
        return change_explained((values - center) @ weight + bias, targets, videos)

    assert explained(1.0) < 0 < 0.99 < explained(0.0)


def test_following_all_change_is_one_and_none_is_zero():
    targets, videos = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40) // 10
    whole = change_explained(targets + videos[:, None], targets, videos)  # offsets of whole videos are no change
    assert whole == pytest.approx(1.0)
    assert change_explained(torch.zeros(40, 3), targets, videos) == pytest.approx(0.0)
