import torch

from tevo.backbones.alignment import fit_ridge, mean_cosine


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
