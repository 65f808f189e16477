"""Subtitles as text in a prompt: timed lines before the question, as many as fit."""

from collections.abc import Sequence

from tevo.structures import Span, TimedText

MAX_CHARACTERS = 4000  # assumed; about a thousand tokens


def write_subtitles(
    cues: Sequence[TimedText], shown: Sequence[Span], origin_s: float = 0.0, max_characters: int = MAX_CHARACTERS
) -> str:
    """``Subtitles:``, then a line a cue: ``[12.0 - 14.5] words``; empty where nothing is said in what is shown.

    Where there is more than fits, lines are left out evenly over the whole, and it says so: what is said at the end is
    as likely to matter as what is said first.

    Args:
        cues: in the order of their times.
        shown: stretches of the video, seconds (pts); what is said elsewhere is left out.
        origin_s: pts that the prompt calls second 0.
        max_characters: bound on the lines together.
    """
    lines = [
        f"[{cue.span.start_s - origin_s:.1f} - {cue.span.end_s - origin_s:.1f}] {' '.join(cue.text.split())}"
        for cue in cues
        if any(cue.span.overlaps(span) for span in shown)
    ]
    if not lines:
        return ""
    longest = sum(len(line) + 1 for line in lines)
    kept = lines
    number = len(lines)
    while sum(len(line) + 1 for line in kept) > max_characters and number > 1:
        number = max(1, min(number - 1, number * max_characters // longest))
        kept = [lines[(2 * index + 1) * len(lines) // (2 * number)] for index in range(number)]
        longest = sum(len(line) + 1 for line in kept)
    kept = [line[:max_characters] for line in kept]
    head = "Subtitles:" if len(kept) == len(lines) else f"Subtitles ({len(kept)} of {len(lines)} lines):"
    return "\n".join([head, *kept])
