import dataclasses

import pytest
import torch
from torch.nn import functional as F

from tevo.backbones.viclip import (
    VICLIP_B16,
    VICLIP_L14,
    Viclip,
    ViclipConfig,
    from_published,
    load_published,
    reader_mask,
)
from tevo.errors import TevoError

SMALL = ViclipConfig(
    embed_dim=12, image_size_px=32, patch_size_px=16, num_frames=4, frames_per_token=4, width=24, layers=2, heads=3,
    text_width=16, text_layers=1, text_heads=2, context_length=8, vocab_size=50,
)  # fmt: skip


def published_shapes(embed, size, patch, frames, width, layers, text_width, text_layers, context, vocab):
    """The keys of OpenGVLab's checkpoints and their shapes, as their code lays them out."""

    def blocks(prefix, dim, number):
        return {
            f"{prefix}.transformer.resblocks.{n}.{part}": shape
            for n in range(number)
            for part, shape in {
                "attn.in_proj_weight": (3 * dim, dim),
                "attn.in_proj_bias": (3 * dim,),
                "attn.out_proj.weight": (dim, dim),
                "attn.out_proj.bias": (dim,),
                "ln_1.weight": (dim,),
                "ln_1.bias": (dim,),
                "mlp.c_fc.weight": (4 * dim, dim),
                "mlp.c_fc.bias": (4 * dim,),
                "mlp.c_proj.weight": (dim, 4 * dim),
                "mlp.c_proj.bias": (dim,),
                "ln_2.weight": (dim,),
                "ln_2.bias": (dim,),
            }.items()
        }

    norms = {("vision_encoder", "ln_pre"): width, ("vision_encoder", "ln_post"): width}
    norms |= {("text_encoder", "ln_final"): text_width}
    return {
        "temp": (),
        "vision_encoder.class_embedding": (width,),
        "vision_encoder.positional_embedding": ((size // patch) ** 2 + 1, width),
        "vision_encoder.temporal_positional_embedding": (1, frames, width),
        "vision_encoder.proj": (width, embed),
        "vision_encoder.conv1.weight": (width, 3, 1, patch, patch),
        "text_encoder.positional_embedding": (context, text_width),
        "text_encoder.text_projection": (text_width, embed),
        "text_encoder.token_embedding.weight": (vocab, text_width),
        **{f"{tower}.{norm}.{part}": (dim,) for (tower, norm), dim in norms.items() for part in ("weight", "bias")},
        **blocks("vision_encoder", width, layers),
        **blocks("text_encoder", text_width, text_layers),
    }


B16 = published_shapes(512, 224, 16, 8, 768, 12, 512, 12, 32, 49408)
L14 = published_shapes(768, 224, 14, 8, 1024, 24, 768, 12, 32, 49408)
TINY = published_shapes(12, 32, 16, 4, 24, 2, 16, 1, 8, 50)


def checkpoint(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def block(state, prefix, query, keys, heads, allowed=None):
    """One published layer by hand: pre-norm attention and a QuickGELU MLP, each added to its input."""

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], state[f"{prefix}.{name}.weight"], state[f"{prefix}.{name}.bias"])

    dim = query.shape[-1]
    weight, bias = state[f"{prefix}.attn.in_proj_weight"], state[f"{prefix}.attn.in_proj_bias"]
    q = F.linear(norm(query, "ln_1"), weight[:dim], bias[:dim])
    k = F.linear(norm(keys, "ln_1"), weight[dim : 2 * dim], bias[dim : 2 * dim])
    v = F.linear(norm(keys, "ln_1"), weight[2 * dim :], bias[2 * dim :])
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(-2, -3) for part in (q, k, v))
    logits = q @ k.transpose(-1, -2) / (dim // heads) ** 0.5
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -torch.inf)
    mixed = (logits.softmax(-1) @ v).transpose(-2, -3).flatten(-2)
    query = query + F.linear(mixed, state[f"{prefix}.attn.out_proj.weight"], state[f"{prefix}.attn.out_proj.bias"])
    hidden = F.linear(norm(query, "ln_2"), state[f"{prefix}.mlp.c_fc.weight"], state[f"{prefix}.mlp.c_fc.bias"])
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    return query + F.linear(hidden, state[f"{prefix}.mlp.c_proj.weight"], state[f"{prefix}.mlp.c_proj.bias"])


