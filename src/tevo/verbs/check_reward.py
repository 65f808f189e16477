"""``tevo check-reward``: what both roles are paid on a few videos, and whether a run could learn from it."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tevo.data.loader import shuffled_order
from tevo.errors import TevoError
from tevo.tasks.alignment import fit_alignment
from tevo.tasks.inspection import Inspection, Payment, inspect_rewards
from tevo.tasks.matching import as_encoder
from tevo.verbs.rehearsal import Rehearsal, rehearse

VIDEOS = 8  # assumed; enough for a hundred questions
BARS = " ▁▂▃▄▅▆▇█"
NUM_BINS = 10


def run(words: list[str]) -> None:
    """Print what the fit that these options describe would pay for."""
    with tempfile.TemporaryDirectory(prefix="tevo-") as folder:
        print(check(rehearse(words, Path(folder))))


def check(cli: Rehearsal) -> str:
    """The report on a few videos.

    Args:
        cli: what the fit would be.

    Raises:
        TevoError: with the report and what to change, where nothing can be learnt.
    """
    model, data = cli.evolution, cli.videos
    data.prepare_data()
    data.setup("fit")
    names = list(data.videos)
    few = [names[index] for index in shuffled_order(len(names), data.seed, "check")[:VIDEOS]]
    data.found = replace(data.found, videos={name: data.videos[name] for name in few}, asked=data.found.asked.only(()))
    device = cli.trainer.strategy.root_device
    data.attach(model.backbone.to(device), with_frames=model.solver.needs_frames)
    model.to(device)
    if model.teacher is not None:
        fit_alignment(as_encoder(model.backbone), data.teacher_pairs(model.teacher))
    data.curriculum.start_round(1)
    found = inspect_rewards(model, data.all_videos(), data.curriculum.allowed_kinds(1))
    report, troubles = render(found), found.troubles(model)
    advice = "\n".join(f"- {trouble}" for trouble in troubles)
    if found.stops(model):
        raise TevoError(f"nothing can be learnt with these settings.\n{report}\n\n{advice}")
    return f"{report}\n\n{advice or 'there is something to learn for every phase'}"


def render(found: Inspection) -> str:
    """Lines to print."""
    share = found.parsed / max(1, found.asked)
    kept = len(found.kept)
    lines = [
        f"{found.videos} videos; {found.parsed} of {found.asked} questions could be put into words ({share:.0%})",
        f"{kept} of {len(found.verdicts)} questions would be kept in the pool",
        *([f"{found.faults.total()} more tries made no question:"] if found.faults else []),
        *(f"  {count:3} {fault}" for fault, count in found.faults.most_common()),
        *payment("Questioner", "a video's questions", found.questioner),
        *payment("Solver", "a question's rollouts", found.solver),
    ]
    if found.solver.groups:
        dead = found.solver.dead / found.solver.groups
        lines.append(f"  {dead:.0%} of the groups have no right answer, or no difference: no update")
    return "\n".join([*lines, "", *found.samples])


def payment(role: str, group: str, paid: Payment) -> list[str]:
    """A role's terms: mean, bounds, and a histogram between them."""
    if not paid.groups:
        return ["", f"{role}: nothing to be paid for"]
    width = max(len(name) for name in paid.terms)
    lines = ["", f"{role}: {paid.flat / paid.groups:.0%} of the groups ({group}) are all paid alike"]
    for name, values in paid.terms.items():
        low, high = min(values), max(values)
        mean = sum(values) / len(values)
        lines.append(f"  {name:<{width}}  mean {mean:6.3f}  {low:6.3f} |{histogram(values)}| {high:.3f}")
    return lines


def histogram(values: Sequence[float]) -> str:
    """Ten bars between the least and the greatest value; the tallest is the fullest."""
    low, high = min(values), max(values)
    counts = [0] * NUM_BINS
    for value in values:
        place = 0 if high <= low else min(NUM_BINS - 1, int((value - low) / (high - low) * NUM_BINS))
        counts[place] += 1
    return "".join(BARS[-(-count * (len(BARS) - 1) // max(counts))] for count in counts)
