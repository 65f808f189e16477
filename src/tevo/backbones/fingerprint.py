"""A short name for "these weights, this preprocessing": the key that feature caches hang on."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor, nn

_SAMPLES = 256  # elements of every tensor that enter the hash by position


def module_fingerprint(module: nn.Module, *facts: object, exclude: Iterable[str] = ()) -> str:
    """Hash the architecture, the weights and whatever else decides the tokens.

    Of each tensor of the state dict: its name, type, shape, the exact integer sum of its bit patterns (any
    changed weight changes it, and unlike a float sum it does not depend on the number of threads) and a
    regular sample of its elements (a permutation changes it). About ten times faster than hashing all bytes.

    Args:
        module: the model; its state dict is read, on whatever device it is.
        facts: further things that decide the tokens (config, mean, std, ...); their ``repr`` is hashed.
        exclude: prefixes of state-dict names that do not decide the tokens.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256(repr(facts).encode())
    prefixes = tuple(exclude)
    for name, tensor in sorted(module.state_dict().items()):
        if name.startswith(prefixes) if prefixes else False:
            continue
        bits = _bits(tensor)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} {int(bits.sum(dtype=torch.int64))}".encode())
        sample = bits[:: max(1, bits.numel() // _SAMPLES)]
        digest.update(sample.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _bits(tensor: Tensor) -> Tensor:
    """The tensor's elements as integers of the same width, flat."""
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.dtype == torch.bool:
        return flat.to(torch.uint8)
    if not flat.dtype.is_floating_point:
        return flat
    return flat.view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[flat.element_size()])
