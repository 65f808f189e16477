"""Is what ``tevo plan`` says within 30 % of what then happens?

    tevo world runs/world-small --size small
    python benchmarks/plan.py --config conf/quickstart.yaml --trainer.default_root_dir runs/planned

All options are those of ``tevo fit``. First the plan, then the fit itself, both in this process; the time from the
start of the fit to its end, and the most memory held until the plan and until the end, are compared. On a machine that
is shared with other work give ``--cpu_time``: seconds that this process computes instead of those that pass (with one
thread; waiting for the disk is not counted then).
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if "--cpu_time" in sys.argv:
    time.perf_counter = time.process_time

from tevo.verbs.configs import with_shipped_configs
from tevo.verbs.plan import make_plan, peak_bytes
from tevo.verbs.rehearsal import rehearse
from tevo.verbs.trainer import TevoCLI, build, parser_settings

BAR = 0.3
taken: dict[str, float] = {}


class Timed(TevoCLI):
    """A fit with a clock around it."""

    def before_fit(self) -> None:
        """The clock starts when everything is built."""
        super().before_fit()
        taken["began"] = time.perf_counter()

    def after_fit(self) -> None:
        """The clock stops before the report is written."""
        taken["seconds"] = time.perf_counter() - taken["began"]


def main() -> None:
    """Plan, fit, compare."""
    words: list[Any] = with_shipped_configs([word for word in sys.argv[1:] if word != "--cpu_time"])
    if not words or words[0] in ("-h", "--help"):
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(rehearse(["plan", *words], Path(folder)), Path(folder))
    print(plan.render(), flush=True)
    build(["fit", *words], Timed, parser_settings({"fit": ("fit", "a fit with a clock around it")}))
    time_off, memory_off = plan.total_s / taken["seconds"] - 1, plan.memory_bytes / peak_bytes() - 1
    print(f"time: planned {plan.total_s:.0f} s, took {taken['seconds']:.0f} s ({time_off:+.0%})")
    print(f"memory: planned {plan.memory_bytes / 1e9:.2f} GB, held {peak_bytes() / 1e9:.2f} GB ({memory_off:+.0%})")
    held = max(abs(time_off), abs(memory_off)) <= BAR
    print(f"both are within {BAR:.0%}" if held else f"NOT within {BAR:.0%}")


if __name__ == "__main__":
    main()