def video_by_hand(state, clip, heads, layers, frames_per_token):
    """What each group of frames of one clip [time 3 height width] reads, group by group."""
    ours = {name.removeprefix("vision_encoder."): value for name, value in state.items()}

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], ours[f"{name}.weight"], ours[f"{name}.bias"])

    video = clip.transpose(0, 1)[None]  # as the published model has it: [1 3 time height width]
    patch = ours["conv1.weight"].shape[-1]
    grid = F.conv3d(video, ours["conv1.weight"], stride=(1, patch, patch))[0]
    patches = grid.flatten(2).permute(1, 2, 0) + ours["positional_embedding"][1:]
    patches = patches + ours["temporal_positional_embedding"][0, :, None]
    start = ours["class_embedding"] + ours["positional_embedding"][0]
    sequence = norm(torch.cat([start[None], patches.flatten(0, 1)]), "ln_pre")
    groups = torch.arange(len(clip)).repeat_interleave(patches.shape[1]) // frames_per_token
    readers = [norm(start[None], "ln_pre") for _ in range(len(clip) // frames_per_token)]
    for layer in range(layers):
        name = f"transformer.resblocks.{layer}"
        readers = [
            block(ours, name, reader, torch.cat([reader, sequence[1:][groups == group]]), heads)
            for group, reader in enumerate(readers)
        ]
        sequence = block(ours, name, sequence, sequence, heads)
    whole = norm(sequence[:1], "ln_post") @ ours["proj"]
    return torch.cat([norm(reader, "ln_post") @ ours["proj"] for reader in readers]), whole


def text_by_hand(state, pieces, heads):
    ours = {name.removeprefix("text_encoder."): value for name, value in state.items()}
    hidden = ours["token_embedding.weight"][pieces] + ours["positional_embedding"]
    causal = torch.ones(len(pieces), len(pieces), dtype=torch.bool).tril()
    hidden = block(ours, "transformer.resblocks.0", hidden, hidden, heads, causal)
    hidden = F.layer_norm(hidden, hidden.shape[-1:], ours["ln_final.weight"], ours["ln_final.bias"])
    return hidden[pieces.argmax()] @ ours["text_projection"]


def loaded(config, state):
    model = Viclip(config).eval()
    model.load_state_dict(from_published(state)[0])
    return model


@pytest.mark.parametrize(("config", "shapes"), [(VICLIP_B16, B16), (VICLIP_L14, L14)], ids=["B-16", "L-14"])
def test_every_key_of_the_published_layout_is_used_or_named(config, shapes):
    with torch.device("meta"):
        published = {name: torch.empty(shape) for name, shape in shapes.items()}
        wanted = Viclip(config).state_dict()
    ours, unused = from_published(published)
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in wanted.items()}
    assert len(ours) + len(unused) == len(shapes)
    assert unused == {"temp": "the temperature of the training loss"}


def test_one_reader_for_all_frames_is_the_published_embedding():
    state = checkpoint(TINY)
    clips = torch.randn(2, 4, 3, 32, 32)
    with torch.no_grad():
        read = loaded(SMALL, state).encode_clips(clips)
    for clip, row in zip(clips, read, strict=True):
        readers, whole = video_by_hand(state, clip, heads=3, layers=2, frames_per_token=4)
        torch.testing.assert_close(row, whole, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(readers, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frames_per_token", [1, 2])
def test_a_reader_reads_its_own_frames_out_of_the_published_layers(frames_per_token):
    state = checkpoint(TINY)
    model = loaded(dataclasses.replace(SMALL, frames_per_token=frames_per_token), state)
    clips = torch.randn(2, 4, 3, 32, 32)
    with torch.no_grad():
        read = model.encode_clips(clips)
    assert read.shape == (2, 4 // frames_per_token, 12)
    for clip, rows in zip(clips, read, strict=True):
        wanted, _ = video_by_hand(state, clip, heads=3, layers=2, frames_per_token=frames_per_token)
        torch.testing.assert_close(rows, wanted, atol=1e-4, rtol=1e-4)


def test_a_frame_is_read_in_the_light_of_its_clip():
    model = loaded(dataclasses.replace(SMALL, frames_per_token=1), checkpoint(TINY))
    clip = torch.randn(1, 4, 3, 32, 32)
    other = torch.cat([torch.randn(1, 1, 3, 32, 32), clip[:, 1:]], dim=1)
    with torch.no_grad():
        moved = (model.encode_clips(clip) - model.encode_clips(other)).norm(dim=-1)[0]
    assert moved[0] > 2 * moved[1:].max() > 0


def test_text_is_read_as_published():
    state = checkpoint(TINY)
    pieces = torch.tensor([[48, 5, 7, 49, 0, 0, 0, 0], [48, 9, 49, 0, 0, 0, 0, 0]])
    with torch.no_grad():
        read = loaded(SMALL, state).encode_text(pieces)
    wanted = torch.stack([text_by_hand(state, row, heads=2) for row in pieces])
    torch.testing.assert_close(read, wanted, atol=1e-4, rtol=1e-4)


def test_nobody_looks_at_a_reader_and_a_reader_at_its_own_alone():
    may_look = reader_mask(num_readers=2, patches_per_reader=3) == 0
    assert may_look.shape == (9, 9)
    readers, others = may_look[:2], may_look[2:]
    assert readers.int().tolist() == [[1, 0, 0, 1, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 1, 1, 1]]
    assert not others[:, :2].any() and others[:, 2:].all()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_published_file_is_read_in_both_forms(suffix, tmp_path):
    state, path = checkpoint(TINY), tmp_path / f"viclip{suffix}"
    if suffix == ".pth":
        torch.save({"model": state}, path)
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    model = Viclip(SMALL)
    assert load_published(model, path).keys() == {"temp"}
    assert torch.equal(model.visual.proj, state["vision_encoder.proj"])
    assert torch.equal(model.visual.conv1.weight, state["vision_encoder.conv1.weight"][:, :, 0])


def test_other_checkpoints_are_refused_by_name():
    state = checkpoint(TINY)
    with pytest.raises(TevoError, match=r"'itm_head\.weight' is no key of a ViCLIP checkpoint"):
        from_published(state | {"itm_head.weight": torch.zeros(2)})
    with pytest.raises(TevoError, match="over 2 frames"):
        from_published(state | {"vision_encoder.conv1.weight": torch.zeros(24, 3, 2, 16, 16)})


def test_missing_keys_and_other_sizes_are_refused(tmp_path):
    state = checkpoint(TINY)
    missing = {name: value for name, value in state.items() if name != "text_encoder.text_projection"}
    torch.save({"model": missing}, tmp_path / "missing.pth")
    with pytest.raises(TevoError, match=r"(?s)other sizes.*text\.text_projection"):
        load_published(Viclip(SMALL), tmp_path / "missing.pth")
    torch.save(state, tmp_path / "small.pth")
    with pytest.raises(TevoError, match=r"(?s)other sizes.*visual\.proj"):
        load_published(Viclip(dataclasses.replace(SMALL, embed_dim=10)), tmp_path / "small.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_without_weights_is_named(suffix, tmp_path):
    path = tmp_path / f"page{suffix}"
    path.write_text("<html>not found</html>")
    with pytest.raises(OSError, match="holds no weights"):
        load_published(Viclip(SMALL), path)


def test_sizes_that_do_not_fit_together_are_refused():
    for wrong in ({"patch_size_px": 15}, {"frames_per_token": 3}):
        with pytest.raises(TevoError, match="divisible"):
            dataclasses.replace(SMALL, **wrong)
