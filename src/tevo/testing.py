"""Does a backbone keep its promises? ``check_backbone(MyBackbone())`` says in plain words which one it breaks.

The same checks run in tevo's own tests on every registered backbone::

    from tevo.testing import check_backbone

    def test_my_backbone() -> None:
        check_backbone(MyBackbone())
"""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tevo.backbones.base import Backbone, TextEncoder, Tunable
from tevo.structures import VideoTokens

_TOLERANCE = 1e-3  # of unit-norm or layer-normed values; batched kernels may add in another order


@dataclass(frozen=True, slots=True)
class _Sample:
    """Two videos of coloured patches, at irregular times."""

    frames: UInt8[Tensor, "2 time 3 size size"]
    times_s: Float[Tensor, "2 time"]


def check_backbone(backbone: Backbone) -> None:
    """Run the whole contract of :class:`~tevo.backbones.base.Backbone` on a backbone.

    It is checked in eval mode and left as it was: whatever changes weights works on a copy. Takes some
    twenty forward passes over two clips and a bit.

    Args:
        backbone: any backbone, with or without text.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    modes = {module: module.training for module in backbone.modules()}
    try:
        backbone.eval()
        clip = backbone.spec.frames_per_clip
        for num_frames in sorted({1, 2, 3, clip, clip + 1}):
            _check_tokens(backbone, _sample(backbone, num_frames))
        sample = _sample(backbone, clip + 1)
        _check_pixels(backbone, sample)
        _check_times(backbone, sample)
        if not any(parameter.requires_grad for parameter in backbone.parameters()):
            _check_frozen(backbone, sample)
        if isinstance(backbone, TextEncoder):
            _check_text(backbone, backbone, sample)
        if isinstance(backbone, Tunable):
            _check_tower(backbone, backbone, sample)
        _check_weights(backbone, sample)
    finally:
        for module, mode in modes.items():
            module.training = mode


def _sample(backbone: Backbone, num_frames: int, extra_px: int = 0, seed: int = 0) -> _Sample:
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randint(0, 256, (2 * num_frames, 3, 4, 4), generator=generator)
    size = backbone.spec.image_size_px + extra_px
    frames = F.interpolate(patches.float(), (size, size)).to(torch.uint8).view(2, num_frames, 3, size, size)
    gaps = torch.rand(2, num_frames, generator=generator) + 0.1
    return _Sample(frames, 5.0 + gaps.cumsum(dim=1))


def _encode(backbone: Backbone, sample: _Sample) -> VideoTokens:
    return backbone.encode_video(sample.frames, sample.times_s)


def _check_tokens(backbone: Backbone, sample: _Sample) -> None:
    """Shapes, types, spans and mask, for any number of frames."""
    num_frames = sample.times_s.shape[1]
    tokens = _encode(backbone, sample)
    batch, num_tokens, dim = tokens.values.shape
    told = f"for 2 videos of {num_frames} frames"
    assert batch == 2 and num_tokens >= 1, (
        f"{told}: values have shape {tuple(tokens.values.shape)}, wanted [2, token, dim]"
    )
    assert dim == backbone.spec.dim, f"{told}: values have {dim} dimensions, spec.dim says {backbone.spec.dim}"
    assert tokens.spans.shape == (2, num_tokens, 2), (
        f"{told}: spans have shape {tuple(tokens.spans.shape)}, not [2, token, 2]"
    )
    assert tokens.mask.shape == (2, num_tokens), (
        f"{told}: the mask has shape {tuple(tokens.mask.shape)}, not [2, token]"
    )
    assert tokens.mask.dtype == torch.bool, f"{told}: the mask is {tokens.mask.dtype}, not bool"
    assert bool(tokens.mask.all()), f"{told}: a token is masked out though every frame was real"
    assert tokens.values.dtype == torch.float32, f"{told}: values are {tokens.values.dtype}, not float32"
    assert bool(tokens.values.isfinite().all()), f"{told}: values are not finite"
    starts, ends = tokens.spans.double().unbind(dim=-1)
    assert bool((ends >= starts).all()), f"{told}: a span ends before it starts"
    ascend = bool((starts.diff(dim=1) >= 0).all() and (ends.diff(dim=1) >= 0).all())
    assert ascend, f"{told}: tokens do not ascend in time"
    times = sample.times_s.double().unsqueeze(-1).to(starts.device)
    covered = ((starts[:, None] <= times + 1e-4) & (times - 1e-4 <= ends[:, None])).any(dim=-1)
    assert bool(covered.all()), (
        f"{told}: no token's span covers the frames at {sample.times_s[~covered.cpu()].tolist()} s"
    )


def _check_pixels(backbone: Backbone, sample: _Sample) -> None:
    """Values depend on the pixels, on nothing random, and not on the neighbours in the batch."""
    values = _encode(backbone, sample).values
    _same(values, _encode(backbone, sample).values, "encoding the same frames twice gave other values")
    _same(
        values[1:],
        backbone.encode_video(sample.frames[1:], sample.times_s[1:]).values,
        "a video's values depend on its batch",
    )
    num_frames = sample.times_s.shape[1]
    other = _sample(backbone, num_frames, seed=1)
    changed = (backbone.encode_video(other.frames, sample.times_s).values - values).abs().amax(dim=-1)
    assert bool((changed > 1e-5).all()), "a token's values stayed the same though its frames' pixels changed"
    end = torch.cat([sample.frames[:, :-1], other.frames[:, -1:]], dim=1)
    changed = (backbone.encode_video(end, sample.times_s).values - values).abs().amax(dim=-1)
    assert bool((changed[:, -1] > 1e-5).all()), "the last token stayed the same though the last frame's pixels changed"
    large = _encode(backbone, _sample(backbone, num_frames, extra_px=7)).values
    assert large.shape == values.shape, (
        f"frames of another size gave values of shape {tuple(large.shape)}, not {tuple(values.shape)}: resize them"
    )


def _check_times(backbone: Backbone, sample: _Sample) -> None:
    """Spans follow the frames' own times, not an assumed rate."""
    spans = _encode(backbone, sample).spans
    later = backbone.encode_video(sample.frames, sample.times_s + 100.0).spans
    _same(later - 100.0, spans, "frames 100 s later did not give spans 100 s later")
    slower = backbone.encode_video(sample.frames, sample.times_s * 3.0).spans
    stretched = (slower[:, -1, 1] - slower[:, 0, 0]) > 2.0 * (spans[:, -1, 1] - spans[:, 0, 0])
    assert bool(stretched.all()), "frames three times as far apart did not give spans that reach further"


