"""Lets a torchvision without its compiled operators import beside a CPU torch.

PyPI's torchvision is built for the CUDA torch. Beside a CPU torch its extension does not load, and
``import torchvision`` then fails with ``operator torchvision::nms does not exist``, because it registers
shape rules for two operators that nobody declared. This hook declares the two just before those rules are
registered, and only where the extension did not load. Transforms, models and roi_align then work;
``torchvision.ops.nms`` still fails when called, with torch's own message.

``tools/setup_env.py`` puts this file beside a one-line ``.pth`` into the environment's site-packages
(so that spawned children have it too), and only where ``import torchvision`` fails without it.
"""

import sys

_TRIGGER = "torchvision._meta_registrations"  # imported right after torchvision tried to load its extension
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class _DeclareMissingOps:
    """A meta-path finder that finds nothing: it acts once, when torchvision gets to the trigger."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == _TRIGGER:
            sys.meta_path.remove(self)
            _declare()


def _declare() -> None:
    import torch
    from torchvision import extension

    if not extension._has_ops():
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            library.define(schema)
        torch._tevo_torchvision_library = library  # the declarations live as long as this object


sys.meta_path.insert(0, _DeclareMissingOps())
