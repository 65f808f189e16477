import torch

from tevo.backbones.clips import pool_regions


def test_a_region_is_the_mean_of_its_own_patches_row_by_row():
    patches = torch.arange(16.0).view(1, 1, 16, 1) + torch.tensor([0.0, 100.0]).view(1, 2, 1, 1)  # two tubelets
    pooled = pool_regions(patches.flatten(1, 2), side=4, grid=2)
    assert pooled.tolist() == [[[2.5, 4.5, 10.5, 12.5], [102.5, 104.5, 110.5, 112.5]]]


def test_regions_of_a_side_that_the_grid_does_not_divide_share_patches():
    pooled = pool_regions(torch.arange(9.0).view(1, 9, 1), side=3, grid=2)
    assert pooled.tolist() == [[[2.0, 3.0, 5.0, 6.0]]]  # of rows and columns 0-1 and 1-2