def _check_frozen(backbone: Backbone, sample: _Sample) -> None:
    """No parameter takes a gradient: then the values take none, and training around them changes nothing."""
    tokens = _encode(backbone, sample)
    assert not tokens.values.requires_grad, "no parameter takes a gradient, yet the values ask for one"
    assert not tokens.values.is_inference(), "values are inference tensors, a head cannot train on them: use no_grad"
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    torch.nn.ModuleList([backbone]).train()
    in_training = _encode(backbone, sample).values
    backbone.eval()
    _same(in_training, tokens.values, "a frozen backbone gave other values when its parent was set to train()")
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name]), f"a frozen backbone changed {name} by encoding"


def _check_text(backbone: Backbone, encoder: TextEncoder, sample: _Sample) -> None:
    """Text has unit norm and lands where projected tokens land."""
    texts = ["a person opens a door", "a dog runs", "a person opens a door"]
    embeddings = encoder.encode_text(texts)
    assert embeddings.ndim == 2 and len(embeddings) == 3, f"3 texts gave embeddings of shape {tuple(embeddings.shape)}"
    assert embeddings.dtype == torch.float32, f"text embeddings are {embeddings.dtype}, not float32"
    _same(embeddings.norm(dim=-1), torch.ones(3), "text embeddings do not have unit norm")
    _same(embeddings[0], embeddings[2], "the same text gave two embeddings")
    assert not torch.allclose(embeddings[0], embeddings[1], atol=1e-5), "two different texts gave the same embedding"
    _same(encoder.encode_text(texts[1:2])[0], embeddings[1], "a text's embedding depends on its neighbours")
    values = _encode(backbone, sample).values
    projected = encoder.project(values)
    wanted = (*values.shape[:-1], embeddings.shape[1])
    assert projected.shape == wanted, f"project gave shape {tuple(projected.shape)}, text lives in {wanted}"
    _same(encoder.project(values[0, :1])[0], projected[0, 0], "project mixes tokens: it must act on each alone")
    if encoder.teacher is not None:
        _check_alignment(backbone, encoder.teacher, values, embeddings.shape[1])


