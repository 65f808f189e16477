"""Where does the time of a fit go?

    tevo world runs/world-small --size small
    python benchmarks/loop.py --config conf/quickstart.yaml --trainer.default_root_dir runs/timed

All options are those of ``tevo fit``. The fit runs in this process; then its share of time is printed by stage: decode
and encode (once a video, ever: nothing where the cache has it), sample (questions and rollouts), score (the Solver's
votes and the controls), update (losses, backward passes, steps), answer (the annotated questions, each round), wait
(making batches from the cache), and the rest (logging, checkpoints, the run's files). The bar: wait is at most 5 % of
what follows the first pass over the videos.

On a machine that is shared with other work give ``--cpu_time``: seconds that this process computes instead of those
that pass. ``--profile 40`` prints the 40 functions that took longest by themselves, too.
"""

import cProfile
import pstats
import sys
import time
from collections import Counter
from typing import Any

if "--cpu_time" in sys.argv:
    time.perf_counter = time.process_time

from tevo.tasks.coevolution import CoEvolution
from tevo.verbs.configs import with_shipped_configs
from tevo.verbs.trainer import TevoCLI, build, parser_settings

BAR = 0.05
FIRST_PASS = ("decode", "encode")
profiler = cProfile.Profile()
spent: Counter[str] = Counter()


class Timed(TevoCLI):
    """A fit with a clock around it."""

    profiled = False

    def before_fit(self) -> None:
        """The clock starts when everything is built."""
        super().before_fit()
        spent["whole"] -= time.perf_counter()
        if self.profiled:
            profiler.enable()

    def after_fit(self) -> None:
        """The clock stops before the report is written."""
        profiler.disable()
        spent["whole"] += time.perf_counter()
        model: Any = self.model
        assert isinstance(model, CoEvolution)
        for entry in model.records.rounds:
            print(f"round {entry.round}: " + ", ".join(f"{name} {s:.1f} s" for name, s in entry.seconds.items()))
            spent.update(entry.seconds)


def words_of(arguments: list[str]) -> tuple[list[str], int]:
    """The options of the fit, and how many functions to print."""
    words = [word for word in arguments if word != "--cpu_time"]
    if "--profile" not in words:
        return words, 0
    at = words.index("--profile")
    return words[:at] + words[at + 2 :], int(words[at + 1])


def main() -> None:
    """Fit, add up, compare."""
    words, functions = words_of(sys.argv[1:])
    if not words or words[0] in ("-h", "--help"):
        raise SystemExit(__doc__)
    Timed.profiled = functions > 0
    build(["fit", *with_shipped_configs(words)], Timed, parser_settings({"fit": ("fit", "a fit with a clock")}))
    whole = spent.pop("whole")
    spent["rest"] = whole - sum(spent.values())
    print("| stage | seconds | share |\n|---|---|---|")
    for name, seconds in spent.most_common():
        print(f"| {name} | {seconds:.1f} | {seconds / whole:.1%} |")
    later = whole - sum(spent[name] for name in FIRST_PASS)
    share = spent["wait"] / later
    held = "within" if share <= BAR else "NOT within"
    print(f"waiting is {share:.1%} of what follows the first pass: {held} {BAR:.0%}")
    if functions:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(functions)


if __name__ == "__main__":
    main()
