import torch
from torch import nn

from tevo.backbones.fingerprint import module_fingerprint


def _module() -> nn.Module:
    torch.manual_seed(0)
    module = nn.Linear(300, 20)
    module.register_buffer("steps", torch.tensor(3))
    module.register_buffer("scale", torch.ones(4, dtype=torch.float16))
    module.register_buffer("flags", torch.tensor([True, False]))
    return module


def test_the_same_weights_have_the_same_name_at_any_number_of_threads():
    threads = torch.get_num_threads()
    first = module_fingerprint(_module(), "config")
    try:
        torch.set_num_threads(threads + 1)
        assert module_fingerprint(_module(), "config") == first
    finally:
        torch.set_num_threads(threads)


def test_one_changed_weight_of_many_changes_it():
    module = _module()
    before = module_fingerprint(module)
    with torch.no_grad():
        module.weight[7, 111] += 1e-6
    assert module_fingerprint(module) != before


def test_two_exchanged_rows_change_it():
    module = _module()
    before = module_fingerprint(module)
    with torch.no_grad():
        module.weight.copy_(module.weight.flip(0))
    assert module_fingerprint(module) != before


def test_every_kind_of_buffer_counts():
    names = set()
    for name in ("steps", "scale", "flags"):
        module = _module()
        buffer = module.get_buffer(name)
        buffer.copy_(~buffer if buffer.dtype == torch.bool else buffer + 1)
        names.add(module_fingerprint(module))
    assert len(names | {module_fingerprint(_module())}) == 4


def test_facts_count_and_excluded_weights_do_not():
    module = _module()
    assert module_fingerprint(module, (0.5, 0.5)) != module_fingerprint(module, (0.5, 0.6))
    before = module_fingerprint(module, exclude=["bias"])
    with torch.no_grad():
        module.bias += 1
    assert module_fingerprint(module, exclude=["bias"]) == before