def _check_alignment(backbone: Backbone, teacher: Backbone, values: Tensor, joint: int) -> None:
    """Phase 0 moves the projection, and only that."""
    assert isinstance(teacher, Backbone), f"the teacher is a {type(teacher).__name__}, not a Backbone"
    assert teacher.spec.dim == joint, f"the teacher's tokens have {teacher.spec.dim} dimensions, text has {joint}"
    fitted = copy.deepcopy(backbone)
    assert isinstance(fitted, TextEncoder)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(40, values.shape[-1], generator=generator).to(values)
    targets = torch.randn(40, joint, generator=generator).to(values)
    figures = fitted.fit_projection(rows, targets, torch.arange(40) // 20)
    numbers = all(isinstance(figure, float) for figure in figures.values())
    assert numbers, f"fit_projection must return numbers to log, got {figures}"
    assert isinstance(backbone, TextEncoder)
    moved = (fitted.project(rows) - backbone.project(rows)).abs().max() > 1e-4
    assert bool(moved), "fit_projection did not change project"
    assert fitted.spec.fingerprint == backbone.spec.fingerprint, "the projection must not enter the fingerprint"
    loaded = copy.deepcopy(backbone)
    loaded.load_state_dict(fitted.state_dict())
    assert isinstance(loaded, TextEncoder)
    _same(loaded.project(rows), fitted.project(rows), "state_dict does not carry the fitted projection")


def _check_tower(backbone: Backbone, tunable: Tunable, sample: _Sample) -> None:
    """The tower's parts are there, lie inside it, and take a gradient from the tokens."""
    parts = tunable.tower_parts()
    probe = copy.deepcopy(backbone).requires_grad_(True)
    values = _encode(probe, sample).values
    assert values.requires_grad, "no gradient reaches the tower's weights: encode_video must let them through"
    weight = torch.randn(values.shape[-1], generator=torch.Generator().manual_seed(0)).to(values)
    (values @ weight).square().sum().backward()  # type: ignore[no-untyped-call]
    learnt = [f"{name}." for name, parameter in probe.named_parameters() if parameter.grad is not None]
    for part in (parts.whole, *parts.blocks, *parts.head):
        inside = f"{part}.".startswith(f"{parts.whole}.")
        assert inside, f"tower_parts names {part!r}, which lies outside its whole, {parts.whole!r}"
        assert any(name.startswith(f"{part}.") for name in learnt), (
            f"tower_parts names {part!r}, where no parameter takes a gradient from the tokens"
        )


def _check_weights(backbone: Backbone, sample: _Sample) -> None:
    """The fingerprint follows the weights, and the state dict holds all of them."""
    fingerprint = backbone.spec.fingerprint
    assert fingerprint, "spec.fingerprint is empty: caches need a name for these weights"
    other = copy.deepcopy(backbone)
    assert other.spec.fingerprint == fingerprint, "a copy with the same weights has another fingerprint"
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    if not any(value.is_floating_point() for value in state.values()):
        return
    generator = torch.Generator().manual_seed(0)
    for name, value in state.items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator, dtype=torch.float32)
            state[name] = value + (0.1 * noise).to(value)  # upwards: a variance stays positive
    values = _encode(backbone, sample).values
    other.load_state_dict(state)
    if torch.allclose(_encode(other, sample).values, values, atol=1e-5):
        return  # none of the weights decides the tokens
    assert other.spec.fingerprint != fingerprint, (
        "spec.fingerprint stayed the same though other weights were loaded, so a cache would serve stale tokens; "
        "renew the spec in a load_state_dict post-hook (tevo.backbones.fingerprint.module_fingerprint helps)"
    )
    other.load_state_dict(backbone.state_dict())
    _same(_encode(other, sample).values, values, "loading the state dict back did not bring the values back")
    assert other.spec.fingerprint == fingerprint, "loading the state dict back did not bring the fingerprint back"


def _same(first: Tensor, second: Tensor, otherwise: str) -> None:
    distance = float((first.detach().cpu() - second.detach().cpu()).abs().max())
    assert distance <= _TOLERANCE, f"{otherwise} (they differ by up to {distance:.2g})"
