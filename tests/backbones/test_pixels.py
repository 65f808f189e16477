import torch

from tevo.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD, normalise_frames, rgb


def test_normalises_each_channel_with_its_own_mean_and_std():
    frames = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    frames[:, 0] = 255
    pixels = normalise_frames(frames, 4, IMAGENET_MEAN, IMAGENET_STD)
    wanted = [(value - mean) / std for value, mean, std in zip((1, 0, 0), IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    torch.testing.assert_close(pixels[0, :, 2, 2], torch.tensor(wanted))


def test_a_frame_of_the_right_size_keeps_its_pixels():
    frames = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    pixels = normalise_frames(frames, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    torch.testing.assert_close((pixels * 255).round(), frames.float())


def test_resizing_is_antialiased_and_stays_within_the_range_of_pixels():
    frames = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    frames[..., ::2] = 255  # one-pixel stripes: without antialiasing they alias to black or white
    small = normalise_frames(frames, 16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear")
    assert small.shape == (1, 3, 16, 16)
    assert bool((small[..., 2:-2].sub(0.5).abs() < 0.05).all())
    edge = torch.zeros(1, 3, 64, 48, dtype=torch.uint8)
    edge[..., 24:] = 255
    large = normalise_frames(edge, 128, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bicubic")
    assert float(large.min()) >= 0.0 and float(large.max()) <= 1.0


def test_rgb_takes_any_three_numbers():
    assert rgb([0, 1, 0.5]) == (0.0, 1.0, 0.5)
