"""``python killer.py WHERE NTH WORDS...`` is ``tevo WORDS...``, until SIGKILL at the NTH call of a function.

WHERE is ``module:function`` or ``module:Class.method``; with ``checkpoint`` the NTH checkpoint is first half written.
"""

import os
import signal
import sys
from functools import wraps
from importlib import import_module
from pathlib import Path

from tevo.cli import main


def kill_at(owner, name, nth, first=lambda *args: None):
    """Replace a function by one that counts its calls and dies at one of them, after doing something first."""
    original, calls = getattr(owner, name), []

    @wraps(original)
    def counted(*args, **kwargs):
        calls.append(None)
        if len(calls) == nth:
            first(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def write_half(checkpoint, path):
    import torch

    torch.save(checkpoint, path)
    os.truncate(path, Path(path).stat().st_size // 2)


if __name__ == "__main__":
    where, nth = sys.argv[1], int(sys.argv[2])
    if where == "checkpoint":
        kill_at(import_module("lightning.fabric.plugins.io.torch_io"), "_atomic_save", nth, write_half)
    else:
        module, _, path = where.partition(":")
        *owners, name = path.split(".")
        owner = import_module(module)
        for part in owners:
            owner = getattr(owner, part)
        kill_at(owner, name, nth)
    main(sys.argv[3:])
