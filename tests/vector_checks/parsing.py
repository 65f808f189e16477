"""Vectors of replies: which letter and which seconds each evaluator's parser takes out of a text."""

from collections.abc import Callable, Iterator
from string import ascii_uppercase
from typing import Any

from tevo.prompts.replies import LETTER_PARSERS, strip_reasoning, times
from tevo.prompts.replies import harness_letters as harness
from vector_checks.vector import Compared, Outcome, Vector

RANDOM = "?RANDOM"
ABSENT = ("none of them", "")  # what the oracles were given as options E and F, which the vector does not list

Parse = Callable[[str, list[str]], str]


def raw(parse: Callable[[str], str]) -> Parse:
    return lambda reply, options: parse(reply)


def credited(name: str, letters: str = ascii_uppercase) -> Parse:
    """Letters out of a range for which the parser gives credit, as the vector lists them."""
    return lambda reply, options: "".join(
        letter for letter in sorted(LETTER_PARSERS[name](reply, options)) if letter in letters
    )


def with_options(name: str, count: int) -> Parse:
    return lambda reply, options: LETTER_PARSERS[name](reply, [*options, *ABSENT][:count])


# The beginning of a column's name in the vector -> our parser. The longest that fits counts.
LETTERS: dict[str, Parse] = {
    "lmms_eval.extract_mcq_answer[A-D]": raw(lambda reply: harness.by_priority(reply, "ABCD")),
    "lmms_eval: strip <think>, then extract_mcq_answer[A-D]": credited("lmms_eval/abcd"),
    "lmms_eval.extract_mcq_answer[A-F]": credited("lmms_eval/abcdef"),
    "lmms_eval.longvideobench": credited("lmms_eval/longvideobench"),
    "lmms_eval.nextqa_mc": with_options("lmms_eval/nextqa", 5),
    "lmms_eval.tvbench": credited("lmms_eval/tvbench"),
    "lmms_eval.mvbench": credited("lmms_eval/mvbench"),
    "lmms_eval.lsdbench": credited("lmms_eval/lsdbench"),
    "lmms_eval.video_holmes": with_options("lmms_eval/video_holmes", 6),
    "lmms_eval.videomathqa": credited("lmms_eval/videomathqa"),
    "vlmevalkit.videomme.": raw(harness.first_capital("ABCD", harness.VLMEVALKIT_PREFIXES)),
    "vlmevalkit.videomme_v2": raw(harness.first_capital("ABCDEFGH", harness.VIDEOMME_V2_PREFIXES)),
    "vlmevalkit.longvideobench": raw(harness.first_capital("ABCDE", harness.VLMEVALKIT_PREFIXES)),
    "vlmevalkit.can_infer": credited("vlmevalkit"),
    "mlvu_official": credited("official/mlvu"),
    "lvbench_official": credited("official/lvbench"),
    "vnbench_official": credited("official/vnbench"),
    "lsdbench_official": credited("official/lsdbench"),
    "video_holmes_official": credited("official/video_holmes"),
    "videozero.nextgqa": credited("video_zero/nextgqa"),
    "videozero.vnbench": credited("video_zero/vnbench"),
    "onethinker": credited("onethinker", "ABCDEF"),
    "zoomzero.gqa": credited("zoom_zero/nextgqa"),
    "zoomzero.substring": credited("zoom_zero/long"),
    "time_r1": credited("official/time_r1", "ABCDE"),
}


def letters(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Replies to a multiple-choice question."""
    given = vector.expected
    options = list(given["options"].values())
    for case in given["cases"]:
        for column, theirs in case.items():
            if column == "text":
                continue
            parse = known(LETTERS, column)
            if parse is None:
                note(outcome, column)
                continue
            ours: Any = parse(case["text"], options)
            if "==" in column:  # whether one letter is credited: the column ends with it
                ours, theirs = column.rstrip(")")[-1] in ours, bool(theirs)
            yield Compared(f"{column} of {case['text']!r}", ours, theirs if "==" in column else a_letter(theirs))


def a_letter(theirs: Any) -> str:
    """What the oracle gave as letters; a random one, an exception and a text that is no letter are unparsed."""
    if not isinstance(theirs, str) or theirs == RANDOM or theirs.startswith("!") or theirs == "WRONG":
        return ""
    return theirs if set(theirs) <= set(ascii_uppercase) and theirs == "".join(sorted(theirs)) else ""


TIMES: dict[str, Callable[[str], Any]] = {
    "lmms_charades": times.charades_sta,
    "lmms_timelens": times.timelens,
    "lmms_extremewhenbench": times.extremewhenbench,
    "time_r1": times.time_r1,
    "videozero": times.video_zero,
    "onethinker": times.onethinker,
    "zoomzero": times.zoom_zero,
}


def spans(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Replies with times."""
    for case in vector.expected["cases"]:
        for column, theirs in case.items():
            parse = known(TIMES, column)
            if column.startswith("lita(duration="):
                duration_s = float(column.partition("=")[2].rstrip(")"))
                parse = lambda text, duration_s=duration_s: times.lita(text, duration_s)  # noqa: E731
            if column != "text" and parse is None:
                note(outcome, column)
            elif column != "text":
                ours = [list(pair) for pair in parse(case["text"])]
                yield Compared(f"{column} of {case['text']!r}", ours, pairs(theirs))


def pairs(theirs: Any) -> list[list[float]]:
    """What the oracle gave as a list of pairs; null, INVALID, [null, null] and lists of one are none."""
    if not isinstance(theirs, list) or not theirs:
        return []
    listed = theirs if isinstance(theirs[0], list) else [theirs]
    return [pair for pair in listed if len(pair) == 2 and None not in pair]


def stripped(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Replies without their reasoning."""
    for case in vector.expected:
        yield Compared(repr(case["text"]), strip_reasoning(case["text"]), case["stripped"])


def known(table: dict[str, Any], column: str) -> Any:
    """The entry whose name is the longest beginning of a column's name."""
    fitting = [name for name in table if column.startswith(name)]
    return table[max(fitting, key=len)] if fitting else None


def note(outcome: Outcome, column: str) -> None:
    if column not in outcome.not_reproduced:
        outcome.not_reproduced.append(column)
