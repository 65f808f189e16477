"""The Solver's prompt and reply as text (ALGORITHM 5; the reply is Zoom-Zero's, arXiv 2512.14273).

``<think> ... <time>(s, e)</time> ... </think><answer>X</answer><glue>[(s1, e1), (s2, e2)]</glue>``, seconds. Thinking
is optional. A multiple choice is answered by a letter, a *when* question by the span: it has no ``<answer>``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tevo.prompts.tags import Tagged, read_spans, take_apart, write_spans
from tevo.prompts.templates import Templates
from tevo.structures import Question, Role, Span

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
STOP = ("</glue>",)
"""A reply ends where this is written."""

_TIME = re.compile(r"<time>(.*?)</time>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SolverReply:
    """What the Solver says: its answer as written (a letter, or text), and its evidence in seconds (pts)."""

    answer: str = ""
    spans: tuple[Span, ...] = ()
    thought: str = ""


@dataclass(frozen=True, slots=True)
class SolverReading:
    """A completion, read as far as it can be read. ``faults`` empty = it parses as a whole."""

    reply: SolverReply
    choice: int  # index of the option answered; -1 = none
    marked: tuple[tuple[int, int, Role], ...]  # stretches of characters that answer for something
    faults: tuple[str, ...]


def list_options(options: Sequence[str]) -> str:
    """``A) one  B) two``, one a line."""
    return "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))


def solver_prompt(question: Question, duration_s: float, templates: Templates, subtitles: str = "") -> str:
    """What the Solver is asked, beside the video.

    Args:
        question: with the options to choose from, if any.
        duration_s: of what is shown.
        templates: the texts around it.
        subtitles: timed lines that come first (:func:`~tevo.prompts.subtitles.write_subtitles`); never in training.
    """
    kind = "when" if question.kind == "when" else "choice" if question.options else "open"
    before = f"{subtitles}\n\n" if subtitles else ""
    return before + templates.fill(
        f"solver_{kind}",
        duration=f"{duration_s:.1f}",
        question=question.text,
        options=list_options(question.options),
    )


def write_reply(reply: SolverReply, kind: str, origin_s: float = 0.0) -> str:
    """The reply as the Solver should write it; read back by :func:`read_reply`."""
    thought = f"<think>{reply.thought}</think>" if reply.thought else ""
    answer = "" if kind == "when" else f"<answer>{reply.answer}</answer>"
    return f"{thought}{answer}<glue>{write_spans(reply.spans, origin_s)}</glue>"


def letter_of(question: Question, answer: str) -> str:
    """How an answer is written: the letter of its option, or the text itself."""
    return LETTERS[question.options.index(answer)] if answer in question.options else answer


def read_reply(text: str, question: Question, limits: Span, origin_s: float = 0.0) -> SolverReading:
    """Take a completion apart. What is whole counts even where the rest is at fault; an unread answer is none.

    Args:
        text: the completion.
        question: that was put.
        limits: the part of the video that was shown, seconds (pts).
        origin_s: pts that the model calls second 0.
    """
    is_when = question.kind == "when"
    tagged = take_apart(text, ("glue",) if is_when else ("answer", "glue"), ("think",))
    faults = list(tagged.faults)
    has = {section.name for section in tagged.sections}
    spans: tuple[Span, ...] = ()
    if "glue" in has:
        spans, wrong = read_spans(tagged.get("glue"), limits, origin_s)
        faults += wrong
    answer = "" if is_when else tagged.get("answer").strip()
    choice = -1 if is_when else read_choice(answer, question.options)
    if "answer" in has and not answer:
        faults.append("the answer is empty")
    elif "answer" in has and question.options and choice < 0:
        faults.append("the answer is none of the options")
    reply = SolverReply(answer, spans, tagged.get("think"))
    return SolverReading(reply, choice, _marked(tagged), tuple(dict.fromkeys(faults)))


def read_choice(answer: str, options: Sequence[str]) -> int:
    """Index of the option that an answer names: by letter ("B", "b)", "(B)", "B) a dog") or by its whole text; else -1.

    A letter counts only where the rest is that option's text, or nothing: "A dog" is not option A.
    """
    texts = [_plain(option) for option in options]
    found = re.fullmatch(r"\(?([A-Za-z])(?:[).:]\s*(.*))?", answer.strip(), re.DOTALL)
    index = LETTERS.find(found[1].upper()) if found else -1
    if found is not None and 0 <= index < len(options) and _plain(found[2] or "") in ("", texts[index]):
        return index
    return texts.index(_plain(answer)) if _plain(answer) in texts else -1


def _plain(text: str) -> str:
    """An answer as it is compared: case, spaces and the full stop at its end do not count."""
    return " ".join(text.lower().split()).rstrip(".")


def _marked(tagged: Tagged) -> tuple[tuple[int, int, Role], ...]:
    """The answer, the evidence, and the times within the thought."""
    marked = []
    for section in tagged.sections:
        if section.name == "think":
            times = _TIME.finditer(section.text)
            marked += [(section.start + t.start(1), section.start + t.end(1), Role.EVIDENCE) for t in times]
        else:
            role = Role.ANSWER if section.name == "answer" else Role.EVIDENCE
            marked.append((section.start, section.end, role))
    return tuple(marked)
