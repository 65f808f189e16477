"""Compare tevo's scorers and parsers with what the benchmarks' official ones answered.

    python tests/run_vectors.py DIR

DIR holds vectors: ``NAME_expected.json`` beside ``NAME_gt.json`` and ``NAME_pred.json``, or alone where it holds its
own inputs; likewise ``NAME_cases.json``. Every vector in it is run, and prints one line: how many figures were
compared and the greatest difference. Ends with 1 when a figure differs by more than 1e-6, or than what the scorer
itself rounds or prints, when a file is no vector that is known, or when there is none.
"""

import math
import sys
from pathlib import Path

from vector_checks import answers, grounded, overlaps, parsing
from vector_checks.vector import Check, Outcome, Vector

# What a vector's name is made of -> what compares it. The longest that fits counts.
CHECKS: dict[str, Check] = {
    "anet_rtl": overlaps.anet_rtl,
    "causalvidqa": answers.causal_vidqa,
    "cgbench": grounded.cg_bench,
    "charades": overlaps.charades,
    "longvideobench": answers.longvideobench,
    "lvbench": answers.lvbench,
    "mcq_text_parsing": parsing.letters,
    "mlvu": answers.mlvu,
    "multi_span_iou": overlaps.set_cases,
    "nextgqa": grounded.nextgqa,
    "nextgqa_accuracy": answers.next_printed,
    "nextgqa_corner": overlaps.nextgqa_cases,
    "nextqa": answers.next_printed,
    "onethinker": answers.onethinker,
    "qvhighlights": grounded.qv_highlights,
    "rextime": grounded.rex_time,
    "span_iou_corner": overlaps.pair_cases,
    "strip_reasoning": parsing.stripped,
    "threshold_boundary": overlaps.boundary,
    "time_text_parsing": parsing.spans,
    "videomme": answers.videomme,
    "vnbench": answers.vnbench,
    "vstar": overlaps.vstar,
    "zoomzero": overlaps.zoom_zero,
}


def find(folder: Path) -> list[Vector]:
    """Every vector of a folder, by name."""
    return [Vector(path) for pattern in ("*_expected.json", "*_cases.json") for path in sorted(folder.glob(pattern))]


def check_of(name: str) -> Check | None:
    """What compares a vector of this name: of ``nextgqa_2_accuracy`` the same as of ``nextgqa_accuracy``."""
    parts = name.split("_")
    fitting = [key for key in CHECKS if all(any(part.startswith(k) for part in parts) for k in key.split("_"))]
    return CHECKS[max(fitting, key=len)] if fitting else None


def run(vector: Vector) -> tuple[str, bool]:
    """The line of one vector, and whether everything agrees."""
    check = check_of(vector.name)
    if check is None:
        return f"{vector.name:<28} not a vector that is known: {', '.join(CHECKS)}", False
    outcome = Outcome()
    try:
        outcome.figures.extend(check(vector, outcome))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration) as error:
        return f"{vector.name:<28} cannot be compared: {type(error).__name__}: {error}", False
    if not outcome.figures:
        return f"{vector.name:<28} holds nothing to compare", False
    wrong = [figure for figure in outcome.figures if not figure.agrees]
    greatest = max(figure.difference for figure in outcome.figures)
    line = f"{vector.name:<28}{len(outcome.figures):>6} figures, greatest difference " + (
        "not a number" if math.isinf(greatest) else f"{greatest:.2g}"
    )
    if outcome.not_reproduced:
        line += f"; not reproduced: {', '.join(outcome.not_reproduced)}"
    for figure in wrong[:10]:
        line += f"\n    DIFFERS {figure.figure}: ours {figure.ours!r}, theirs {figure.theirs!r}"
    if len(wrong) > 10:
        line += f"\n    ... and {len(wrong) - 10} more"
    return line, not wrong


def main(words: list[str]) -> int:
    """Run every vector of the folder named; the exit status."""
    if len(words) != 1 or not Path(words[0]).is_dir():
        print(__doc__ or "", file=sys.stderr)
        return 2
    vectors = find(Path(words[0]))
    agree = bool(vectors)
    for vector in vectors:
        line, same = run(vector)
        print(line)
        agree &= same
    print(f"{len(vectors)} vectors, {'all agree' if agree else 'NOT ALL AGREE'}")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
